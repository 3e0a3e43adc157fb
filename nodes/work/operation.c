#include "nodes/work/operation.h"

#include <string.h>

#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static const struct operator_work *const works[OPCODES] = {
#define X(SYMBOL, name, ...) [OPCODE_##SYMBOL] = &operator_##name##_work,
    OPERATORS(X)
#undef X
};

void operator_integers(const struct compute_op *op, struct integer_operand out[OPERANDS_MAX])
{
    for (size_t i = 0; i < op->n_operands; i++)
        out[i] = (struct integer_operand){op->operands[i].literal, op->operands[i].blob};
}

int operator_literals(const struct compute_op *op, size_t n)
{
    for (size_t i = 0; i < op->n_operands; i++)
        if (op->operands[i].blob)
            return ERR_MALFORMED; /* a value is none */
    return op->n_operands == n ? OK : ERR_RANGE;
}

int operation_bind(struct compute_op *op, operation_lookup *lookup, void *context)
{
    for (size_t i = 0; i < op->n_operands; i++) {
        struct compute_operand *operand = &op->operands[i];
        if (operand->kind == OPERAND_LITERAL)
            operand->blob = NULL;
        else if (operand->kind == OPERAND_VALUE)
            operand->blob = lookup(context, operand->id);
        if (operand->kind != OPERAND_LITERAL && !operand->blob)
            return ERR_NOT_FOUND;
    }
    return OK;
}

int operation_room(const struct compute_op *op, size_t *room_bytes)
{
    *room_bytes = 0;
    if (op->opcode >= OPCODES)
        return ERR_UNSUPPORTED;
    const struct operator_traits *traits = operator_traits(op->opcode);
    if (op->count ? !traits->over_leaves || op->n_operands
                  : op->n_operands < 1 || op->n_operands > traits->operands_max)
        return ERR_UNSUPPORTED;
    return works[op->opcode]->room(op, room_bytes);
}

/* What a program makes may be any bytes; people are shown these. */
static void copy_edge(char *to, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] =
            at[i] == '\t' || at[i] == '\n' || (at[i] >= ' ' && at[i] < 0x7f) ? (char)at[i] : '.';
}

static void describe_text(struct computed *computed, const struct blob *text)
{
    size_t edge = text->len < TEXT_EDGE_DIGITS ? text->len : TEXT_EDGE_DIGITS;
    copy_edge(computed->head, text->at, edge);
    copy_edge(computed->tail, text->at + text->len - edge, edge);
}

bool operation_into(const struct compute_op *op, struct blob *value, uint64_t inline_max,
                    struct computed *out, stop_flag *stop)
{
    bool text = operator_traits(op->opcode)->conversion;
    out->operations = 1;
    int error = works[op->opcode]->into(op, value, &out->operations, stop);
    if (error) {
        out->operations = 0;
        if (error != ERR_INTERRUPTED)
            out->error = operation_error_text(error);
        return false;
    }
    out->len = value->len;
    if (text)
        describe_text(out, value);
    if (text || value->len > inline_max) {
        blob_hash(value, out->hash);
        blob_set_hash(value, out->hash); /* a large one is kept without hashing it again */
    }
    return true;
}

void operation_run(const struct compute_op *op, operation_lookup *lookup, void *context,
                   uint64_t inline_max, struct computed *out, struct blob **value)
{
    struct compute_op bound = *op;
    size_t room_bytes = 0;
    *out = (struct computed){.id = op->id, .attempt = op->attempt, .opcode = op->opcode};
    int error = operation_bind(&bound, lookup, context);
    if (!error)
        error = operation_room(&bound, &room_bytes);
    *value = error ? NULL : blob_new(room_bytes);
    if (error)
        out->error = operation_error_text(error);
    else if (!operation_into(&bound, *value, inline_max, out, NULL))
        blob_drop(value);
}

const char *operation_error_text(int error)
{
    switch (error) {
    case ERR_NOT_FOUND:
        return "an operand is missing";
    case ERR_MALFORMED:
        return "an operand is malformed";
    case ERR_TOO_BIG:
        return "the result would be too large";
    case ERR_RANGE:
        return "the operands are out of range";
    default:
        return "this node cannot execute the operation";
    }
}
