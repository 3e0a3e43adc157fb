/* What clients are told of a job. Declared in schedule.h. */
#include <inttypes.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/schedule.h"

struct job_status schedule_status(const struct schedule *schedule, const struct job *job)
{
    const struct job_schedule *job_schedule = job_schedule_of(schedule, job->id);
    if (job_schedule)
        return (struct job_status){"running", job_schedule->done, job_schedule->executed,
                                   job_schedule->trace, &job_schedule->losses};
    return (struct job_status){job_state_name(job->state), job->done, job->executed, job->trace,
                               &job->losses};
}

bool schedule_keeps(const struct schedule *schedule, job_id_t job)
{
    const struct job_schedule *job_schedule = job_schedule_of(schedule, job);
    return job_schedule && job_schedule->keeps;
}

void schedule_explain(const struct schedule *schedule, const struct job *job, struct text *out)
{
    const struct job_schedule *job_schedule = job_schedule_of(schedule, job->id);
    if (!job_schedule) {
        text_add(
            out,
            "it waits: %zu jobs are running; at most %d do at once, and %d that are not small\n",
            schedule->n_active, ACTIVE_JOBS_MAX, ACTIVE_LARGE_MAX);
        return;
    }
    uint64_t uncut = plan_cuts(&job->plan, job_schedule->level) - job_schedule->next_cut;
    text_add(out, "%s: %" PRIu64 " not yet cut, %" PRIu64 " ready\n",
             plan_is_flat(&job->plan, 1) ? "operations of the flat stage" : "subtrees over leaves",
             uncut, job_schedule->cuts.n);
    text_add(out, "combining operations ready: %" PRIu64 "\n", job_schedule->combine.n);
    if (!schedule_count_workers(schedule))
        text_add(out, "it waits: no worker is alive\n");
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        uint64_t assigned = 0, fetching = 0;
        for (const struct open_op *open = job_schedule->out.first; open; open = open->next) {
            for (unsigned at = 0; at < HOLDERS_MAX; at++)
                assigned += open->assignments[at].node == id;
            fetching += open->node == id && open->state == OP_FETCHING;
        }
        if (assigned || fetching)
            text_add(out, "node %u: %" PRIu64 " assigned, %" PRIu64 " values on their way back\n",
                     id, assigned, fetching);
    }
}
