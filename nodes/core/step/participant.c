#include "nodes/core/step/participant.h"

void cut_end_ops(struct cut_ops *ops)
{
    if (ops->part)
        ops->writer->add(ops->writer->context, ops->part);
    ops->part = NULL;
}

void cut_add_op(struct cut_ops *ops, struct wire_cut_op op)
{
    if (!ops->part) {
        ops->part = message_new(MESSAGE_CUT_WORK);
        ops->part->as.cut_work.coordinator = ops->coordinator;
        ops->part->as.cut_work.ops.at =
            message_room(ops->part, CUT_ROWS_MAX, sizeof(struct wire_cut_op));
    }
    struct wire_cut_work *work = &ops->part->as.cut_work;
    work->ops.at[work->ops.n++] = op;
    if (work->ops.n == cut_rows(ops->writer, CUT_ROWS_MAX))
        cut_end_ops(ops);
}
