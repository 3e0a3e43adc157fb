#include "nodes/core/raft/log.h"

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

/* Entries in memory after the checkpoint: a short lag needs no install. */
#define KEPT_FOR_FOLLOWERS 2048

static struct log_entry *at(const struct raft_log *log, log_index_t index)
{
    assert(index > log->base && index <= log->last);
    return &log->entries[index - log->base - 1];
}

const struct log_entry *raft_log_at(const struct raft *raft, log_index_t index)
{
    return at(&raft->log, index);
}

bool raft_log_term(const struct raft *raft, log_index_t index, term_t *term)
{
    const struct raft_log *log = &raft->log;
    if (index < log->base || index > log->last)
        return false;
    *term = index == log->base ? log->base_term : at(log, index)->term;
    return true;
}

term_t raft_log_last_term(const struct raft *raft)
{
    term_t term = 0;
    raft_log_term(raft, raft->log.last, &term);
    return term;
}

/* --- appending --- */

static struct log_entry *push(struct raft_log *log, term_t term, struct blob *packed)
{
    size_t n = log->last - log->base;
    if (n == log->size) {
        log->size = log->size ? log->size * 2 : 64;
        log->entries = mem_grow(log->entries, log->size, sizeof *log->entries);
    }
    log->last++;
    log->bytes += packed->len;
    log->entries[n] = (struct log_entry){.term = term, .packed = packed};
    return &log->entries[n];
}

log_index_t raft_log_propose(struct raft *raft, struct message *entry)
{
    struct blob *packed = codec_pack(entry);
    if (!packed)
        panic("an entry of our own cannot be encoded: %s", message_name(entry->type));
    struct log_entry *added = push(&raft->log, raft->step->term, packed);
    added->entry = entry;
    added->seq = outbox_write_entry(&raft->step->out, raft->log.last, added->term, packed);
    members_appended(raft, raft->log.last, packed);
    raft->log.bytes += sweep_note(raft, raft->log.last, entry);
    return raft->log.last;
}

void raft_log_append(struct raft *raft, term_t term, struct blob *packed, struct message *entry)
{
    struct log_entry *added = push(&raft->log, term, blob_ref(packed));
    added->entry = entry;
    added->seq = outbox_write_entry(&raft->step->out, raft->log.last, term, packed);
    members_appended(raft, raft->log.last, packed);
}

static void drop_entry(struct log_entry *entry)
{
    blob_drop(&entry->packed);
    message_drop(&entry->entry);
}

void raft_log_truncate(struct raft *raft, log_index_t from)
{
    struct raft_log *log = &raft->log;
    if (from <= log->commit)
        panic("committed entry %" PRIu64 " would be overwritten: the logs of this cluster diverge",
              from);
    if (from > log->last)
        return;
    members_cut(raft, from);
    while (log->last >= from) {
        struct log_entry *last = at(log, log->last);
        log->bytes -= last->packed->len < log->bytes ? last->packed->len : log->bytes;
        drop_entry(last);
        log->last--;
    }
    if (log->durable >= from)
        log->durable = from - 1;
    outbox_write_truncate(&raft->step->out, from);
}

int raft_log_restore(struct raft *raft, log_index_t index, term_t term, struct blob *packed)
{
    struct raft_log *log = &raft->log;
    if (index <= log->checkpoint)
        return OK; /* the checkpoint covers it */
    struct message *entry;
    struct text why = {0};
    if (index != log->last + 1 || term < raft_log_last_term(raft) || term > raft->step->term ||
        codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return ERR_CORRUPT;
    bool valid = raft->machine->check(entry);
    if (valid)
        log->bytes += sweep_note(raft, index, entry);
    message_drop(&entry);
    if (!valid)
        return ERR_CORRUPT;
    push(log, term, blob_ref(packed));
    log->durable = index;
    members_restored(raft, index, packed);
    return OK;
}

/* --- committing and applying --- */

void raft_log_persisted(struct raft *raft, uint64_t seq)
{
    struct raft_log *log = &raft->log;
    while (log->durable < log->last && at(log, log->durable + 1)->seq <= seq)
        log->durable++;
    if (log->saving && log->saving <= seq) {
        log->saved = log->checkpoint;
        log->saving = 0;
        sweep_saved(raft);
    }
}

static void apply(struct raft *raft, log_index_t index, term_t term, const struct message *entry)
{
    raft->log.applied = index;
    /* That time passes, and what is too old goes, is nothing that goes on. */
    if (entry->type != MESSAGE_ENTRY_VALUE_AGED && entry->type != MESSAGE_ENTRY_VALUE_DROPPED)
        raft->log.tidy_us = raft->step->now_us + TIDY_AFTER_US;
    if (entry->type == MESSAGE_ENTRY_NOOP && term == raft->step->term)
        election_serve(raft);
    void *made = raft->machine->apply(raft->state, index, term, entry);
    raft->owner->applied(raft->node, index, made);
    sweep_released(raft, index);
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED)
        members_apply(raft, index, &entry->as.entry_voter_admitted);
}

void raft_log_commit(struct raft *raft, log_index_t index)
{
    struct raft_log *log = &raft->log;
    if (index > log->last)
        index = log->last;
    if (index <= log->commit)
        return;
    log->commit = index;
    while (log->applied < log->commit) {
        struct log_entry *next = at(log, log->applied + 1);
        struct message *entry = next->entry;
        struct text why = {0};
        next->entry = NULL;
        if (!entry &&
            codec_unpack((struct slice){next->packed->at, next->packed->len}, &entry, &why))
            panic("entry %" PRIu64 " of the log cannot be read: %s", log->applied + 1, why.at);
        apply(raft, log->applied + 1, next->term, entry);
        message_drop(&entry);
    }
}

