/* integer.h - operators on big integers with GMP and FLINT: pure functions from values to values.
 *
 * A value is a magnitude as little-endian bytes, a multiple of 8 of them and at least 8: on a
 * little-endian machine exactly GMP's limbs, read in place. Leading zero limbs are allowed in
 * operands, absent in results. A negative value has one byte more, of value 1; 0 is never negative.
 * Any other bytes are ERR_MALFORMED.
 *
 * Families of operators have headers of their own: integer_list.h, integer_series.h. */
#ifndef CONCLAVE_WORK_INTEGER_H
#define CONCLAVE_WORK_INTEGER_H

#include "nodes/work/stop.h"
#include "shared/base/blob.h"
#include "shared/base/limits.h"

#define INTEGER_LIMB_BYTES 8

/* GMP and FLINT abort when they run out of memory, so sizes are bounded before they are asked. */
/* Four times the default limit on results. */
#define INTEGER_MAX_BYTES ((uint64_t)512 * MIB_BYTES)
/* A subtree needs at most 64 MiB of scratch memory. */
#define INTEGER_LEAVES_MAX ((uint64_t)1 << 21)

/* A factorial of more has over 800 MB. */
#define INTEGER_PRIMES_MAX ((uint64_t)1 << 28)

/* An operand: a value, or, when `value` is NULL, a small integer. */
struct integer_operand {
    uint64_t literal;
    const struct blob *value; /* borrowed */
};

/* Each in two steps, for a thread that shares no memory allocator with the one that takes the
 * result: the first tells how much room the result needs at most, the second writes it into a blob
 * of that length and sets the length. The second needs the same arguments, found to be good.
 * operation_run() (operation.h) does both. It returns false when `stop` was set before it was done:
 * then there is no result, and the blob's length is as it was.
 *
 * The product of 1..OPERANDS_MAX operands. ERR_RANGE: too few or too many operands; ERR_MALFORMED:
 * an operand is no value; ERR_TOO_BIG: the product could exceed INTEGER_MAX_BYTES. */
int integer_multiply_room(const struct integer_operand *operands, size_t n, size_t *room_bytes);
bool integer_multiply_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop);

/* So many threads compute; before the first of them does. Several take no second one each. */
void integer_threads(size_t threads);

/* Ends the threads that help with large products, and frees what FLINT keeps: by the thread that
 * multiplies, before it ends or when it has nothing to do. */
void integer_give_back(void);

/* The product of the integers first, first-1, ..., `count` of them, by the tree of the plan: level
 * by level, groups of four, a lone node promoted without an operation; a single leaf is one
 * operation of one operand. *operations counts them. ERR_RANGE: a leaf would be below 1, or count
 * is 0 or too large. */
int integer_leaves_room(uint64_t first, uint64_t count, size_t *room_bytes);
bool integer_leaves_into(uint64_t first, uint64_t count, struct blob *out, uint64_t *operations,
                         stop_flag *stop);

/* Of `n`!: the product over the primes in from < p <= to, each to the power with which it divides
 * n!; 1 when there is none. ERR_RANGE: not 1 <= from <= to <= n <= INTEGER_PRIMES_MAX. */
int integer_primes_room(uint64_t n, uint64_t from, uint64_t to, size_t *room_bytes);
bool integer_primes_into(uint64_t n, uint64_t from, uint64_t to, struct blob *out, stop_flag *stop);

/* The product of the primes in from < p <= to; of all these, each to the power with which it
 * divides n! / (k! (n - k)!), which is 0 for k > n. The whole range, 1 to n, of few factors is not
 * sieved, and may have an n above SIEVE_MAX. ERR_RANGE: not 1 <= from <= to <= SIEVE_MAX, or n, if
 * that is not 0. */
int integer_primorial_room(uint64_t from, uint64_t to, size_t *room_bytes);
bool integer_primorial_into(uint64_t from, uint64_t to, struct blob *out, stop_flag *stop);
int integer_binomial_room(uint64_t n, uint64_t k, uint64_t from, uint64_t to, size_t *room_bytes);
bool integer_binomial_into(uint64_t n, uint64_t k, uint64_t from, uint64_t to, struct blob *out,
                           stop_flag *stop);

/* A value as decimal digits (ASCII, not terminated), after "-" when it is negative. ERR_MALFORMED,
 * ERR_TOO_BIG as above. */
int integer_text_room(const struct blob *value, size_t *room_bytes);
bool integer_text_into(const struct blob *value, struct blob *out, stop_flag *stop);

#endif
