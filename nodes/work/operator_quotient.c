/* The higher of two parts of a number. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    return integer_quotient_room(operands, op->n_operands, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    *operations = 1;
    return integer_quotient_into(operands, op->n_operands, out, stop);
}

const struct operator_work operator_quotient_work = {room, into};
