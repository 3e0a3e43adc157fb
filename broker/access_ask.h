/* access_ask.h - how a broker learns of a newer list of keys: a majority of the voters says in
 * their heartbeats which one they have, a node that has it is asked, and what it answers must have
 * the hash that the majority has told. */
#ifndef CONCLAVE_BROKER_ACCESS_ASK_H
#define CONCLAVE_BROKER_ACCESS_ASK_H

#include "broker/tracker.h"
#include "shared/bus/doors.h"

/* Zero-initialize. */
struct access_ask {
    uint64_t asked_us;
    uint64_t refused; /* a version that the doors did not take */
    uint64_t version; /* that was asked for */
    uint8_t hash[HASH_BYTES];
};

/* Sends a request for the list when there is one to ask for, at most once a second. `socket` finds
 * that to a node. */
void access_ask(struct access_ask *ask, const struct tracker *tracker, struct doors *doors,
                void *(*socket)(void *context, node_id_t node), void *context, uint64_t now_us);

/* Whether an answer is one for the broker itself, by the client that it is for. */
bool access_is_answer(struct slice client);

/* Takes the list from an answer: frame 0 is part `first`. */
void access_answered(struct access_ask *ask, struct doors *doors, const struct bus_parts *parts,
                     size_t first);

#endif
