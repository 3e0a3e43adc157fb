/* roster.h - who is behind an incoming connection: routing id -> (plane, node, incarnation), by its
 * HELLO.
 *
 * Each node has at most one connection a plane that counts: the newest one of its newest
 * incarnation. A newer HELLO fences what was before: messages on the older routing ids are then
 * from nobody. The table is bounded by its shape, planes times nodes, so strangers cannot fill it.
 * Not a defence against forgers: CURVE is. */
#ifndef CONCLAVE_BUS_ROSTER_H
#define CONCLAVE_BUS_ROSTER_H

#include "shared/base/text.h"
#include "shared/wire/message.h"

#define ROUTING_ID_MAX 255 /* ZeroMQ's limit */
/* Incarnations of a peer that are remembered as over; the oldest is forgotten. */
#define ROSTER_FENCED_MAX 16

struct roster;

/* Borrows the cluster's name. Caller destroys. */
struct roster *roster_new(const char *cluster, node_id_t self, uint32_t n_nodes);
void roster_destroy(struct roster **roster);

/* Judges a HELLO that came on a plane from a routing id; accepts it and fences older ones, or
 * changes nothing: ERR_MALFORMED (not for us: cluster, plane, source or destination), ERR_STALE (an
 * older connection, or an incarnation that has ended), with one line in `why`. *first tells that
 * the incarnation was not known before. */
int roster_hello(struct roster *roster, enum plane plane, struct slice routing_id,
                 const struct wire_hello *hello, bool *first, struct text *why);

/* Finds who is behind a routing id; false: nobody who said a valid HELLO that still counts. */
bool roster_find(const struct roster *roster, enum plane plane, struct slice routing_id,
                 node_id_t *node, incarnation_t *incarnation);

/* The newest incarnation that said HELLO on any plane; 0: none did. */
incarnation_t roster_incarnation(const struct roster *roster, node_id_t node);

#endif
