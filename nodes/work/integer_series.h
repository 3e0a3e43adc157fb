/* integer_series.h - pi and e by binary splitting: pure functions from values to values.
 *
 * Of the terms in from < k <= to of a series, where p(k) / q(k) makes the term k of the one before,
 *
 *     P = p(from + 1) ... p(to)    Q = q(from + 1) ... q(to)
 *     T = Q times the sum of a(k) p(from + 1) ... p(k) / (q(from + 1) ... q(k))
 *
 *     pi: p(k) = -(6k - 5)(2k - 1)(6k - 1), q(k) = 640320^3 / 24 k^3, a(k) = 545140134 k + 13591409
 *     e:  p(k) = 1, q(k) = k, a(k) = 1
 *
 * Two neighbouring ranges make one: P = P1 P2, Q = Q1 Q2, T = T1 Q2 + P1 T2; an empty one has
 * P = Q = 1, T = 0. With the terms from k = 1 on, pi = 426880 sqrt(10005) Q / (13591409 Q + T), by
 * Chudnovsky's series, and e = 1 + T / Q, by the sum of 1/k!.
 *
 * Memory beyond operands and result: of a range, some four times its result; of a cross, one more
 * result; of the digits, six numbers of that length; and what GMP and FLINT take for a product or a
 * quotient, some four times as much as goes into it. For the most decimals that is 1.5 GB.
 *
 * All come in two steps, as in integer.h. ..._into(): OK; ERR_INTERRUPTED: `stop` was set;
 * ERR_RANGE: the operands are not what they should be. */
#ifndef CONCLAVE_WORK_INTEGER_SERIES_H
#define CONCLAVE_WORK_INTEGER_SERIES_H

#include "nodes/work/integer.h"

/* Decimals that can be computed: the largest value on the way, pi's Q, has 325 MB then. */
#define SERIES_DECIMALS_MAX UINT64_C(300000000)

/* Decimals that are computed beyond those that were asked for: only when all of them are 9 or all
 * are 0 the others are in doubt, and more are computed. */
#define SERIES_GUARD 19

enum series_constant { SERIES_PI, SERIES_E };
enum series_part { SERIES_P, SERIES_Q, SERIES_T };

/* How many terms, 1 <= k <= that, leave out less than a hundredth of the last of so many decimals:
 * whole-number arithmetic, the same on every machine. */
uint64_t series_terms(enum series_constant constant, uint64_t decimals);

/* ERR_RANGE: not from <= to, or far beyond the terms for SERIES_DECIMALS_MAX. ERR_TOO_BIG: over
 * INTEGER_MAX_BYTES. */
int integer_terms_room(enum series_constant constant, uint64_t from, uint64_t to,
                       size_t *room_bytes);
int integer_terms_into(enum series_constant constant, enum series_part part, uint64_t from,
                       uint64_t to, struct blob *out, stop_flag *stop);

/* a b + c d of four operands a, b, c, d: T1 Q2 + P1 T2. ERR_RANGE: not four. */
int integer_cross_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_cross_into(const struct integer_operand *operands, size_t n, struct blob *out,
                       stop_flag *stop);

/* The square root of 10005, times 10^(decimals + SERIES_GUARD), rounded down. */
int integer_pi_sqrt_room(uint64_t decimals, size_t *room_bytes);
int integer_pi_sqrt_into(uint64_t decimals, struct blob *out, stop_flag *stop);

/* pi, or e, times 10^decimals, rounded down. Operands: Q and T of all terms, for decimals and
 * SERIES_GUARD more; decimals; and for pi the root as above, or else it is made here. When the
 * guard decimals leave the last one in doubt, which for no number of decimals that was tried they
 * do, all is computed again here, with more of them. */
int integer_pi_digits_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_pi_digits_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop);
int integer_e_digits_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
int integer_e_digits_into(const struct integer_operand *operands, size_t n, struct blob *out,
                          stop_flag *stop);

/* A value divided by 10^decimals, as decimal digits with a point, and so many after it; without a
 * point when there are none. Operands: the value, decimals; without these one digit less than it
 * has. */
int integer_decimals_text_room(const struct integer_operand *operands, size_t n,
                               size_t *room_bytes);
int integer_decimals_text_into(const struct integer_operand *operands, size_t n, struct blob *out,
                               stop_flag *stop);

#endif
