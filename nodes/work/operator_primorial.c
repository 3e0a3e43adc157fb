/* The primes between two bounds, each once. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    int error = operator_literals(op, 2);
    return error ? error
                 : integer_primorial_room(operands[0].literal, operands[1].literal, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    const struct compute_operand *operands = op->operands;
    *operations = 1;
    bool whole = integer_primorial_into(operands[0].literal, operands[1].literal, out, stop);
    return whole ? OK : ERR_INTERRUPTED;
}

const struct operator_work operator_primorial_work = {room, into};
