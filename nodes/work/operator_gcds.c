/* The integers of a segment that share a factor with any other of all. */
#include "nodes/work/integer_gcd.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct integer_operand operands[OPERANDS_MAX];
    if (op->n_operands != 2)
        return ERR_RANGE;
    if (!op->operands[1].blob)
        return ERR_MALFORMED; /* a literal is no segment */
    operator_integers(op, operands);
    return integer_gcds_room(&operands[0], op->operands[1].blob, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct integer_operand operands[OPERANDS_MAX];
    operator_integers(op, operands);
    *operations = 1;
    return integer_gcds_into(&operands[0], op->operands[1].blob, out, stop);
}

const struct operator_work operator_gcds_work = {room, into};
