/* operator_series.h - operators over the terms of a series (integer_series.h). */
#ifndef CONCLAVE_WORK_OPERATOR_SERIES_H
#define CONCLAVE_WORK_OPERATOR_SERIES_H

#include "nodes/work/integer_series.h"
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

/* Defines the operator NAME: a part of a range of terms. Operands: decimals, which say nothing
 * more, from, to. */
#define OPERATOR_OF_TERMS(name, constant, part)                                               \
    static int room(const struct compute_op *op, size_t *room_bytes)                          \
    {                                                                                         \
        const struct compute_operand *operands = op->operands;                                \
        int error = operator_literals(op, 3);                                                 \
        return error ? error                                                                  \
                     : integer_terms_room(constant, operands[1].literal, operands[2].literal, \
                                          room_bytes);                                        \
    }                                                                                         \
    static int into(const struct compute_op *op, struct blob *out, uint64_t *operations,      \
                    stop_flag *stop)                                                          \
    {                                                                                         \
        *operations = 1;                                                                      \
        return integer_terms_into(constant, part, op->operands[1].literal,                    \
                                  op->operands[2].literal, out, stop);                        \
    }                                                                                         \
    const struct operator_work operator_##name##_work = {room, into};

#endif
