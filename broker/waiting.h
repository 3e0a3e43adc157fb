/* waiting.h - requests that were passed on to a node and are not answered: how many in all, and of
 * each client.
 *
 * A client may have as many as are left free, so one that asks without end finds its own share full
 * and leaves room for others (the dynamic threshold of Choudhury and Hahne, 1998). What is not
 * answered within a minute never will be: no long poll takes so long. */
#ifndef CONCLAVE_BROKER_WAITING_H
#define CONCLAVE_BROKER_WAITING_H

#include "shared/base/tally.h"
#include "shared/base/types.h"

/* Zero-initialize before the first use. */
struct waiting {
    struct tally fresh, stale; /* by client: since the last turn, and before */
    uint64_t turned_us;
};

/* How many wait, of all clients. */
uint64_t waiting_count(const struct waiting *waiting);

/* Counts a request of the client; false, and it is not counted, when `limit` wait or the client's
 * share is full. */
bool waiting_add(struct waiting *waiting, struct slice client, uint64_t limit);

/* The client was given an answer. */
void waiting_take(struct waiting *waiting, struct slice client);

/* Forgets what has waited too long; call it now and then. */
void waiting_turn(struct waiting *waiting, uint64_t now_us);

void waiting_clear(struct waiting *waiting);

#endif
