/* Some pieces of a text. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    return integer_join_room(operands, op->n_operands, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    *operations = 1;
    (void)stop; /* it copies */
    integer_join_into(operands, op->n_operands, false, out);
    return OK;
}

const struct operator_work operator_join_work = {room, into};
