/* What a program makes of several parts, which is not done here (programs.h); or the only one. */
#include <string.h>

#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int room(const struct compute_op *op, size_t *room_bytes)
{
    const struct blob *part = op->operands[0].blob;
    if (op->n_operands != 1)
        return ERR_UNSUPPORTED;
    *room_bytes = part ? part->len : 0;
    return part ? OK : ERR_MALFORMED; /* a literal is none */
}

static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop)
{
    const struct blob *part = op->operands[0].blob;
    (void)stop;
    *operations = 1;
    memcpy(out->at, part->at, part->len);
    out->len = part->len;
    return OK;
}

const struct operator_work operator_fold_work = {room, into};
