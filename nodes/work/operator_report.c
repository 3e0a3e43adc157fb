/* With whom integers share factors, as a text: of rows, own integers, known integers. */
#include "nodes/work/integer_gcd.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    if (op->n_operands != 3)
        return ERR_RANGE;
    if (!operands[0].blob || operands[1].blob || operands[2].blob)
        return ERR_MALFORMED;
    return integer_report_room(operands[0].blob, operands[1].literal, operands[2].literal,
                               room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    const struct compute_operand *operands = op->operands;
    *operations = 1;
    return integer_report_into(operands[0].blob, operands[1].literal, operands[2].literal, out,
                               stop);
}

const struct operator_work operator_report_work = {room, into};
