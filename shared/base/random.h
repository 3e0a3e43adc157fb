/* random.h - pseudo-random numbers (splitmix64; Steele, Lea & Flood 2014): the state is the seed,
 * and the same seed gives the same numbers. Not for secrets: hash_random() is. */
#ifndef CONCLAVE_BASE_RANDOM_H
#define CONCLAVE_BASE_RANDOM_H

#include <stdint.h>

#define RANDOM_GAMMA UINT64_C(0x9e3779b97f4a7c15) /* 2^64 by the golden ratio, odd */

/* Spreads a number over all 64 bits: one-to-one, and near numbers come out far apart. */
static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The next number. */
static inline uint64_t random_u64(uint64_t *state)
{
    return random_mix(*state += RANDOM_GAMMA);
}

/* The next number, below the limit (> 0). */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_u64(state) % limit;
}

/* A running digest of numbers in their order, for comparisons within one process or run. */
static inline uint64_t random_fold(uint64_t digest, uint64_t more)
{
    digest = (digest ^ more) * RANDOM_GAMMA;
    return digest ^ digest >> 32;
}

#endif
