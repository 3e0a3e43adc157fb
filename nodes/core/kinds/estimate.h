/* estimate.h - how long numbers are, by integers only, so that all nodes mean the same: between the
 * files of the kinds. */
#ifndef CONCLAVE_CORE_ESTIMATE_H
#define CONCLAVE_CORE_ESTIMATE_H

#include <stdint.h>

/* A lower bound of log2(n!), in 2^-20, by less than a hundredth when n has thousands; n is below
 * 2^37. */
uint64_t estimate_log2_factorial(uint64_t n);

/* The decimal digits of what has that logarithm to base 2, in 2^-20; 1 or more. */
uint64_t estimate_digits_of_log2(uint64_t log2);

/* n * factor / 2^20, and 1: without overflow for factors below 2^20. */
uint64_t estimate_digits(uint64_t n, uint64_t factor);

#endif
