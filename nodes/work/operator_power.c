/* A power of five. */
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    int error = operator_literals(op, 1);
    return error ? error : integer_power_room(op->operands[0].literal, room_bytes);
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    return integer_power_into(op->operands[0].literal, out, stop);
}

const struct operator_work operator_power_work = {room, into};
