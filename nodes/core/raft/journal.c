#include "nodes/core/raft/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

/* Entries in memory behind the full checkpoint: a short lag needs no install. */
#define KEPT_FOR_FOLLOWERS 2048

static struct log_entry *at(const struct journal *journal, log_index_t index)
{
    assert(index > journal->base && index <= journal->last);
    return &journal->entries[index - journal->base - 1];
}

const struct log_entry *journal_at(const struct raft *raft, log_index_t index)
{
    return at(&raft->journal, index);
}

bool journal_term(const struct raft *raft, log_index_t index, term_t *term)
{
    const struct journal *journal = &raft->journal;
    if (index < journal->base || index > journal->last)
        return false;
    *term = index == journal->base ? journal->base_term : at(journal, index)->term;
    return true;
}

term_t journal_last_term(const struct raft *raft)
{
    term_t term = 0;
    journal_term(raft, raft->journal.last, &term);
    return term;
}

/* --- appending --- */

static struct log_entry *push(struct journal *journal, term_t term, struct blob *packed)
{
    size_t n = journal->last - journal->base;
    if (n == journal->size) {
        journal->size = journal->size ? journal->size * 2 : 64;
        journal->entries = mem_grow(journal->entries, journal->size, sizeof *journal->entries);
    }
    journal->last++;
    journal->bytes += packed->len;
    journal->entries[n] = (struct log_entry){.term = term, .packed = packed};
    return &journal->entries[n];
}

log_index_t journal_propose(struct raft *raft, struct message *entry)
{
    struct blob *packed = codec_pack(entry);
    if (!packed)
        panic("an entry of our own cannot be encoded: %s", message_name(entry->type));
    struct log_entry *added = push(&raft->journal, raft->step->term, packed);
    added->entry = entry;
    added->seq = outbox_write_entry(&raft->step->out, raft->journal.last, added->term, packed);
    members_appended(raft, raft->journal.last, packed);
    raft->journal.bytes += sweep_note(raft, raft->journal.last, entry);
    return raft->journal.last;
}

void journal_append(struct raft *raft, term_t term, struct blob *packed)
{
    struct log_entry *added = push(&raft->journal, term, blob_ref(packed));
    added->seq = outbox_write_entry(&raft->step->out, raft->journal.last, term, packed);
    members_appended(raft, raft->journal.last, packed);
}

static void drop_entry(struct log_entry *entry)
{
    blob_drop(&entry->packed);
    message_drop(&entry->entry);
}

void journal_truncate(struct raft *raft, log_index_t from)
{
    struct journal *journal = &raft->journal;
    if (from <= journal->commit)
        panic("committed entry %" PRIu64 " would be overwritten: the logs of this cluster diverge",
              from);
    if (from > journal->last)
        return;
    members_cut(raft, from);
    while (journal->last >= from) {
        struct log_entry *last = at(journal, journal->last);
        journal->bytes -= last->packed->len < journal->bytes ? last->packed->len : journal->bytes;
        drop_entry(last);
        journal->last--;
    }
    if (journal->durable >= from)
        journal->durable = from - 1;
    outbox_write_truncate(&raft->step->out, from);
}

int journal_restore(struct raft *raft, log_index_t index, term_t term, struct blob *packed)
{
    struct journal *journal = &raft->journal;
    if (index <= journal->image)
        return OK; /* the full checkpoint covers it */
    struct message *entry;
    struct text why = {0};
    if (index != journal->last + 1 || term < journal_last_term(raft) || term > raft->step->term ||
        codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return ERR_CORRUPT;
    bool valid = raft->machine->check(entry);
    if (valid)
        journal->bytes += sweep_note(raft, index, entry);
    message_drop(&entry);
    if (!valid)
        return ERR_CORRUPT;
    push(journal, term, blob_ref(packed));
    journal->durable = index;
    members_restored(raft, index, packed);
    return OK;
}

/* --- committing and applying --- */

void journal_persisted(struct raft *raft, uint64_t seq)
{
    struct journal *journal = &raft->journal;
    while (journal->durable < journal->last && at(journal, journal->durable + 1)->seq <= seq)
        journal->durable++;
    if (journal->saving && journal->saving <= seq) {
        journal->saved = journal->image;
        journal->saving = 0;
        sweep_saved(raft);
    }
}

static void apply(struct raft *raft, log_index_t index, term_t term, const struct message *entry)
{
    raft->journal.applied = index;
    raft->journal.tidy_us = raft->step->now_us + TIDY_AFTER_US;
    if (entry->type == MESSAGE_ENTRY_NOOP && term == raft->step->term)
        election_serve(raft);
    void *made = raft->machine->apply(raft->state, index, term, entry);
    raft->owner->applied(raft->node, index, made);
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED)
        members_apply(raft, index, &entry->as.entry_voter_admitted);
}

void journal_commit(struct raft *raft, log_index_t index)
{
    struct journal *journal = &raft->journal;
    if (index > journal->last)
        index = journal->last;
    if (index <= journal->commit)
        return;
    journal->commit = index;
    while (journal->applied < journal->commit) {
        struct log_entry *next = at(journal, journal->applied + 1);
        struct message *entry = next->entry;
        struct text why = {0};
        next->entry = NULL;
        if (!entry &&
            codec_unpack((struct slice){next->packed->at, next->packed->len}, &entry, &why))
            panic("entry %" PRIu64 " of the log cannot be read: %s", journal->applied + 1, why.at);
        apply(raft, journal->applied + 1, next->term, entry);
        message_drop(&entry);
    }
}

