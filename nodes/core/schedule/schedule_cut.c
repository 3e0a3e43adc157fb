/* The schedule's part of a snapshot: the jobs in work, and who has what of them. Declared in
 * schedule.h. */
#include <inttypes.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/schedule.h"

static void add_jobs(const struct schedule *schedule, const struct cut_writer *writer)
{
    struct message *part = message_new(MESSAGE_CUT_JOBS);
    struct wire_cut_jobs *jobs = &part->as.cut_jobs;
    jobs->rows.at = message_room(part, ACTIVE_JOBS_MAX, sizeof *jobs->rows.at);
    for (size_t i = 0; i < schedule->n_active; i++) {
        const struct run *run = schedule->active[i];
        const struct job *job = run->job;
        struct wire_cut_job *row = &jobs->rows.at[jobs->rows.n++];
        struct text spec = {0};
        plan_spec(&job->plan, &spec);
        *row = (struct wire_cut_job){.job = job->id,
                                     .spec = message_text(part, spec.at),
                                     .total = job->plan.total,
                                     .done = run->done};
        for (const struct item *item = run->out.first; item; item = item->next) {
            row->assigned += item->state == ITEM_ASSIGNED ? item->operations : 0;
            row->returned += item->state == ITEM_FETCHING ? item->operations : 0;
        }
        row->pending = row->total - row->done - row->assigned - row->returned;
    }
    writer->add(writer->context, part);
}

static void add_assigned(const struct schedule *schedule, struct cut_ops *ops)
{
    for (size_t i = 0; i < schedule->n_active; i++) {
        const struct run *run = schedule->active[i];
        for (struct item *item = run->out.first; item; item = item->next)
            for (size_t at = 0; at < HOLDERS_MAX && item->state == ITEM_ASSIGNED; at++)
                if (item->holds[at].node)
                    cut_add_op(ops, (struct wire_cut_op){.job = run->job->id,
                                                         .op = item->op,
                                                         .attempt = item->holds[at].attempt,
                                                         .node = item->holds[at].node,
                                                         .operations = item->operations});
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
