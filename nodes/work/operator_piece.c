/* So many decimal digits of a text. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    return integer_piece_room(operands, op->n_operands, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    *operations = 1;
    return integer_piece_into(operands, op->n_operands, out, stop);
}

const struct operator_work operator_piece_work = {room, into};
