/* fair.h - requests that wait for a node, each key's in a queue of its own, and whose turn it is.
 *
 * Keys take turns, a request each (round robin; Nagle, RFC 970). Turns are not weighed by bytes
 * (deficit round robin would): what a request costs a node hardly depends on its length, and
 * unread.h bounds the bytes that are on their way. A key that had nothing waiting joins as the
 * last, so it waits for one request of each other key.
 *
 * Of all that may wait a key may have as much as is left free (the dynamic threshold of Choudhury
 * and Hahne, 1998), so one that asks without end leaves room for others. Pure. */
#ifndef CONCLAVE_BROKER_FAIR_H
#define CONCLAVE_BROKER_FAIR_H

#include <stdbool.h>

#include "shared/base/map.h"
#include "shared/base/text.h"

/* Something that waits: the first member of what the caller queues. */
struct turn {
    struct turn *next;
    uint64_t bytes;
};

/* What waits in all queues of a broker together. */
struct fair_total {
    uint64_t n, bytes;
};

/* One of them is for one node. Zero-initialize, then set `total` (borrowed). */
struct fair {
    struct fair_total *total;
    struct map queues;             /* by key: those with something in them */
    struct fair_queue *now, *last; /* in a ring: whose turn it is, and who comes after all others */
};

/* Queues a turn of `bytes` for the key; false, and nothing changes, when the key has its share:
 * FAIR_REQUESTS_MAX and FAIR_BYTES_MAX are for all. Borrows the turn. */
bool fair_put(struct fair *fair, struct slice key, struct turn *turn, uint64_t bytes);

/* Returns who is next, NULL: nobody. It stays. */
const struct turn *fair_next(const struct fair *fair);

/* Removes and returns it: the next turn is the next key's. */
struct turn *fair_take(struct fair *fair);

#endif
