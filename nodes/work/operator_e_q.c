/* Q of a range of terms of e's series: decimals, which say nothing more, from, to. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    int error = operator_literals(op, 3);
    return error
               ? error
               : integer_terms_room(SERIES_E, operands[1].literal, operands[2].literal, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    return integer_terms_into(SERIES_E, SERIES_Q, op->operands[1].literal, op->operands[2].literal,
                              out, stop);
}

const struct operator_work operator_e_q_work = {room, into};
