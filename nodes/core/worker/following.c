#include "nodes/core/worker/following.h"

static bool awaits(const struct work *work, size_t i, struct value_id id)
{
    return work->waits[i].follows && value_id_same(work->op.operands[i].id, id);
}

void following_strand(struct worker *worker, struct value_id id)
{
    for (struct work *work = worker->first; work && worker->followers; work = work->next)
        for (size_t i = 0; i < work->op.n_operands; i++)
            if (awaits(work, i, id)) {
                work->stranded = id.op;
                worker->stranded = true;
            }
}

void following_supply(struct worker *worker, const struct computed *computed)
{
    if (computed->error) {
        following_strand(worker, computed->id);
        return;
    }
    for (struct work *work = worker->first; work && worker->followers; work = work->next)
        for (size_t i = 0; i < work->op.n_operands; i++) {
            if (!awaits(work, i, computed->id))
                continue;
            work->waits[i].follows = false;
            work->follows--;
            if (!computed->value)
                continue;
            work->op.operands[i].kind = OPERAND_BLOB;
            work->op.operands[i].blob = blob_ref(computed->value);
        }
}

void following_return(struct worker *worker)
{
    /* Those behind one in the queue may follow it in turn. */
    struct work *previous = NULL, *next;
    bool any = worker->stranded;
    worker->stranded = false;
    for (struct work *work = worker->first; work && any; work = next) {
        next = work->next;
        if (!work->stranded) {
            previous = work;
            continue;
        }
        work_refuse(worker, work->coordinator, &work->op, "what makes an operand was not executed",
                    true, work->stranded);
        work_remove(worker, previous, work);
    }
}

op_id_t following_lacks(const struct worker *worker, const struct work *work)
{
    for (size_t i = 0; i < work->op.n_operands; i++) {
        const struct work *before = worker->first;
        while (work->waits[i].follows && before &&
               !value_id_same(before->op.id, work->op.operands[i].id))
            before = before->next;
        if (work->waits[i].follows && !before)
            return work->op.operands[i].id.op;
    }
    return 0;
}