/* --- compacting --- */

static void drop_front(struct raft_log *log, log_index_t base)
{
    size_t n = base - log->base, left = log->last - base;
    if (!n)
        return;
    log->base_term = at(log, base)->term;
    for (size_t i = 0; i < n; i++)
        drop_entry(&log->entries[i]);
    memmove(log->entries, log->entries + n, left * sizeof *log->entries);
    log->base = base;
    if (log->durable < base)
        log->durable = base; /* committed already: nothing counts on us for it */
}

/* What the checkpoint covers leaves memory, but for the last entries, which a follower that is just
 * behind may still need. */
static void drop_covered(struct raft *raft)
{
    struct raft_log *log = &raft->log;
    uint64_t kept = raft->step->config.compact_entries < KEPT_FOR_FOLLOWERS
                        ? raft->step->config.compact_entries / 2
                        : KEPT_FOR_FOLLOWERS;
    if (log->checkpoint > log->base + kept)
        drop_front(log, log->checkpoint - kept);
}

static bool is_due(const struct raft *raft, log_index_t index)
{
    const struct raft_log *log = &raft->log;
    return index > log->checkpoint &&
           (index - log->checkpoint >= raft->step->config.compact_entries ||
            log->bytes >= COMPACT_BYTES || log->tidy);
}

static bool may_tidy(const struct raft *raft)
{
    return !raft->full && raft->machine->rests(raft->state) &&
           raft->log.applied != raft->log.checkpoint;
}

uint64_t raft_log_deadline(const struct raft *raft)
{
    return may_tidy(raft) ? raft->log.tidy_us : UINT64_MAX;
}

/* Nothing goes on, and values are on disk only because entries after the checkpoint name them. A
 * checkpoint frees them; one that is larger than what it frees is written once in a while only. */
static void look_if_tidy(struct raft *raft)
{
    struct raft_log *log = &raft->log;
    if (!may_tidy(raft) || raft->step->now_us < log->tidy_us)
        return;
    uint64_t bytes = sweep_held_bytes(raft);
    bool rested = raft->step->now_us >= log->checkpoint_us + sweep_every_us(raft);
    log->tidy = bytes && (bytes >= log->checkpoint_bytes || rested);
    log->tidy_us = raft->step->now_us + sweep_every_us(raft);
}

void raft_log_saves(struct raft *raft, const struct checkpoint *checkpoint, uint64_t bytes,
                    uint64_t seq)
{
    struct raft_log *log = &raft->log;
    log->checkpoint = checkpoint->index;
    log->saving = seq;
    log->checkpoint_us = raft->step->now_us;
    log->checkpoint_bytes = bytes;
    log->tidy = false;
}

static void write_checkpoint(struct raft *raft, struct checkpoint *checkpoint)
{
    struct raft_log *log = &raft->log;
    raft->machine->stores(raft->state, checkpoint);
    uint64_t seq = stored_write(&log->stored, &raft->step->out, checkpoint);
    outbox_log(&raft->step->out, LOG_INFO,
               "wrote a checkpoint at entry %" PRIu64 ", %zu parts, %" PRIu64
               " of them new (%" PRIu64 " of %" PRIu64 " bytes)",
               checkpoint->index, checkpoint->n - checkpoint->n_blocks, log->stored.parts,
               log->stored.bytes, log->stored.bytes + log->stored.reused_bytes);
    raft_log_saves(raft, checkpoint, log->stored.bytes, seq);
    log->bytes = 0;
    for (log_index_t index = checkpoint->index + 1; index <= log->last; index++)
        log->bytes += at(log, index)->packed->len;
}

/* A checkpoint that was built for a follower is written as well when the log is due. */
void raft_log_compact(struct raft *raft)
{
    struct raft_log *log = &raft->log;
    /* It takes room before it gives room. */
    if (raft->full)
        return;
    look_if_tidy(raft);
    if (!log->build && is_due(raft, log->applied))
        log->build = raft->machine->save(raft->state);
    struct checkpoint *checkpoint = log->build ? raft->machine->saved(log->build) : NULL;
    if (!checkpoint)
        return;
    if (is_due(raft, checkpoint->index))
        write_checkpoint(raft, checkpoint);
    raft->machine->end(raft->state, &log->build);
    drop_covered(raft);
}

void raft_log_reset(struct raft *raft, log_index_t index, term_t term)
{
    struct raft_log *log = &raft->log;
    for (log_index_t i = log->base + 1; i <= log->last; i++)
        drop_entry(at(log, i));
    raft->machine->end(raft->state, &log->build);
    stored_forget(&log->stored);
    log->base = log->last = log->checkpoint = index;
    log->durable = log->commit = log->applied = index;
    log->base_term = term;
    log->bytes = 0;
}

/* --- what waits to be applied --- */

const struct message *raft_log_waiting(const struct raft *raft, log_index_t index)
{
    return at(&raft->log, index)->entry;
}

void raft_log_clear(struct raft *raft)
{
    struct raft_log *log = &raft->log;
    for (log_index_t index = log->base + 1; index <= log->last; index++)
        drop_entry(at(log, index));
    free(log->entries);
    raft->machine->end(raft->state, &log->build);
    stored_forget(&log->stored);
    *log = (struct raft_log){0};
}

void raft_log_check_invariants(const struct raft *raft)
{
    const struct raft_log *log = &raft->log;
    assert(log->saved <= log->checkpoint || log->saving);
    assert(log->base <= log->checkpoint && log->checkpoint <= log->applied);
    assert(log->applied == log->commit && log->commit <= log->last);
    assert(log->durable <= log->last && log->base <= log->durable);
    for (log_index_t index = log->base + 1; index < log->last; index++)
        assert(at(log, index)->term <= at(log, index + 1)->term);
}
