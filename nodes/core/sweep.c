#include "nodes/core/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/snapshot.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

/* A value that an entry behind the full checkpoint on disk names. */
struct logged {
    log_index_t index; /* the last such entry */
    uint64_t bytes;
};

/* Snapshots have no term in their numbers, jobs always have one. */
static bool is_snapshot(struct value_id id)
{
    return !(id.job >> JOB_INDEX_BITS);
}

/* True when the log says that what used the value is done. */
static bool is_covered(const struct job *job, op_id_t op)
{
    if (op > job->plan.total)
        return false;
    while (job->frontier.count && (op = plan_consumer(&job->plan, op)))
        if (map_get(&job->frontier, (struct map_key){op, 0}))
            return true;
    return false;
}

bool sweep_names(const struct node *node, struct value_id id)
{
    if (is_snapshot(id))
        return snapshot_names(node, id);
    const struct job *job = jobs_find(&node->jobs, id.job);
    if (!job) /* forgotten, or of an entry that was cut off; or one that is not applied yet */
        return (id.job & LOG_INDEX_MAX) > node->journal.applied;
    if (job_is_finished(job) || MUTANT(value_collected_too_early))
        return job_needs(job, id.op);
    return job_needs(job, id.op) || !is_covered(job, id.op);
}

/* --- what the log names --- */

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

bool sweep_keeps(const struct node *node, struct value_id id)
{
    const struct logged *logged = map_get(&node->sweep.logged, key_of(id));
    bool in_log = logged && logged->index > node->journal.saved && !MUTANT(log_not_kept);
    return in_log || sweep_names(node, id);
}

/* Returns what this entry adds: what it was noted for already counts once. */
static uint64_t note(struct node *node, log_index_t index, struct value_id id, uint64_t bytes)
{
    struct logged *logged = map_get(&node->sweep.logged, key_of(id));
    if (!logged) {
        logged = mem_new(1, sizeof *logged);
        map_put(&node->sweep.logged, key_of(id), logged);
    }
    /* An entry that was cut off may have been noted: what it named stays a little longer. */
    uint64_t more = logged->index < index ? bytes : 0;
    if (more)
        logged->index = index;
    logged->bytes = bytes;
    return more;
}

uint64_t sweep_note(struct node *node, log_index_t index, const struct message *entry)
{
    uint64_t bytes = 0;
    if (entry->type != MESSAGE_ENTRY_OPS_DONE && entry->type != MESSAGE_ENTRY_JOB_DONE)
        return 0;
    const struct wire_done *done = &entry->as.done;
    for (size_t i = 0; i < done->ops.n; i++) {
        const struct wire_done_op *op = &done->ops.at[i];
        if (!op->len || op->frame)
            continue;
        bytes += note(node, index, (struct value_id){done->job, op->op}, op->len);
    }
    return bytes;
}

static void forget(struct node *node, struct value_id *ids, size_t n)
{
    if (!n)
        return;
    struct output *output = outbox_add(&node->out, OUTPUT_FORGET);
    output->forget.ids = ids;
    output->forget.n = n;
}

void sweep_saved(struct node *node)
{
    struct map *map = &node->sweep.logged;
    struct map_key *covered = mem_new(map->count + 1, sizeof *covered), key;
    const struct logged *logged;
    size_t n = 0, n_useless = 0;
    for (size_t at = 0; (logged = map_next(map, &at, &key));)
        if (logged->index <= node->journal.saved)
            covered[n++] = key;
    struct value_id *useless = n ? arena_new(&node->out.arena, n * sizeof *useless) : NULL;
    for (size_t i = 0; i < n; i++) {
        struct value_id id = {covered[i].a, covered[i].b};
        free(map_remove(map, covered[i]));
        if (!sweep_names(node, id) && !MUTANT(values_never_collected))
            useless[n_useless++] = id;
    }
    forget(node, useless, n_useless);
    free(covered);
}

uint64_t sweep_held_bytes(const struct node *node)
{
    const struct logged *logged;
    struct map_key key;
    uint64_t bytes = 0;
    for (size_t at = 0; (logged = map_next(&node->sweep.logged, &at, &key));)
        if (!sweep_names(node, (struct value_id){key.a, key.b}))
            bytes += logged->bytes;
    return bytes;
}

void sweep_clear(struct node *node)
{
    struct logged *logged;
    for (size_t at = 0; (logged = map_next(&node->sweep.logged, &at, NULL));)
        free(logged);
    map_clear(&node->sweep.logged);
}

/* --- sweeping --- */

void sweep_all(struct node *node)
{
    node->sweep.all = true;
}

void sweep_job(struct node *node, job_id_t job)
{
    struct sweep *sweep = &node->sweep;
    if (sweep->n_jobs == SWEEP_JOBS_MAX) {
        sweep->all = true;
        return;
    }
    sweep->jobs[sweep->n_jobs++] = job;
}

static void list(struct node *node)
{
    struct sweep *sweep = &node->sweep;
    sweep->asked_us = node->now_us;
    struct output *output = outbox_add(&node->out, OUTPUT_LIST);
    output->list.job = sweep->job;
    output->list.after = sweep->after;
}

void sweep_listed(struct node *node, const struct value_id *ids, size_t n, bool end)
{
    struct sweep *sweep = &node->sweep;
    struct value_id *useless = n ? arena_new(&node->out.arena, n * sizeof *useless) : NULL;
    size_t n_useless = 0;
    for (size_t i = 0; i < n; i++)
        if (!sweep_keeps(node, ids[i]) && !MUTANT(values_never_collected))
            useless[n_useless++] = ids[i];
    forget(node, useless, n_useless);
    sweep->listing = !end && n;
    if (!sweep->listing)
        return;
    sweep->after = ids[n - 1];
    list(node);
}

uint64_t sweep_every_us(const struct node *node)
{
    return node->config.sweep_every_us ? node->config.sweep_every_us : SWEEP_EVERY_US;
}

void sweep_pump(struct node *node)
{
    struct sweep *sweep = &node->sweep;
    if (sweep->listing && node->now_us < sweep->asked_us + VALUE_WAIT_US)
        return;
    if (node->now_us >= sweep->next_us) {
        sweep->next_us = node->now_us + sweep_every_us(node);
        sweep->all = true;
    }
    if (!sweep->all && !sweep->n_jobs)
        return;
    sweep->job = sweep->all ? JOB_NONE : sweep->jobs[0];
    sweep->after = (struct value_id){sweep->job, 0};
    if (sweep->all) { /* what a job would sweep is among it */
        sweep->all = false;
        sweep->n_jobs = 0;
    } else {
        memmove(sweep->jobs, sweep->jobs + 1, --sweep->n_jobs * sizeof *sweep->jobs);
    }
    sweep->listing = true;
    list(node);
}
