/* operators.h - single operations in tests, with operands at hand. */
#ifndef CONCLAVE_HARNESS_OPERATORS_H
#define CONCLAVE_HARNESS_OPERATORS_H

#include "nodes/work/operation.h"

/* Operands: a value (borrowed), a small integer. */
struct compute_operand operand_value(struct blob *blob);
struct compute_operand operand_literal(uint64_t number);

/* Executes an operation; caller drops its value. NULL: it cannot be executed, and says why. */
struct blob *operator_run(enum opcode opcode, size_t n, const struct compute_operand *operands);

#define RUN(opcode, ...)                                                                           \
    operator_run(opcode,                                                                           \
                 sizeof((struct compute_operand[]){__VA_ARGS__}) / sizeof(struct compute_operand), \
                 (struct compute_operand[]){__VA_ARGS__})

#endif
