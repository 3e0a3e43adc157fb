/* quorum.h - the arithmetic of majorities, pure: how many of n voters are one, and how far one has
 * come. Who votes, and whose disk counts, is the caller's business. */
#ifndef CONCLAVE_BASE_QUORUM_H
#define CONCLAVE_BASE_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

/* How many of n nodes vote when nothing is said: at most VOTERS_DEFAULT_MAX. */
uint32_t quorum_voters_default(uint64_t n_nodes);

/* The fewest of n voters such that any two groups of so many share one. n > 0. */
uint32_t quorum_of(uint32_t n_voters);

/* So many of n voters are a majority. */
static inline bool quorum_has(uint32_t n_voters, uint32_t n)
{
    return n >= quorum_of(n_voters);
}

/* So many of these voters may still stop, and a majority is left. */
static inline uint32_t quorum_spare(uint32_t n_voters, uint32_t n)
{
    return quorum_has(n_voters, n) ? n - quorum_of(n_voters) : 0;
}

/* The greatest number that a majority has reached, of what each of n voters has: an index of the
 * log, or a round (Raft 5.3, 5.4). 0 for a voter that does not count. Orders `reached`; 0 without
 * voters. */
uint64_t quorum_reached(uint64_t *reached, uint32_t n_voters);

#endif
