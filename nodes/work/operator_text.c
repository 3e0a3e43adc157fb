/* A value as decimal digits. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct blob *value = op->operands[0].blob;
    return value ? integer_text_room(value, room_bytes) : ERR_MALFORMED; /* a literal is none */
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    bool whole = integer_text_into(op->operands[0].blob, out, stop);
    return whole ? OK : ERR_INTERRUPTED;
}

const struct operator_work operator_text_work = {room, into};
