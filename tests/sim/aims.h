/* aims.h - seeds with one aim.
 *
 * A swarm of faults meets what needs one of them for long, or several in one order, once in
 * thousands of seeds. Every fifth seed has an aim instead: one of the stories below, told a few
 * times to a small cluster with short timeouts and clients that always want something, and few
 * other faults in between. */
#ifndef CONCLAVE_SIM_AIMS_H
#define CONCLAVE_SIM_AIMS_H

#include "tests/sim/world.h"

/* X(symbol, the story) */
#define AIMS(X)                                                                                  \
    X(LOG_STANDS, "heartbeats pass and the log does not: of a follower, or of the coordinator")  \
    X(DISK_RETURNS, "who is behind needs for a majority a disk that was replaced, or is empty")  \
    X(TWO_LEAD, "a coordinator is replaced before it notices, while clients ask both")           \
    X(KEPT_VALUES, "values are swept all the time while jobs make them and coordinators change") \
    X(SLOW_WORKER, "operations of a worker are given to others, and it returns them late")       \
    X(HELD_VALUES, "workers die with values that they alone held")

enum aim {
    AIM_NONE,
#define X(symbol, text) AIM_##symbol,
    AIMS(X)
#undef X
        AIM_KINDS
};

/* Draws the aim of this seed (mostly AIM_NONE) and changes the options to suit. To be called after
 * scenario_draw(), before any node has started. */
enum aim aims_draw(struct world *world);

/* Clients beside the others, from `client` on. */
void aims_clients(struct world *world, enum aim aim, unsigned client);

/* Tells the story once: runs the world meanwhile. */
void aims_tell(struct world *world, enum aim aim);

#endif
