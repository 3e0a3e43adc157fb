/* The schedule's part of a snapshot: the jobs in work, and who has what of them. Declared in
 * schedule.h. */
#include <inttypes.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/schedule.h"

static void add_job(const struct job_schedule *job_schedule, struct message *part)
{
    struct wire_cut_jobs *jobs = &part->as.cut_jobs;
    const struct job *job = job_schedule->job;
    struct wire_cut_job *row = &jobs->rows.at[jobs->rows.n++];
    struct text spec = {0};
    plan_spec(&job->plan, &spec);
    *row = (struct wire_cut_job){.job = job->id,
                                 .spec = message_text(part, spec.at),
                                 .total = job->plan.total,
                                 .done = job_schedule->done - job_schedule->again};
    for (const struct open_op *open = job_schedule->out.first; open; open = open->next) {
        row->assigned += open->state == OP_ASSIGNED ? open->operations : 0;
        row->returned += open->state == OP_FETCHING ? open->operations : 0;
    }
    row->pending = row->total - row->done - row->assigned - row->returned;
}

/* One part at least: it says that this node coordinates. */
static void add_jobs(const struct schedule *schedule, const struct cut_writer *writer)
{
    size_t i = 0, most = cut_rows(writer, CUT_JOBS_MAX);
    do {
        struct message *part = message_new(MESSAGE_CUT_JOBS);
        part->as.cut_jobs.rows.at = message_room(part, most, sizeof *part->as.cut_jobs.rows.at);
        while (i < schedule->n_active && part->as.cut_jobs.rows.n < most)
            add_job(schedule->active[i++], part);
        writer->add(writer->context, part);
    } while (i < schedule->n_active);
}

static void add_assigned(const struct schedule *schedule, struct cut_ops *ops)
{
    for (size_t i = 0; i < schedule->n_active; i++) {
        const struct job_schedule *job_schedule = schedule->active[i];
        for (struct open_op *open = job_schedule->out.first; open; open = open->next)
            for (size_t at = 0; at < HOLDERS_MAX && open->state == OP_ASSIGNED; at++)
                if (open->assignments[at].node)
                    cut_add_op(ops, (struct wire_cut_op){.job = job_schedule->job->id,
                                                         .op = open->op,
                                                         .attempt = open->assignments[at].attempt,
                                                         .node = open->assignments[at].node,
                                                         .operations = open->operations});
    }
}

static void *record(void *room, const struct cut_writer *writer)
{
    const struct schedule *schedule = room;
    struct cut_ops assigned = {.writer = writer, .coordinator = true};
    add_jobs(schedule, writer);
    add_assigned(schedule, &assigned);
    cut_end_ops(&assigned);
    return NULL;
}

const struct participant schedule_participant = {
    .name = "schedule",
    .coordinators = true,
    .record = record,
};
