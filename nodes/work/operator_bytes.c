/* What is in a part, without its length: a job's result. */
#include <string.h>

#include "nodes/work/operator_work.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/slice.h"

static bool open_part(const struct compute_op *op, struct slice *part)
{
    const struct blob *value = op->operands[0].blob;
    struct slice rest = value ? (struct slice){value->at, value->len} : (struct slice){0};
    return bytes_take_part(&rest, part) && !rest.len;
}

static int room(const struct compute_op *op, size_t *room_bytes)
{
    struct slice part;
    if (!open_part(op, &part))
        return ERR_MALFORMED;
    *room_bytes = part.len;
    return OK;
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    struct slice part;
    (void)stop;
    *operations = 1;
    if (!open_part(op, &part))
        return ERR_MALFORMED;
    if (part.len)
        slice_copy(out->at, part);
    out->len = part.len;
    return OK;
}

const struct operator_work operator_bytes_work = {room, into};
