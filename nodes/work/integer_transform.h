/* integer_transform.h - products of integers by FFTW's transforms.
 *
 * An integer is a polynomial of 16-bit digits, which are taken as -2^15 .. 2^15 - 1, at 2^16; a
 * product is a cyclic convolution of real numbers. Its sums are rounded to integers, and nothing
 * proves that each is rounded to the right one: for operands as they come the error is below
 * 0.001, but it grows with what an opponent may choose. So whoever uses these products checks them
 * modulo a prime (integer_is_product(), integer_divide()), and has another way when they are wrong.
 *
 * Source: R. Crandall, C. Pomerance, "Prime Numbers", 9.5 (balanced digits, cyclic convolution). */
#ifndef CONCLAVE_WORK_INTEGER_TRANSFORM_H
#define CONCLAVE_WORK_INTEGER_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "nodes/work/integer_internal.h"

/* Limbs of the smaller factor, and of a number that is squared, from which a transform is faster
 * than GMP's product (docs/performance.md). */
#define TRANSFORM_LIMBS        500
#define TRANSFORM_SQUARE_LIMBS 800

/* Limbs of a transform at most. */
#define TRANSFORM_LIMBS_MAX ((size_t)15 << 17)

/* Limbs of a product at most: FLINT's are as fast for longer ones, need no preparation, which takes
 * as long as two products, and half of the memory. There is nothing like that for divisions. */
#define TRANSFORM_PRODUCT_MAX ((size_t)1 << 18)

/* The shortest length in limbs that a transform has and that is not below; 0: there is none. Each
 * limb is TRANSFORM_LIMB_NUMBERS complex numbers, which are transformed in place. */
#define TRANSFORM_LIMB_NUMBERS 2
size_t transform_fit(size_t limbs);

/* A complex number, as FFTW has it. */
struct parts {
    double re, im;
};

/* An operand that is transformed, for products of this length. */
struct spectrum {
    struct parts *at; /* aligned, within the block */
    void *block;
    size_t block_bytes;
    size_t limbs; /* the length, of transform_fit() */
};

/* Transforms a number that is not longer than the length. */
void spectrum_begin(struct spectrum *it, size_t limbs, struct number number);

/* The same in a block that is there already, of the same length. */
void spectrum_again(struct spectrum *it, struct number number);

void spectrum_end(struct spectrum *it);

/* Writes n limbs of a * b modulo 2^(64 limbs) - 1: all of them, or of a product that is known to
 * have no more than n. Ends b's content, which may be a's. */
void spectrum_multiply(mp_limb_t *out, size_t n, const struct spectrum *a, struct spectrum *b);

/* Writes a * b, a.n + b.n limbs; false: it was not right. transform_fit(a.n + b.n) is not 0. */
bool transform_multiply(mp_limb_t *out, struct number a, struct number b);

/* A divisor, prepared for dividends of so many limbs at most and as many as it has itself at least.
 */
struct divisor {
    unsigned shift; /* so that its highest bit is set */
    size_t n, k;    /* its limbs, and those of a block of the quotient */
    size_t precise; /* limbs of the reciprocal, without the one before the point */
    mp_limb_t *shifted, *reciprocal;
    struct spectrum estimate, divide; /* the reciprocal's and the divisor's */
};

/* False: it is too long for transforms. To be ended in any case. Both have some hundred limbs, and
 * so has their difference. */
bool divisor_begin(struct divisor *it, struct number b, size_t longest);
void divisor_end(struct divisor *it);

/* Writes a - q b, which is not negative and less than b: b.n limbs; false: it was not right. */
bool divisor_rest(mp_limb_t *rest, struct number a, struct number q, struct number b);

/* As integer_divide(); false: it was not right. */
bool divisor_divide(const struct divisor *it, mp_limb_t *quotient, mp_limb_t *rest,
                    struct number a);

/* The same of a divisor that is needed once. */
bool transform_divide(mp_limb_t *quotient, mp_limb_t *rest, struct number a, struct number b);

/* Whether n limbs are a * b + c modulo a prime of 63 bits; c may be without limbs. */
bool integer_is_product(const mp_limb_t *out, size_t n, struct number a, struct number b,
                        struct number c);

/* Gives back what transforms have prepared, if nobody uses that at the moment. */
void transform_give_back(void);

#endif
