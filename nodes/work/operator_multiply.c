/* The product of 1 to 4 operands, or of a whole subtree over leaves. */
#include "nodes/work/operator_work.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    if (operator_is_signed(op))
        return operator_signed_room(op, room_bytes);
    operator_integers(op, operands);
    return op->count ? integer_leaves_room(op->first, op->count, room_bytes)
                     : integer_multiply_room(operands, op->n_operands, room_bytes);
}

static bool into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                 stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    if (operator_is_signed(op))
        return operator_signed_into(op, out, stop);
    operator_integers(op, operands);
    return op->count ? integer_leaves_into(op->first, op->count, out, operations, stop)
                     : integer_multiply_into(operands, op->n_operands, out, stop);
}

const struct operator_work operator_multiply_work = {room, into};
