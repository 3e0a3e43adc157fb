/* ranges.h - a set of whole numbers, kept as the ranges that they make: what a million numbers in a
 * row cost is one range. */
#ifndef CONCLAVE_BASE_RANGES_H
#define CONCLAVE_BASE_RANGES_H

#include "shared/base/types.h"

/* The numbers first, first + 1, ... first + count - 1; below 2^63. */
struct range {
    uint64_t first, count;
};

/* In ascending order, no two of them touch. Zero-initialize. */
struct ranges {
    struct range *at; /* owned */
    size_t n, size;
    uint64_t count; /* of all numbers in the set */
};

/* One past the last number. */
static inline uint64_t range_end(struct range range)
{
    return range.first + range.count;
}

/* Adds the numbers; returns how many of them were not in the set. */
uint64_t ranges_add(struct ranges *set, struct range more);

/* Removes the numbers; returns how many of them were in the set. */
uint64_t ranges_remove(struct ranges *set, struct range less);

bool ranges_has(const struct ranges *set, uint64_t number);

/* True when all numbers of the range are in the set. */
bool ranges_has_all(const struct ranges *set, struct range range);

/* The first numbers of the set that lie in `within`, as one range; false: none does. */
bool ranges_next(const struct ranges *set, struct range within, struct range *found);

/* The first numbers of `within` that are not in the set, as one range; false: all are. */
bool ranges_gap(const struct ranges *set, struct range within, struct range *found);

/* Replaces the content by a copy of another set's. */
void ranges_copy(struct ranges *set, const struct ranges *from);

void ranges_clear(struct ranges *set);
void ranges_check_invariants(const struct ranges *set);

#endif
