/* The product of all integers of a list. */
#include "nodes/work/integer_list.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct blob *list = op->operands[0].blob;
    return list ? integer_product_room(list, room_bytes) : ERR_MALFORMED; /* a literal is none */
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    *operations = 1;
    return integer_product_into(op->operands[0].blob, out, stop);
}

const struct operator_work operator_product_of_work = {room, into};
