/* The root that pi is a multiple of, for so many decimals. */
#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    int error = operator_literals(op, 1);
    return error ? error : integer_pi_sqrt_room(op->operands[0].literal, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    return integer_pi_sqrt_into(op->operands[0].literal, out, stop);
}

const struct operator_work operator_pi_sqrt_work = {room, into};
