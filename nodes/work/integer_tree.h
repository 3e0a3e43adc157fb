/* integer_tree.h - between the files of integer_gcd.h: many numbers at once, by trees of products
 * upwards and of remainders downwards.
 *
 * Memory: what the numbers have, once a level, and twice more on the way down. All functions return
 * false when they were stopped; then what they were to write is of no use, but is to be cleared. */
#ifndef CONCLAVE_WORK_INTEGER_TREE_H
#define CONCLAVE_WORK_INTEGER_TREE_H

#include <gmp.h>
#include <stdint.h>

#include "nodes/work/stop.h"

/* Grows; each is an initialized number of GMP. Zero-initialize before the first use. */
struct numbers {
    mpz_t *at;
    size_t n, size;
};

/* Adds a 0 and returns it: borrowed until the next one is added. */
mpz_ptr numbers_add(struct numbers *numbers);

/* Adds so many. */
void numbers_grow(struct numbers *numbers, size_t n);

/* Adds a number, which is 0 afterwards. */
void numbers_take(struct numbers *numbers, mpz_ptr number);

/* Removes one, whose place the last one gets. */
void numbers_remove(struct numbers *numbers, size_t at);

void numbers_sort(struct numbers *numbers);

void numbers_clear(struct numbers *numbers);

/* The product of n positive numbers, 1 of none. */
bool tree_product(const mpz_t *numbers, size_t n, mpz_ptr out, stop_flag *stop);

/* top modulo each of n positive numbers; `out` has as many. */
bool tree_remainders(const mpz_t *numbers, size_t n, mpz_srcptr top, mpz_t *out, stop_flag *stop);

/* For each of n positive numbers its greatest common factor with the product of all others. They
 * may be some of many: then `whole` is the product of all, modulo the square of that of the n; else
 * NULL.
 *
 * With the product S of the n, and X the sum of all S / n(i), X is S / n(i) modulo n(i). So the
 * others' product is X, times whole / S, modulo n(i), and no squares are needed on the way down: X
 * comes up the tree beside S, and what goes down is half as long. */
bool tree_shared(const mpz_t *numbers, size_t n, mpz_srcptr whole, mpz_t *out, stop_flag *stop);

#endif
