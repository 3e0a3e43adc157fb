/* operators.h - what one operation does: one table.
 *
 * An operator is a row of OPERATORS here and a file nodes/work/operator_NAME.c, which computes
 * (see nodes/work/operation.h). Whoever handles operations asks the table and knows
 * none by name. */
#ifndef CONCLAVE_CORE_OPERATORS_H
#define CONCLAVE_CORE_OPERATORS_H

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/base/types.h"

/* X(SYMBOL, name, fields of struct operator_traits); the order is of no importance: on wires and
 * disks stand names.
 *
 * product_of(segment): the product of its integers. remainder(a, b): a mod b^2. gcds(r, segment): r
 * is all numbers' product, modulo the square of that of the segment; rows of its integers that
 * share a factor. gather(rows...): in order. report(rows, integers, known integers): the text.
 * pi_p, pi_q, pi_t, e_q, e_t(decimals, from, to): of the terms in from < k <= to of a series, where
 * an empty range gives P = Q = 1 and T = 0, and the term 0 is left to the digits; cross(T1, Q2, P1,
 * T2): T1*Q2 + P1*T2, where an operand may be a small integer; pi_digits(Q, T, decimals), e_digits
 * likewise: the constant times 10^decimals, rounded down; pi_sqrt(decimals): what may be the fourth
 * operand of pi_digits, which else makes it itself; decimals_text(x): its digits, with a point
 * after the first; or (x, decimals), with so many digits after it. fold(parts...): what a user's
 * program makes of two to four parts; of one, that; bytes(part): what is in it. A part is its
 * length and its bytes (shared/base/bytes.h), so that an empty one is a value, too.
 *
 * Conversion in pieces (pieces.h): quotient(x, d): x / 10^d, rounded down; rest(x, q, d):
 * x - q * 10^d; piece(x, d): d decimal digits, with zeros before them; join(pieces...): in order;
 * joined(pieces...): the same, as the text of a result. */
#define OPERATORS(X)                                                                             \
    X(MULTIPLY, multiply, .sign = "*", .operands_max = OPERANDS_MAX, .over_leaves = true,        \
      .logs = 1)                                                                                 \
    X(PRIMES, primes, .sign = " ", .operands_max = 3, .logs = 1)                                 \
    X(PRIMORIAL, primorial, .sign = " ", .operands_max = 2, .logs = 1)                           \
    X(BINOMIAL, binomial, .sign = " ", .operands_max = 4, .logs = 1)                             \
    X(TEXT, text, .label = "the conversion to text", .operands_max = 1, .conversion = true,      \
      .logs = 2)                                                                                 \
    X(PRODUCT_OF, product_of, .operands_max = 1, .logs = 2)                                      \
    X(REMAINDER, remainder, .sign = " mod the square of ", .operands_max = 2, .logs = 2)         \
    X(GCDS, gcds, .sign = " ", .operands_max = 2, .logs = 2)                                     \
    X(GATHER, gather, .sign = " ", .operands_max = OPERANDS_MAX, .logs = 0)                      \
    X(REPORT, report, .label = "the report", .sign = " ", .operands_max = 3, .conversion = true, \
      .logs = 1)                                                                                 \
    X(PI_P, pi_p, .sign = " ", .operands_max = 3, .logs = 2)                                     \
    X(PI_Q, pi_q, .sign = " ", .operands_max = 3, .logs = 2)                                     \
    X(PI_T, pi_t, .sign = " ", .operands_max = 3, .logs = 2)                                     \
    X(E_Q, e_q, .sign = " ", .operands_max = 3, .logs = 2)                                       \
    X(E_T, e_t, .sign = " ", .operands_max = 3, .logs = 2)                                       \
    X(CROSS, cross, .sign = " ", .operands_max = 4, .logs = 1)                                   \
    X(PI_SQRT, pi_sqrt, .operands_max = 1, .logs = 1)                                            \
    X(PI_DIGITS, pi_digits, .sign = " ", .operands_max = 4, .logs = 2)                           \
    X(E_DIGITS, e_digits, .sign = " ", .operands_max = 3, .logs = 2)                             \
    X(DECIMALS_TEXT, decimals_text, .label = "the conversion to text", .sign = " ",              \
      .operands_max = 2, .conversion = true, .logs = 2)                                          \
    X(QUOTIENT, quotient, .sign = " ", .operands_max = 2, .converts = true, .logs = 2)           \
    X(REST, rest, .sign = " ", .operands_max = 3, .converts = true, .logs = 2)                   \
    X(PIECE, piece, .sign = " ", .operands_max = 2, .converts = true, .logs = 2)                 \
    X(JOIN, join, .sign = " ", .operands_max = OPERANDS_MAX, .converts = true, .logs = 0)        \
    X(JOINED, joined, .label = "the conversion to text", .sign = " ",                            \
      .operands_max = OPERANDS_MAX, .conversion = true, .logs = 0)                               \
    X(FOLD, fold, .sign = " ", .operands_max = OPERANDS_MAX, .program = true, .logs = 0)         \
    X(BYTES, bytes, .label = "the result", .operands_max = 1, .conversion = true, .logs = 0)

enum opcode {
#define X(SYMBOL, name, ...) OPCODE_##SYMBOL,
    OPERATORS(X)
#undef X
        OPCODES
};

struct operator_traits {
    const char *name;    /* in messages and traces */
    const char *label;   /* in lines for people, in place of "R17"; NULL: that */
    const char *sign;    /* between operands in lines for people; NULL: there is one operand */
    size_t operands_max; /* 1..OPERANDS_MAX */
    bool over_leaves;    /* it may be handed out as a whole subtree over leaves */
    bool conversion;     /* makes a text for people: counted as a conversion, not as an operation of
                            the job, and its result tells the text's ends and always a hash */
    bool converts;       /* it is a part of a conversion, and an operation of the job: its time is
                            that of the conversion */
    bool program;        /* of several operands: the job's last input, a program, executes it; its
                            result tells always a hash */
    unsigned logs;       /* n bytes cost about n * log(n)^logs; a quotient, which is several
                            products, counts as if it grew like a conversion */
};

/* Never NULL for an opcode below OPCODES. */
const struct operator_traits *operator_traits(enum opcode opcode);

/* The operator of that name; false when there is none. */
bool operator_find(struct slice name, enum opcode *out);

/* What an operation of so many bytes of operands costs: only the growth matters, constants are
 * measured. */
uint64_t operator_cost(enum opcode opcode, uint64_t bytes);

#endif