/* --- compacting --- */

static void drop_front(struct journal *journal, log_index_t base)
{
    size_t n = base - journal->base, left = journal->last - base;
    if (!n)
        return;
    journal->base_term = at(journal, base)->term;
    for (size_t i = 0; i < n; i++)
        drop_entry(&journal->entries[i]);
    memmove(journal->entries, journal->entries + n, left * sizeof *journal->entries);
    journal->base = base;
    if (journal->durable < base)
        journal->durable = base; /* committed already: nothing counts on us for it */
}

/* What the checkpoint covers leaves memory, but for the last entries, which a follower that is just
 * behind may still need. */
static void drop_covered(struct raft *raft)
{
    struct journal *journal = &raft->journal;
    uint64_t kept = raft->step->config.compact_entries < KEPT_FOR_FOLLOWERS
                        ? raft->step->config.compact_entries / 2
                        : KEPT_FOR_FOLLOWERS;
    if (journal->image > journal->base + kept)
        drop_front(journal, journal->image - kept);
}

static bool is_due(const struct raft *raft, log_index_t index)
{
    const struct journal *journal = &raft->journal;
    return index > journal->image &&
           (index - journal->image >= raft->step->config.compact_entries ||
            journal->bytes >= COMPACT_BYTES || journal->tidy);
}

static bool may_tidy(const struct raft *raft)
{
    return !raft->full && raft->machine->rests(raft->state) &&
           raft->journal.applied != raft->journal.image;
}

uint64_t journal_deadline(const struct raft *raft)
{
    return may_tidy(raft) ? raft->journal.tidy_us : UINT64_MAX;
}

/* Nothing goes on, and values are on disk only because entries behind the checkpoint name them. A
 * checkpoint frees them; one that is larger than what it frees is written once in a while only. */
static void look_if_tidy(struct raft *raft)
{
    struct journal *journal = &raft->journal;
    if (!may_tidy(raft) || raft->step->now_us < journal->tidy_us)
        return;
    uint64_t bytes = sweep_held_bytes(raft);
    bool rested = raft->step->now_us >= journal->image_us + sweep_every_us(raft);
    journal->tidy = bytes && (bytes >= journal->image_bytes || rested);
    journal->tidy_us = raft->step->now_us + sweep_every_us(raft);
}

void journal_saves(struct raft *raft, const struct image *image, uint64_t seq)
{
    struct journal *journal = &raft->journal;
    journal->image = image->index;
    journal->saving = seq;
    journal->image_us = raft->step->now_us;
    journal->image_bytes = 0;
    journal->tidy = false;
    for (size_t i = 0; i < image->n; i++)
        journal->image_bytes += image->parts[i]->len;
}

static void write_image(struct raft *raft, const struct image *image)
{
    struct journal *journal = &raft->journal;
    raft->machine->stores(raft->state, image);
    uint64_t seq = outbox_write_image(&raft->step->out, image->index, image->term, image->parts,
                                      image->n - image->n_blocks, false);
    outbox_log(&raft->step->out, LOG_INFO,
               "wrote a full checkpoint at entry %" PRIu64 ", %zu parts", image->index,
               image->n - image->n_blocks);
    journal_saves(raft, image, seq);
    journal->bytes = 0;
    for (log_index_t index = image->index + 1; index <= journal->last; index++)
        journal->bytes += at(journal, index)->packed->len;
}

/* A checkpoint that was built for a follower is written as well when the log is due. */
void journal_compact(struct raft *raft)
{
    struct journal *journal = &raft->journal;
    /* It takes room before it gives room. */
    if (raft->full)
        return;
    look_if_tidy(raft);
    if (!journal->build && is_due(raft, journal->applied))
        journal->build = raft->machine->save(raft->state);
    const struct image *image = journal->build ? raft->machine->saved(journal->build) : NULL;
    if (!image)
        return;
    if (is_due(raft, image->index))
        write_image(raft, image);
    raft->machine->end(raft->state, &journal->build);
    drop_covered(raft);
}

void journal_reset(struct raft *raft, log_index_t index, term_t term)
{
    struct journal *journal = &raft->journal;
    for (log_index_t i = journal->base + 1; i <= journal->last; i++)
        drop_entry(at(journal, i));
    raft->machine->end(raft->state, &journal->build);
    journal->base = journal->last = journal->image = index;
    journal->durable = journal->commit = journal->applied = index;
    journal->base_term = term;
    journal->bytes = 0;
}

/* --- what waits to be applied --- */

const struct message *journal_waiting(const struct raft *raft, log_index_t index)
{
    return at(&raft->journal, index)->entry;
}

void journal_clear(struct raft *raft)
{
    struct journal *journal = &raft->journal;
    for (log_index_t index = journal->base + 1; index <= journal->last; index++)
        drop_entry(at(journal, index));
    free(journal->entries);
    raft->machine->end(raft->state, &journal->build);
    *journal = (struct journal){0};
}

void journal_check_invariants(const struct raft *raft)
{
    const struct journal *journal = &raft->journal;
    assert(journal->saved <= journal->image || journal->saving);
    assert(journal->base <= journal->image && journal->image <= journal->applied);
    assert(journal->applied == journal->commit && journal->commit <= journal->last);
    assert(journal->durable <= journal->last && journal->base <= journal->durable);
    for (log_index_t index = journal->base + 1; index < journal->last; index++)
        assert(at(journal, index)->term <= at(journal, index + 1)->term);
}
