#include "nodes/core/schedule/follow.h"

#include "nodes/core/link/link.h"
#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/suspicion.h"

bool follow_fits(const struct job *job)
{
    const struct plan *plan = &job->plan;
    return !plan_tasks(plan) && !plan_shares(plan) && !job->n_inputs &&
           plan_result(plan) <= WHOLE_OPS_MAX && plan_cost(plan) <= WHOLE_BYTES_MAX;
}

bool follow_is_known(const struct schedule *schedule, node_id_t worker)
{
    const struct message *heartbeat = schedule->links->peers[worker].heartbeat;
    return heartbeat && heartbeat->as.heartbeat.entries >= ENTRY_LEVEL_FOLLOWS;
}

/* Its value is here, or is made by what stands in the same message. */
static bool is_at_hand(const struct worker_slot *slot, struct open_op *used, node_id_t worker)
{
    if (!used || used->state == OP_DONE)
        return used && used->value;
    const struct assignment *assignment = assignment_of(used, worker);
    return used->state == OP_ASSIGNED && assignment && assignment->batch == slot->batches;
}

struct open_op *follow_next(struct schedule *schedule, const struct open_op *open, node_id_t worker)
{
    struct job_schedule *job_schedule = open->job_schedule;
    const struct job *job = job_schedule->job;
    const struct worker_slot *slot = &schedule->slots[worker];
    struct plan_operand operands[OPERANDS_MAX];
    if (!job_schedule->small || open->alone || !slot->batch ||
        slot->batch->as.task.ops.n == BATCH_OPS_MAX || !follow_is_known(schedule, worker))
        return NULL;
    op_id_t op = plan_consumer(&job->plan, open->op);
    if (!op)
        return NULL;
    for (size_t i = plan_operands(&job->plan, op, operands); i-- > 0;)
        if (operands[i].op &&
            !is_at_hand(slot, open_op_find(schedule, job->id, operands[i].op), worker))
            return NULL;
    struct open_op *next = open_op_find(schedule, job->id, op);
    if (!next) {
        next = open_op_add(schedule, job_schedule, op);
        next->missing = open_op_count_missing(schedule, next);
    }
    if (next->state != OP_PENDING || next->alone || suspicion_avoids(schedule, next, worker))
        return NULL;
    return next;
}

static bool is_begun(const struct job_schedule *job_schedule)
{
    return job_schedule->attempts > 0;
}

bool follow_whole(const struct schedule *schedule, const struct job_schedule *job_schedule)
{
    size_t waiting = 0, idle = 0;
    if (!job_schedule->small || is_begun(job_schedule))
        return false;
    for (size_t i = 0; i < schedule->n_active; i++)
        waiting += !is_begun(schedule->active[i]) && !schedule->active[i]->failing;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        idle += schedule_is_worker(schedule, id) && !schedule->slots[id].outstanding;
    return waiting > idle;
}
