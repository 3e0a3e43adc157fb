/* The worker's part of a snapshot. */
#include "nodes/core/worker/work.h"
#include "shared/base/mutant.h"

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
    const struct message *held = worker->results.message;
    for (size_t i = 0; held && i < held->as.result.ops.n && !MUTANT(held_results_unseen); i++) {
        const struct wire_result_op *result = &held->as.result.ops.at[i];
        cut_add_op(&queued, (struct wire_cut_op){.job = result->job,
                                                 .op = result->op,
                                                 .attempt = result->attempt});
    }
    cut_end_ops(&queued);
    return NULL;
}

const struct participant worker_participant = {
    .name = "worker",
    .count = count,
    .record = record,
};
