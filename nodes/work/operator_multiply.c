/* The product of 1 to 4 operands, or of a whole subtree over leaves. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    return op->count ? integer_leaves_room(op->first, op->count, room_bytes)
                     : integer_multiply_room(operands, op->n_operands, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    bool whole = op->count ? integer_leaves_into(op->first, op->count, out, operations, stop)
                           : integer_multiply_into(operands, op->n_operands, out, stop);
    return whole ? OK : ERR_INTERRUPTED;
}

const struct operator_work operator_multiply_work = {room, into};
