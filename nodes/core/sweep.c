#include "nodes/core/sweep.h"

#include <string.h>

#include "nodes/core/snapshot.h"
#include "shared/base/mutant.h"

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
        if (!sweep_names(node, ids[i]) && !MUTANT(values_never_collected))
            useless[n_useless++] = ids[i];
    if (n_useless) {
        struct output *output = outbox_add(&node->out, OUTPUT_FORGET);
        output->forget.ids = useless;
        output->forget.n = n_useless;
    }
    sweep->listing = !end && n;
    if (!sweep->listing)
        return;
    sweep->after = ids[n - 1];
    list(node);
}

void sweep_pump(struct node *node)
{
    struct sweep *sweep = &node->sweep;
    if (sweep->listing && node->now_us < sweep->asked_us + VALUE_WAIT_US)
        return;
    if (node->now_us >= sweep->next_us) {
        uint64_t every_us = node->config.sweep_every_us;
        sweep->next_us = node->now_us + (every_us ? every_us : SWEEP_EVERY_US);
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
