/* The worker's part of a snapshot. */
#include "nodes/core/worker/work.h"

static void count(const void *room, struct wire_cut_state *head)
{
    const struct worker *worker = room;
    head->operations = worker->operations;
    head->conversions = worker->conversions;
    head->held = worker->held.map.count;
}

static void *record(void *room, const struct cut_writer *writer)
{
    const struct worker *worker = room;
    struct cut_ops queued = {.writer = writer};
    for (const struct work *work = worker->first; work; work = work->next)
        cut_add_op(&queued, (struct wire_cut_op){.job = work->op.id.job,
                                                 .op = work->op.id.op,
                                                 .attempt = work->op.attempt});
    cut_end_ops(&queued);
    return NULL;
}

const struct participant worker_participant = {
    .name = "worker",
    .count = count,
    .record = record,
};
