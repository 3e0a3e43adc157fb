/* gauge.h - how many bytes wait in a socket for one peer. ZeroMQ bounds what waits by a number of
 * messages, be they of 40 bytes or of 1 MiB, and never tells how much it is.
 *
 * A message that a gauge counts is counted until ZeroMQ frees it, on a thread of its own: when it
 * is sent, or when the connection, or the socket, is gone. */
#ifndef CONCLAVE_BUS_GAUGE_H
#define CONCLAVE_BUS_GAUGE_H

#include <stdint.h>
#include <zmq.h>

#include "shared/base/map.h"
#include "shared/base/types.h"

struct gauge;

/* Makes a gauge; what it counts is counted by `all`, too (may be NULL). Caller drops. */
struct gauge *gauge_new(struct gauge *all);

/* Drops the caller's reference; messages under way keep theirs. Accepts NULL, nulls the pointer. */
void gauge_drop(struct gauge **gauge);

/* Returns the bytes that wait. Of NULL: 0. */
uint64_t gauge_bytes(const struct gauge *gauge);

/* Counts the message from now on. Parts of less than GAUGE_MIN_BYTES are not: the number of
 * messages bounds them. */
void gauge_count(struct gauge *gauge, zmq_msg_t *part);

/* Gauges of peers, by their routing ids. Zero-initialize, then set `all`. */
struct gauges {
    struct map map;
    struct gauge *all; /* owned */
};

/* Returns the gauge of a peer (borrowed), NULL when nothing waits for it. */
struct gauge *gauges_find(const struct gauges *gauges, struct slice id);

/* The same; makes it. */
struct gauge *gauges_get(struct gauges *gauges, struct slice id);

/* Forgets those for whom nothing waits; call it now and then. */
void gauges_sweep(struct gauges *gauges);
void gauges_clear(struct gauges *gauges);

#endif
