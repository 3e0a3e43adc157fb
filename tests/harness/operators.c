#include "tests/harness/operators.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct blob *nothing_at(void *context, struct value_id id)
{
    (void)context, (void)id;
    return NULL;
}

struct compute_operand operand_value(struct blob *blob)
{
    return (struct compute_operand){.kind = OPERAND_BLOB, .blob = blob};
}

struct compute_operand operand_literal(uint64_t number)
{
    return (struct compute_operand){.kind = OPERAND_LITERAL, .literal = number};
}

struct blob *operator_run(enum opcode opcode, size_t n, const struct compute_operand *operands)
{
    struct compute_op op = {.opcode = opcode, .n_operands = n};
    struct computed computed;
    struct blob *out;
    memcpy(op.operands, operands, n * sizeof *operands);
    operation_run(&op, nothing_at, NULL, VALUE_INLINE_MAX_BYTES, &computed, &out);
    assert_true(!computed.error == !!out);
    return out;
}
