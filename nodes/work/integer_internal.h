/* integer_internal.h - between the files of integer.h. */
#ifndef CONCLAVE_WORK_INTEGER_INTERNAL_H
#define CONCLAVE_WORK_INTEGER_INTERNAL_H

#include <gmp.h>

#include "shared/base/blob.h"

/* Reads a value as GMP's number, without copying it; it needs no mpz_clear(). ERR_MALFORMED,
 * ERR_TOO_BIG. */
int integer_read(const struct blob *value, mpz_t out);

#endif
