/* integer_internal.h - between the files of integer.h. */
#ifndef CONCLAVE_WORK_INTEGER_INTERNAL_H
#define CONCLAVE_WORK_INTEGER_INTERNAL_H

#include <gmp.h>

#include "nodes/work/stop.h"
#include "shared/base/blob.h"

/* A number without leading zero limbs; zero has one limb. */
struct number {
    const mp_limb_t *at;
    size_t n;
    bool negative; /* never zero */
};

/* Reads a value without copying it (borrows). ERR_MALFORMED, ERR_TOO_BIG. */
int integer_number(const struct blob *value, struct number *out);

/* The same of an operand, which may be a literal: borrows that, too. */
struct integer_operand;
int integer_operand_number(const struct integer_operand *operand, struct number *out);

/* As GMP's number, which needs no mpz_clear(). */
mpz_srcptr integer_view(mpz_t view, struct number number);

/* The limbs of GMP's number (borrows). */
struct number integer_limbs(mpz_srcptr number);

/* How many limbs that is without leading zeros; at least 1. */
size_t integer_trimmed(const mp_limb_t *at, size_t n);

/* The bytes of a value of so many limbs at most, whatever its sign. */
static inline size_t integer_room(size_t limbs)
{
    return limbs * sizeof(mp_limb_t) + 1;
}

/* The limbs of a result stand in the blob: says how many, without leading zeros, and the sign,
 * which zero has not. There is room for that (integer_room()) if it is negative. */
void integer_end(struct blob *out, size_t limbs, bool negative);

/* Writes a whole result. False: it would need more room than there is. */
bool integer_put(struct blob *out, mpz_srcptr number);

/* out = a * b by the fastest way for their size; `out` is neither of them. */
void integer_multiply_numbers(mpz_ptr out, mpz_srcptr a, mpz_srcptr b);

/* Below, GMP's products, or transforms, may be faster than FLINT's. */
#define FLINT_LIMBS 250000 /* of the smaller factor */

/* Writes a * b, a.n + b.n limbs, to a place that overlaps neither; returns its length. */
size_t integer_multiply_two(mp_limb_t *out, struct number a, struct number b);

/* Of divisor and quotient, from which products by transforms make a division faster than GMP's. */
#define DIVIDE_LIMBS 1000

/* Divides a by b, which is not longer and not 0: a.n - b.n + 1 limbs of the quotient, or NULL, and
 * b.n of the rest, to places that overlap nothing. Signs are not looked at. */
void integer_divide(mp_limb_t *quotient, mp_limb_t *rest, struct number a, struct number b);

/* The same of GMP's numbers, rounded towards zero; quotient or rest may be NULL, and either may be
 * a or b. */
void integer_divide_numbers(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr a, mpz_srcptr b);

/* And by a divisor that was prepared of b, for numbers as long as a; NULL: there is none. */
struct divisor;
void integer_divide_by(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr a, mpz_srcptr b,
                       const struct divisor *divisor);

/* out = 5^digits. False: it was stopped. From powers of so many digits on it squares by transforms.
 */
#define POWER_DIGITS 4000
bool integer_power_of_five(mpz_ptr out, uint64_t digits, stop_flag *stop);

/* One level of a tree of products: nodes that lie one after another in `limbs`. */
struct level {
    size_t n;
    uint32_t *lengths; /* of each node, in limbs */
    mp_limb_t *limbs;
};

/* Multiplies by fours until one node is left, and swaps the two levels as it goes. Both have room
 * for all limbs of *level and OPERANDS_MAX more, scratch for twice that. False: it was stopped. */
bool integer_multiply_up(struct level *level, struct level *above, mp_limb_t *scratch,
                         stop_flag *stop);

/* --- integer_series.c --- */

struct series_sum {
    mpz_t p, q, t;
};

#define SERIES_BIT(part) (1u << (part)) /* in a set of parts */

enum series_constant;

void series_begin(struct series_sum *sum);
void series_clear(struct series_sum *sum);

/* The parts that are wanted of terms in from < k <= to; `sum` has just begun. What is wanted of
 * none is left undefined. False: it was stopped. */
bool series_add(enum series_constant constant, unsigned parts, uint64_t from, uint64_t to,
                struct series_sum *sum, stop_flag *stop);

/* The constant times 10^decimals, rounded down, by so many guard decimals, and twice as many again
 * and again while the last decimal is in doubt. False: it was stopped. */
bool series_digits(enum series_constant constant, uint64_t decimals, uint64_t guard, mpz_ptr out,
                   stop_flag *stop);

/* integer_number() and integer_view(). */
int integer_read(const struct blob *value, mpz_t out);

#endif
