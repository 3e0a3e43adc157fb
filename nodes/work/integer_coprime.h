/* integer_coprime.h - between the files of integer_gcd.h: which of many numbers share factors with
 * which, without looking at all pairs. */
#ifndef CONCLAVE_WORK_INTEGER_COPRIME_H
#define CONCLAVE_WORK_INTEGER_COPRIME_H

#include "nodes/work/integer_tree.h"

/* A coprime base of n numbers greater than 1, all different: numbers greater than 1, in ascending
 * order, of which no two share a factor, such that each of the n is a product of their powers. So
 * two of the n share a factor when they have one of the base in common (Bernstein, "Factoring into
 * coprimes in essentially linear time", 2005). Adds them to `base`, which is empty. False: it was
 * stopped. */
bool coprime_base(const mpz_t *numbers, size_t n, struct numbers *base, stop_flag *stop);

/* Number `number` shares a factor with number `element` of the base. */
struct incidence {
    size_t number, element;
};

struct incidences {
    struct incidence *at; /* owned; in no order */
    size_t n, size;
};

void incidences_add(struct incidences *out, size_t number, size_t element);

/* Of n numbers with n_base ones of which no two share a factor. False: it was stopped. */
bool coprime_incidences(const mpz_t *numbers, size_t n, const mpz_t *base, size_t n_base,
                        struct incidences *out, stop_flag *stop);

#endif
