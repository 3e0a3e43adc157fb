#include "nodes/core/worker/work.h"

#include <string.h>

static bool read_operand(const struct worker *worker, const struct message *message,
                         const struct wire_task_op *task, const struct wire_operand *operand,
                         struct work *work)
{
    size_t i = work->op.n_operands++;
    struct compute_operand *out = &work->op.operands[i];
    /* A segment of a stored value is named by that value. */
    out->id = (struct value_id){operand->value ? operand->value : task->job, operand->op};
    if (!operand->op) {
        out->kind = OPERAND_LITERAL;
        out->literal = operand->literal;
        return true;
    }
    if (operand->frame) {
        out->kind = OPERAND_BLOB;
        out->blob = blob_ref(message_frame(message, operand->frame));
        return out->blob != NULL;
    }
    out->kind = OPERAND_VALUE;
    if (operand->follows) {
        work->waits[i].follows = work->follower = true;
        work->follows++;
        return !operand->value;
    }
    work->waits[i].stays = operand->stays;
    if (held_find(&worker->held, out->id))
        return true;
    if (operand->hash.len != HASH_BYTES || !operand->len ||
        !step_is_peer(worker->step, operand->source))
        return false;
    work->waits[i] = (struct wait){.missing = true,
                                   .stays = operand->stays,
                                   .source = (node_id_t)operand->source,
                                   .len = operand->len};
    memcpy(work->waits[i].hash, operand->hash.at, HASH_BYTES);
    work->missing++;
    return true;
}

bool work_read(const struct worker *worker, const struct message *message,
               const struct wire_task_op *task, struct work *work)
{
    work->op.id = (struct value_id){task->job, task->op};
    work->op.attempt = task->attempt;
    work->op.first = task->first;
    work->op.count = task->count;
    if (!operator_find(task->opcode, &work->op.opcode))
        return false;
    const struct operator_traits *traits = operator_traits(work->op.opcode);
    if (task->count)
        return traits->over_leaves && !task->operands.n && task->first >= task->count &&
               task->count <= SUBTREE_LEAVES_MAX;
    if (!task->operands.n || task->operands.n > traits->operands_max)
        return false;
    for (size_t i = 0; i < task->operands.n; i++)
        if (!read_operand(worker, message, task, &task->operands.at[i], work))
            return false;
    if (!traits->program || task->operands.n == 1)
        return true;
    return task->program.n == 1 && task->program.at[0].op &&
           read_operand(worker, message, task, &task->program.at[0], work);
}

uint64_t work_room(const struct worker *worker)
{
    const struct slots_use *use = &worker->step->slots;
    uint64_t slots = step_operation_slots(worker->step), others = use->tasks;
    if (!step_shares_slots(worker->step) || (!use->tasks && !use->tasks_wait))
        return slots > 1 ? slots : COMPUTE_IN_FLIGHT;
    if (!use->operations_next)
        others += use->tasks_wait;
    return others < slots ? slots - others : 0;
}

void work_note_slots(struct worker *worker)
{
    uint64_t slots = step_operation_slots(worker->step);
    worker->step->slots.operations = worker->n_submitted < slots ? worker->n_submitted : slots;
}

bool work_uses(const struct worker *worker, struct value_id id)
{
    for (const struct work *work = worker->first; work; work = work->next)
        for (size_t i = 0; i < work->op.n_operands; i++)
            if (work->op.operands[i].kind == OPERAND_VALUE &&
                value_id_same(work->op.operands[i].id, id))
                return true;
    return false;
}
