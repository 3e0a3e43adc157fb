/* asked.h - the jobs that the simulator's clients ask for, and what comes of them. */
#ifndef CONCLAVE_TESTS_SIM_ASKED_H
#define CONCLAVE_TESTS_SIM_ASKED_H

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/text.h"

/* The kind of the job for that number, and its argument, which begins with the number: of each kind
 * some. */
const char *asked_job(uint64_t n, struct text *spec);

/* Hash and digits of its result, as GMP's own functions have it. */
void asked_expect(uint64_t n, uint8_t hash[HASH_BYTES], uint64_t *digits);

#endif
