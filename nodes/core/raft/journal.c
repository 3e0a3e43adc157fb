#include "nodes/core/raft/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/service/requests.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

#define KEPT_FOR_FOLLOWERS \
    2048 /* entries in memory behind the full checkpoint: a short lag needs no install */

static struct log_entry *at(const struct journal *journal, log_index_t index)
{
    assert(index > journal->base && index <= journal->last);
    return &journal->entries[index - journal->base - 1];
}

const struct log_entry *journal_at(const struct node *node, log_index_t index)
{
    return at(&node->journal, index);
}

bool journal_term(const struct node *node, log_index_t index, term_t *term)
{
    const struct journal *journal = &node->journal;
    if (index < journal->base || index > journal->last)
        return false;
    *term = index == journal->base ? journal->base_term : at(journal, index)->term;
    return true;
}

term_t journal_last_term(const struct node *node)
{
    term_t term = 0;
    journal_term(node, node->journal.last, &term);
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

log_index_t journal_propose(struct node *node, struct message *entry)
{
    struct blob *packed = codec_pack(entry);
    if (!packed)
        panic("an entry of our own cannot be encoded: %s", message_name(entry->type));
    struct log_entry *added = push(&node->journal, node->step.term, packed);
    added->entry = entry;
    added->seq = outbox_write_entry(&node->step.out, node->journal.last, added->term, packed);
    members_appended(node, node->journal.last, packed);
    node->journal.bytes += sweep_note(node, node->journal.last, entry);
    return node->journal.last;
}

void journal_append(struct node *node, term_t term, struct blob *packed)
{
    struct log_entry *added = push(&node->journal, term, blob_ref(packed));
    added->seq = outbox_write_entry(&node->step.out, node->journal.last, term, packed);
    members_appended(node, node->journal.last, packed);
}

static void drop_entry(struct log_entry *entry)
{
    blob_drop(&entry->packed);
    message_drop(&entry->entry);
}

void journal_truncate(struct node *node, log_index_t from)
{
    struct journal *journal = &node->journal;
    if (from <= journal->commit)
        panic("committed entry %" PRIu64 " would be overwritten: the logs of this cluster diverge",
              from);
    if (from > journal->last)
        return;
    members_cut(node, from);
    while (journal->last >= from) {
        struct log_entry *last = at(journal, journal->last);
        journal->bytes -= last->packed->len < journal->bytes ? last->packed->len : journal->bytes;
        drop_entry(last);
        journal->last--;
    }
    if (journal->durable >= from)
        journal->durable = from - 1;
    outbox_write_truncate(&node->step.out, from);
}

int journal_restore(struct node *node, log_index_t index, term_t term, struct blob *packed)
{
    struct journal *journal = &node->journal;
    if (index <= journal->image)
        return OK; /* the full checkpoint covers it */
    struct message *entry;
    struct text why = {0};
    if (index != journal->last + 1 || term < journal_last_term(node) || term > node->step.term ||
        codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return ERR_CORRUPT;
    bool valid = jobs_entry_is_valid(entry);
    if (valid)
        journal->bytes += sweep_note(node, index, entry);
    message_drop(&entry);
    if (!valid)
        return ERR_CORRUPT;
    push(journal, term, blob_ref(packed));
    journal->durable = index;
    members_restored(node, index, packed);
    return OK;
}

/* --- committing and applying --- */

void journal_persisted(struct node *node, uint64_t seq)
{
    struct journal *journal = &node->journal;
    while (journal->durable < journal->last && at(journal, journal->durable + 1)->seq <= seq)
        journal->durable++;
    if (journal->saving && journal->saving <= seq) {
        journal->saved = journal->image;
        journal->saving = 0;
        sweep_saved(node);
    }
}

static void apply_snap(struct node *node, struct slice key)
{
    struct snap_key old;
    jobs_add_snap(&node->state.jobs, key, progress_snap(&node->state.progress));
    keys_use(&node->state.keys, key);
    while (jobs_forget_snap(&node->state.jobs, (size_t)node->state.keys.limits.snaps, &old))
        keys_forget(&node->state.keys, KEY_OF_SNAP, slice_of(old.key));
}

static void apply_progress(struct node *node, const struct message *entry)
{
    if (entry->type == MESSAGE_ENTRY_PROGRESS_SET)
        progress_set_state(&node->state.progress, entry->as.entry_progress_set.index,
                           entry->as.entry_progress_set.state);
    else if (entry->type == MESSAGE_ENTRY_PROGRESS_SNAPPED &&
             !jobs_find_snap(&node->state.jobs, entry->as.entry_progress_snapped.key, NULL))
        apply_snap(node, entry->as.entry_progress_snapped.key);
}

static void add_tallies(struct node *node, const struct message *entry)
{
    if (entry->type != MESSAGE_ENTRY_OPS_DONE && entry->type != MESSAGE_ENTRY_JOB_DONE)
        return;
    for (size_t i = 0; i < entry->as.done.tallies.n; i++) {
        const struct wire_tally *tally = &entry->as.done.tallies.at[i];
        if (tally->operations) /* SetState(idx, state), first seed */
            progress_set_state(&node->state.progress, tally->node,
                               progress_now(&node->state.progress, tally->node) +
                                   tally->operations);
    }
}

/* Jobs beyond the retention limit go, with their results on disk. */
static void forget_old_jobs(struct node *node)
{
    struct job *job;
    size_t most = node->step.config.jobs_kept_max ? node->step.config.jobs_kept_max : JOBS_KEPT_MAX;
    while ((job = jobs_forget_one(&node->state.jobs, most))) {
        keys_forget(&node->state.keys, KEY_OF_JOB, slice_of(job->key));
        sweep_job(node, job->id);
        job_destroy(&job);
    }
}

static void apply(struct node *node, log_index_t index, term_t term, const struct message *entry)
{
    struct job *job = NULL;
    if (jobs_is_open(&node->state.jobs, entry))
        add_tallies(node, entry);
    apply_progress(node, entry);
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED)
        members_apply(node, index, &entry->as.entry_voter_admitted);
    job = jobs_apply(&node->state.jobs, index, term, entry);
    if (entry->type == MESSAGE_ENTRY_JOB_SUBMITTED)
        keys_use(&node->state.keys, entry->as.entry_job_submitted.key);
    else if (entry->type == MESSAGE_ENTRY_SESSION_OPENED)
        keys_apply_session(&node->state, index, term, &entry->as.entry_session_opened);
    node->journal.applied = node->state.applied = index;
    node->state.applied_term = term;
    node->journal.tidy_us = node->step.now_us + TIDY_AFTER_US;
    if (entry->type == MESSAGE_ENTRY_NOOP && term == node->step.term)
        election_serve(node);
    if (job && job_is_finished(job) && (job->keeps || job->state != JOB_DONE))
        sweep_job(node, job->id);
    if (job && job_is_finished(job))
        schedule_job_finished(node, job);
    else if (job)
        schedule_job_accepted(node, job);
    requests_applied(node, index, job);
    forget_old_jobs(node);
}

void journal_commit(struct node *node, log_index_t index)
{
    struct journal *journal = &node->journal;
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
        apply(node, journal->applied + 1, next->term, entry);
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
static void drop_covered(struct node *node)
{
    struct journal *journal = &node->journal;
    uint64_t kept = node->step.config.compact_entries < KEPT_FOR_FOLLOWERS
                        ? node->step.config.compact_entries / 2
                        : KEPT_FOR_FOLLOWERS;
    if (journal->image > journal->base + kept)
        drop_front(journal, journal->image - kept);
}

static bool is_due(const struct node *node, log_index_t index)
{
    const struct journal *journal = &node->journal;
    return index > journal->image && (index - journal->image >= node->step.config.compact_entries ||
                                      journal->bytes >= COMPACT_BYTES || journal->tidy);
}

/* Nothing goes on, and values are on disk only because entries behind the checkpoint name them. A
 * checkpoint frees them; one that is larger than what it frees is written once in a while only. */
static void look_if_tidy(struct node *node)
{
    struct journal *journal = &node->journal;
    if (node->step.now_us < journal->tidy_us || node->state.jobs.open ||
        journal->applied == journal->image)
        return;
    uint64_t bytes = sweep_held_bytes(node);
    bool rested = node->step.now_us >= journal->image_us + sweep_every_us(node);
    journal->tidy = bytes && (bytes >= journal->image_bytes || rested);
    journal->tidy_us = node->step.now_us + sweep_every_us(node);
}

void journal_saves(struct node *node, const struct image *image, uint64_t seq)
{
    struct journal *journal = &node->journal;
    journal->image = image->index;
    journal->saving = seq;
    journal->image_us = node->step.now_us;
    journal->image_bytes = 0;
    journal->tidy = false;
    for (size_t i = 0; i < image->n; i++)
        journal->image_bytes += image->parts[i]->len;
}

static void write_image(struct node *node, const struct image *image)
{
    struct journal *journal = &node->journal;
    keys_store_blocks(&node->state, image);
    uint64_t seq = outbox_write_image(&node->step.out, image->index, image->term, image->parts,
                                      image->n - image->n_blocks, false);
    outbox_log(&node->step.out, LOG_INFO, "wrote a full checkpoint at entry %" PRIu64 ", %zu parts",
               image->index, image->n - image->n_blocks);
    journal_saves(node, image, seq);
    journal->bytes = 0;
    for (log_index_t index = image->index + 1; index <= journal->last; index++)
        journal->bytes += at(journal, index)->packed->len;
}

/* A checkpoint that was built for a follower is written as well when the log is due. */
void journal_compact(struct node *node)
{
    struct journal *journal = &node->journal;
    /* It takes room before it gives room. */
    if (node->full)
        return;
    look_if_tidy(node);
    if (!journal->build && is_due(node, journal->applied))
        journal->build = image_begin(&node->state, IMAGE_WHOLE);
    if (!journal->build || !image_is_done(journal->build))
        return;
    if (is_due(node, image_of(journal->build)->index))
        write_image(node, image_of(journal->build));
    image_end(&node->state, &journal->build);
    drop_covered(node);
}

void journal_reset(struct node *node, log_index_t index, term_t term)
{
    struct journal *journal = &node->journal;
    for (log_index_t i = journal->base + 1; i <= journal->last; i++)
        drop_entry(at(journal, i));
    image_end(&node->state, &journal->build);
    journal->base = journal->last = journal->image = index;
    journal->durable = journal->commit = journal->applied = index;
    journal->base_term = term;
    journal->bytes = 0;
}

/* --- what waits to be applied --- */

log_index_t journal_pending_key(const struct node *node, enum message_type type, struct slice key)
{
    const struct journal *journal = &node->journal;
    for (log_index_t index = journal->applied + 1; index <= journal->last; index++) {
        const struct message *entry = at(journal, index)->entry;
        if (!entry || entry->type != type)
            continue;
        struct slice other = type == MESSAGE_ENTRY_JOB_SUBMITTED
                                 ? entry->as.entry_job_submitted.key
                                 : entry->as.entry_progress_snapped.key;
        if (slice_same(other, key))
            return index;
    }
    return 0;
}

size_t journal_pending_jobs(const struct node *node)
{
    const struct journal *journal = &node->journal;
    size_t n = 0;
    for (log_index_t index = journal->applied + 1; index <= journal->last; index++) {
        const struct message *entry = at(journal, index)->entry;
        n += entry && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED;
    }
    return n;
}

bool journal_pending_end(const struct node *node, job_id_t job)
{
    const struct journal *journal = &node->journal;
    for (log_index_t index = journal->applied + 1; index <= journal->last; index++) {
        const struct message *entry = at(journal, index)->entry;
        if (entry &&
            ((entry->type == MESSAGE_ENTRY_JOB_DONE && entry->as.entry_job_done.job == job) ||
             (entry->type == MESSAGE_ENTRY_JOB_FAILED && entry->as.entry_job_failed.job == job) ||
             (entry->type == MESSAGE_ENTRY_JOB_CANCELLED &&
              entry->as.entry_job_cancelled.job == job)))
            return true;
    }
    return false;
}

void journal_clear(struct node *node)
{
    struct journal *journal = &node->journal;
    for (log_index_t index = journal->base + 1; index <= journal->last; index++)
        drop_entry(at(journal, index));
    free(journal->entries);
    image_end(&node->state, &journal->build);
    *journal = (struct journal){0};
}

void journal_check_invariants(const struct node *node)
{
    const struct journal *journal = &node->journal;
    assert(journal->saved <= journal->image || journal->saving);
    assert(journal->base <= journal->image && journal->image <= journal->applied);
    assert(journal->applied == journal->commit && journal->commit <= journal->last);
    assert(journal->durable <= journal->last && journal->base <= journal->durable);
    for (log_index_t index = journal->base + 1; index < journal->last; index++)
        assert(at(journal, index)->term <= at(journal, index + 1)->term);
}
