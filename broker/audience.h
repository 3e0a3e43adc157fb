/* audience.h - whether anybody listens to the broker's feed. Events are for people, and under load
 * there are two for each job: while nobody listens the broker takes only heartbeats from the nodes,
 * and no node seals events for it.
 *
 * Pure: the time comes in. */
#ifndef CONCLAVE_BROKER_AUDIENCE_H
#define CONCLAVE_BROKER_AUDIENCE_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

/* The first one to listen hears no heartbeat for so long: the nodes have to learn that they are to
 * send events. So whoever has heard a heartbeat hears all that is told from then on. */
#define AUDIENCE_SETTLES_US (100 * MS_US)

/* Zero-initialize: nobody listens. */
struct audience {
    uint64_t topics;   /* that somebody has subscribed to */
    uint64_t since_us; /* when there was none before */
};

/* Takes in what the XPUB says: 1 or 0, and a topic that somebody subscribes to, or nobody any more.
 * Anything else is ignored. */
void audience_take(struct audience *audience, struct slice said, uint64_t now_us);

/* Whether what the nodes tell is to be passed on: a heartbeat, or an event. */
bool audience_hears(const struct audience *audience, bool heartbeat, uint64_t now_us);

#endif
