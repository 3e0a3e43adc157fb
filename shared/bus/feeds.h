/* feeds.h - what the nodes publish, heartbeats and events: one SUB for each node.
 *
 * A subscriber is CURVE's client, and ZeroMQ does not tell it from whom a message came. With a
 * socket for each node, whose key the other side must have, what comes from it is that node's word,
 * whatever it says. A node's key that is not allowed any more takes its feed with it.
 *
 * For the one thread that made it. */
#ifndef CONCLAVE_BUS_FEEDS_H
#define CONCLAVE_BUS_FEEDS_H

#include "shared/bus/doors.h"

struct feeds;

/* What comes of the nodes' feeds. Heartbeats alone: events are for people, and under load there are
 * two for each job, which a coordinator need not seal for every node, nor wake it for. */
enum feeds_of { FEEDS_HEARTBEATS, FEEDS_ALL };

/* Borrows the doors. Connects to nobody yet. Caller destroys. */
struct feeds *feeds_new(void *context, struct doors *doors, uint32_t n_nodes, enum feeds_of what);
void feeds_destroy(struct feeds **feeds);

/* Subscribes to the node's feed there, with a new socket in the place of an earlier one; what that
 * still held is lost. `attempt`: which of the node's keys. Without any it is left alone. */
void feeds_connect(struct feeds *feeds, node_id_t node, const char *host, unsigned port,
                   unsigned attempt);

/* Takes more or less from now on. The nodes learn of it a moment later. */
void feeds_want(struct feeds *feeds, enum feeds_of what);

/* Whether there is a socket for the node's feed: its key was known, and is allowed. */
bool feeds_follow(const struct feeds *feeds, node_id_t node);

/* A descriptor that is readable when feeds_receive() may find something. */
int feeds_fd(const struct feeds *feeds);

/* Whether feeds_receive() is to be called without waiting for the descriptor. */
bool feeds_pending(const struct feeds *feeds);

/* Receives the next message without waiting, as bus_receive(); the nodes take turns. *from: whose
 * feed it came from; set unless ERR_NOT_FOUND. */
int feeds_receive(struct feeds *feeds, struct bus_parts *parts, node_id_t *from);

/* Ends the feeds of nodes whose keys are not allowed any more. Call it now and then; cheap. */
void feeds_check(struct feeds *feeds);

#endif
