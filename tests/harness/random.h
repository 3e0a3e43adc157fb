/* random.h - pseudo-random numbers for tests; the state is the seed (splitmix64, Steele, Lea &
 * Flood 2014). */
#ifndef CONCLAVE_TESTS_RANDOM_H
#define CONCLAVE_TESTS_RANDOM_H

#include <stdint.h>

static inline uint64_t random_u64(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A number below the limit (> 0). */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_u64(state) % limit;
}

#endif
