/* The primes between two bounds, each to the power with which it divides N!. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    int error = operator_literals(op, 3);
    return error ? error
                 : integer_primes_room(operands[0].literal, operands[1].literal,
                                       operands[2].literal, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    bool whole = integer_primes_into(op->operands[0].literal, op->operands[1].literal,
                                     op->operands[2].literal, out, stop);
    return whole ? OK : ERR_INTERRUPTED;
}

const struct operator_work operator_primes_work = {room, into};
