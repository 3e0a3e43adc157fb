/* bits.h - the length of a number. */
#ifndef CONCLAVE_BASE_BITS_H
#define CONCLAVE_BASE_BITS_H

#include <stdint.h>

/* How many bits it has: 0 for 0, else one more than its logarithm to base 2, rounded down. */
static inline unsigned bits_of(uint64_t number)
{
    return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

#endif
