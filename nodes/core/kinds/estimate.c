#include "nodes/core/kinds/estimate.h"

#include "shared/base/bits.h"

#define ONE_BITS     20
#define LOG2_OF_E    1512776 /* rounded up */
#define LOG10_OF_TWO 315653  /* rounded up */

/* A lower bound: the logarithm lies above its chords. `number` is not 0. */
static uint64_t log2_below(uint64_t number)
{
    unsigned whole = bits_of(number) - 1;
    uint64_t part = number - ((uint64_t)1 << whole);
    uint64_t fraction = whole > ONE_BITS ? part >> (whole - ONE_BITS) : part << (ONE_BITS - whole);
    return ((uint64_t)whole << ONE_BITS) + fraction;
}

/* log2(n!) is more than n (log2(n) - log2(e)). */
uint64_t estimate_log2_factorial(uint64_t n)
{
    uint64_t log2_n = n ? log2_below(n) : 0;
    return log2_n > LOG2_OF_E ? n * (log2_n - LOG2_OF_E) : 0;
}

uint64_t estimate_digits(uint64_t n, uint64_t factor)
{
    return (uint64_t)((unsigned __int128)n * factor >> ONE_BITS) + 1;
}

uint64_t estimate_digits_of_log2(uint64_t log2)
{
    return estimate_digits(log2 >> ONE_BITS, LOG10_OF_TWO);
}
