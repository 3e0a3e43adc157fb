/* whole.h - whole numbers as people write them: 1000000, 1_000_000, 1e6, 10^6, 5*10^5. */
#ifndef CONCLAVE_BASE_WHOLE_H
#define CONCLAVE_BASE_WHOLE_H

#include <stdint.h>

#include "shared/base/text.h"

/* Reads a product of one or more numbers, each of digits, with a single _ between any two of them,
 * and then perhaps e and how many zeros follow, or ^ and a power. Nothing else, no spaces and no
 * sign. ERR_MALFORMED; ERR_RANGE: it is one, but above `max`. */
int parse_whole(struct slice text, uint64_t max, uint64_t *out);

#endif
