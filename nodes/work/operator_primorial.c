/* The primes between two bounds, each once. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    for (size_t i = 0; i < op->n_operands; i++)
        if (operands[i].blob)
            return ERR_MALFORMED; /* a value is none */
    if (op->n_operands != 2)
        return ERR_RANGE;
    return integer_primorial_room(operands[0].literal, operands[1].literal, room_bytes);
}

static bool into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                 stop_flag *stop)
{
    const struct compute_operand *operands = op->operands;
    *operations = 1;
    return integer_primorial_into(operands[0].literal, operands[1].literal, out, stop);
}

const struct operator_work operator_primorial_work = {room, into};
