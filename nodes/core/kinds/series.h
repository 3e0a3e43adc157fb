/* series.h - how many terms of a series give so many decimals: whole-number arithmetic, the same on
 * every machine. Plans cut the terms into ranges, and operators (nodes/work/integer_series.h) add
 * them up. */
#ifndef CONCLAVE_CORE_SERIES_H
#define CONCLAVE_CORE_SERIES_H

#include <stdint.h>

/* Decimals that pi and e can have: the largest value on the way, pi's Q, has 325 MB then, of the
 * 512 MiB that a value may have. */
#define DECIMALS_MAX UINT64_C(300000000)

/* Decimals that are computed beyond those that were asked for: only when all of them are 9 or all
 * are 0 the others are in doubt, and more are computed. */
#define SERIES_GUARD 19

/* Terms 0 <= k < series_pi_terms() of Chudnovsky's series, and of the sum of 1/k!, for so many
 * decimals, SERIES_GUARD of them included if they are wanted; at least 1. They leave out less than
 * a hundredth of the last decimal. */
uint64_t series_pi_terms(uint64_t decimals);
uint64_t series_e_terms(uint64_t decimals);

#endif
