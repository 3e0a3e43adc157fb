/* operator_work.h - what an operator computes: between operation.c and the files of the operators.
 *
 * For each row of OPERATORS (nodes/core/kinds/operators.h) there is a file operator_NAME.c, which
 * defines `const struct operator_work operator_NAME_work`. */
#ifndef CONCLAVE_WORK_OPERATOR_WORK_H
#define CONCLAVE_WORK_OPERATOR_WORK_H

#include "nodes/core/node.h"
#include "nodes/work/integer.h"

/* All operands are bound; there are 1 to operands_max, or (count > 0) a subtree over leaves and
 * none. */
struct operator_work {
    /* How much room the result takes at most. ERR_RANGE, ERR_MALFORMED, ERR_TOO_BIG. */
    int (*room)(const struct compute_op *op, size_t *room_bytes);

    /* Writes the result into a blob of that length, sets its length, and counts the operations.
     * ERR_INTERRUPTED: `stop` was set before it was done. What can take long looks at it now and
     * then. ERR_RANGE, ERR_MALFORMED, ERR_TOO_BIG: what room() had no time to look at, because the
     * event loop calls it, such as all items of a list. */
    int (*into)(const struct compute_op *op, struct blob *out, uint64_t *operations,
                stop_flag *stop);
};

#define X(SYMBOL, name, ...) extern const struct operator_work operator_##name##_work;
OPERATORS(X)
#undef X

/* ERR_RANGE, ERR_MALFORMED: they are not `n` literals. */
int operator_literals(const struct compute_op *op, size_t n);

/* The operands as integers. */
void operator_integers(const struct compute_op *op, struct integer_operand out[OPERANDS_MAX]);

/* Defines the operator NAME, whose result is that of integer_NAME_room() and integer_NAME_into():
 * they get all operands as integers. */
#define OPERATOR_OF_INTEGERS(name)                                                       \
    static int room(const struct compute_op *op, size_t *room_bytes)                     \
    {                                                                                    \
        struct integer_operand operands[OPERANDS_MAX];                                   \
        operator_integers(op, operands);                                                 \
        return integer_##name##_room(operands, op->n_operands, room_bytes);              \
    }                                                                                    \
    static int into(const struct compute_op *op, struct blob *out, uint64_t *operations, \
                    stop_flag *stop)                                                     \
    {                                                                                    \
        struct integer_operand operands[OPERANDS_MAX];                                   \
        operator_integers(op, operands);                                                 \
        *operations = 1;                                                                 \
        return integer_##name##_into(operands, op->n_operands, out, stop);               \
    }                                                                                    \
    const struct operator_work operator_##name##_work = {room, into};

#endif
