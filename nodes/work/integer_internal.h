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
};

/* Writes a * b, a.n + b.n limbs, to a place that overlaps neither; returns its length. */
size_t integer_multiply_two(mp_limb_t *out, struct number a, struct number b);

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

/* Reads a value as GMP's number, without copying it; it needs no mpz_clear(). ERR_MALFORMED,
 * ERR_TOO_BIG. */
int integer_read(const struct blob *value, mpz_t out);

#endif
