/* packing.h - lists of integers for tests (shared/base/packed.h). */
#ifndef CONCLAVE_TESTS_PACKING_H
#define CONCLAVE_TESTS_PACKING_H

#include <gmp.h>

#include "shared/base/blob.h"

/* The numbers as a list. Caller drops. */
struct blob *pack_numbers(const mpz_t *numbers, size_t n);

#endif
