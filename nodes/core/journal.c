#include "nodes/core/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/election.h"
#include "nodes/core/requests.h"
#include "nodes/core/schedule.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

log_index_t journal_propose(struct node *node, struct message *entry)
{
    struct journal *journal = &node->journal;
    if (journal->n_pending == journal->pending_size) {
        journal->pending_size = journal->pending_size ? journal->pending_size * 2 : 16;
        journal->pending =
            mem_grow(journal->pending, journal->pending_size, sizeof *journal->pending);
    }
    journal->last_index++;
    journal->last_term = node->election.term;
    journal->pending[journal->n_pending++] = (struct proposal){
        .index = journal->last_index,
        .term = journal->last_term,
        .seq = outbox_write_entry(&node->out, journal->last_index, journal->last_term, entry),
        .entry = entry,
    };
    return journal->last_index;
}

static void apply(struct node *node, const struct proposal *proposal)
{
    struct job *job = jobs_apply(&node->jobs, proposal->index, proposal->term, proposal->entry);
    node->journal.applied = proposal->index;
    if (proposal->entry->type == MESSAGE_ENTRY_NOOP && proposal->term == node->election.term)
        election_serve(node);
    if (job && job_is_finished(job))
        schedule_job_finished(node, job);
    else if (job)
        schedule_job_accepted(node, job);
    requests_applied(node, proposal->index, job);
}

/* Jobs beyond the retention limit go, with their results on disk. */
static void forget_old_jobs(struct node *node)
{
    struct job *job;
    while ((job = jobs_forget_one(&node->jobs))) {
        struct output *output = outbox_add(&node->out, OUTPUT_DROP);
        output->drop.id.job = job->id;
        output->drop.kept = true;
        job_destroy(&job);
    }
}

void journal_persisted(struct node *node, uint64_t seq)
{
    struct journal *journal = &node->journal;
    size_t durable = 0;
    while (durable < journal->n_pending && journal->pending[durable].seq <= seq)
        durable++;
    if (!durable)
        return;
    /* What is applied may propose more: work on a copy of the part that is durable. */
    struct proposal *ready = mem_new(durable, sizeof *ready);
    memcpy(ready, journal->pending, durable * sizeof *ready);
    memmove(journal->pending, journal->pending + durable,
            (journal->n_pending - durable) * sizeof *ready);
    journal->n_pending -= durable;
    for (size_t i = 0; i < durable; i++) {
        apply(node, &ready[i]);
        message_drop(&ready[i].entry);
    }
    free(ready);
    forget_old_jobs(node);
}

int journal_restore(struct node *node, log_index_t index, term_t term, const struct message *entry)
{
    struct journal *journal = &node->journal;
    if (index != journal->last_index + 1 || term < journal->last_term ||
        term > node->election.term || !jobs_entry_is_valid(entry))
        return ERR_CORRUPT;
    jobs_apply(&node->jobs, index, term, entry);
    journal->last_index = journal->applied = index;
    journal->last_term = term;
    struct job *job;
    while ((job = jobs_forget_one(&node->jobs)))
        job_destroy(&job);
    return OK;
}

log_index_t journal_pending_key(const struct node *node, struct slice key)
{
    for (size_t i = 0; i < node->journal.n_pending; i++) {
        const struct proposal *proposal = &node->journal.pending[i];
        if (proposal->entry->type == MESSAGE_ENTRY_JOB_SUBMITTED &&
            slice_same(proposal->entry->as.entry_job_submitted.key, key))
            return proposal->index;
    }
    return 0;
}

size_t journal_pending_jobs(const struct node *node)
{
    size_t n = 0;
    for (size_t i = 0; i < node->journal.n_pending; i++)
        n += node->journal.pending[i].entry->type == MESSAGE_ENTRY_JOB_SUBMITTED;
    return n;
}

bool journal_pending_end(const struct node *node, job_id_t job)
{
    for (size_t i = 0; i < node->journal.n_pending; i++) {
        const struct message *entry = node->journal.pending[i].entry;
        if ((entry->type == MESSAGE_ENTRY_JOB_DONE && entry->as.entry_job_done.job == job) ||
            (entry->type == MESSAGE_ENTRY_JOB_FAILED && entry->as.entry_job_failed.job == job) ||
            (entry->type == MESSAGE_ENTRY_JOB_CANCELLED &&
             entry->as.entry_job_cancelled.job == job))
            return true;
    }
    return false;
}

void journal_clear(struct node *node)
{
    for (size_t i = 0; i < node->journal.n_pending; i++)
        message_drop(&node->journal.pending[i].entry);
    free(node->journal.pending);
    node->journal = (struct journal){0};
}

void journal_check_invariants(const struct node *node)
{
    const struct journal *journal = &node->journal;
    assert(journal->applied + journal->n_pending == journal->last_index);
    for (size_t i = 0; i < journal->n_pending; i++)
        assert(journal->pending[i].index == journal->applied + i + 1);
}
