#include "tests/harness/folding.h"

#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"

static bool open_part(const struct blob *blob, struct slice *part)
{
    struct slice rest = blob ? (struct slice){blob->at, blob->len} : (struct slice){0};
    return bytes_take_part(&rest, part) && !rest.len;
}

/* The last operand is the program. */
static struct blob *append(const struct compute_op *op)
{
    size_t len = 0;
    struct slice part;
    for (size_t i = 0; i + 1 < op->n_operands; i++) {
        if (!open_part(op->operands[i].blob, &part))
            return NULL;
        len += part.len;
    }
    struct blob *value = blob_new(BYTES_LENGTH + len);
    uint8_t *at = value->at + BYTES_LENGTH;
    bytes_put_length(value->at, len);
    for (size_t i = 0; i + 1 < op->n_operands; i++) {
        open_part(op->operands[i].blob, &part);
        if (part.len)
            memcpy(at, part.at, part.len);
        at += part.len;
    }
    return value;
}

void folding_run(const struct compute_op *op, operation_lookup *lookup, void *context,
                 uint64_t inline_max, struct computed *out, struct blob **value)
{
    struct compute_op bound = *op;
    if (!operator_traits(op->opcode)->program || op->n_operands < 2) {
        operation_run(op, lookup, context, inline_max, out, value);
        return;
    }
    *out = (struct computed){.id = op->id, .attempt = op->attempt, .opcode = op->opcode};
    bool there = !operation_bind(&bound, lookup, context);
    *value = there ? append(&bound) : NULL;
    if (!*value) {
        out->error = operation_error_text(there ? ERR_MALFORMED : ERR_NOT_FOUND);
        return;
    }
    out->operations = 1;
    out->len = (*value)->len;
    hash_bytes((*value)->at, (*value)->len, out->hash);
}
