/* tally.h - how many of something each key has, and all of them together. */
#ifndef CONCLAVE_BASE_TALLY_H
#define CONCLAVE_BASE_TALLY_H

#include <stdbool.h>

#include "shared/base/map.h"

/* Zero-initialize before the first use. */
struct tally {
    struct map counts; /* key -> its count, 1 at least */
    uint64_t n;        /* of all keys */
};

uint64_t tally_of(const struct tally *tally, struct map_key key);

/* Counts one more, or one less; false: the key had none. */
void tally_add(struct tally *tally, struct map_key key);
bool tally_take(struct tally *tally, struct map_key key);

void tally_clear(struct tally *tally);

#endif
