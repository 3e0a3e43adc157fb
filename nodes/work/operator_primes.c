/* The primes between two bounds, each to the power with which it divides N!. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    for (size_t i = 0; i < op->n_operands; i++)
        if (operands[i].blob)
            return ERR_MALFORMED; /* a value is none */
    return op->n_operands == 3 ? integer_primes_room(operands[0].literal, operands[1].literal,
                                                     operands[2].literal, room_bytes)
                               : ERR_RANGE;
}

static bool into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                 stop_flag *stop)
{
    *operations = 1;
    return integer_primes_into(op->operands[0].literal, op->operands[1].literal,
                               op->operands[2].literal, out, stop);
}

const struct operator_work operator_primes_work = {room, into};
