/* constants.h - digits of pi and e, by other formulas than the plans' (nodes/core/kinds/pi.c). */
#ifndef CONCLAVE_TESTS_SIM_CONSTANTS_H
#define CONCLAVE_TESTS_SIM_CONSTANTS_H

#include <stdbool.h>
#include <stdint.h>

/* So many decimals, rounded down: "3.14" for 2. Caller frees. */
char *constant_text(bool pi, uint64_t decimals);

#endif
