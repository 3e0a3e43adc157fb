/* feed.h - the feed of heartbeats and events, as a subscriber must read it: lossy, and doubled by
 * two brokers. The order of one incarnation's messages is told by their seq. Pure. */
#ifndef CONCLAVE_CLIENTS_FEED_H
#define CONCLAVE_CLIENTS_FEED_H

#include <jansson.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

struct feed {
    struct {
        incarnation_t incarnation, before; /* the present one and the one before; 0: none */
        uint64_t seq;
    } nodes[NODES_MAX + 1];
};

/* What heartbeats and events have in common. */
struct feed_origin {
    node_id_t node;
    incarnation_t incarnation;
    uint64_t seq, time_ms;
    term_t term;
};

/* Reads it; ERR_MALFORMED when the message is neither, or of a node that cannot be. */
int feed_origin(const struct message *message, struct feed_origin *out);

/* Takes a message in. OK: it is new, and *missed messages before it never came; ERR_STALE: it came
 * before, or is of an incarnation that has ended. */
int feed_hear(struct feed *feed, const struct feed_origin *origin, uint64_t *missed);

/* One line for people, without its end. Strangers' bytes are escaped. */
void feed_line(const struct message *message, struct text *out);

/* The same for a terminal: without the date, and of a heartbeat what is not 0. */
void feed_short_line(const struct message *message, struct text *out);

/* One JSON object; new reference. */
json_t *feed_json(const struct message *message);

/* The same of messages before this one that never came; type is gap. */
json_t *feed_gap_json(const struct feed_origin *origin, uint64_t missed);

#endif
