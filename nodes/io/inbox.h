/* inbox.h - what comes in from the network, sorted: who sent it, whether it may stand where it
 * stands; the rest is counted and dropped. Behind it everything is decoded and has
 * a known sender. */
#ifndef CONCLAVE_IO_INBOX_H
#define CONCLAVE_IO_INBOX_H

#include "nodes/core/node.h"
#include "nodes/io/gate.h"

struct inbox;

/* Borrows all, the cluster's name too. Caller destroys. */
struct inbox *inbox_new(const char *cluster, node_id_t self, uint32_t n_nodes, struct mesh *mesh,
                        struct clients *clients, struct gate *gate);
void inbox_destroy(struct inbox **inbox);

/* Receives the next message of a plane without waiting. OK: `event` is EVENT_MESSAGE or
 * EVENT_REQUEST (its times and random number are the caller's to fill in; the message is borrowed
 * until the next call); ERR_MALFORMED: it was rejected, there may be more; ERR_NOT_FOUND: there is
 * none. */
/* HELLOs that this node refuses (node_refuses()) change nothing, and are answered. Borrows it.
 * `incarnation`: of this node, which signatures must be for. */
void inbox_serve(struct inbox *inbox, const struct node *node, incarnation_t incarnation);

int inbox_receive(struct inbox *inbox, enum plane plane, uint64_t now_us, struct event *event);

/* Whether requests of a bundle are left, which no socket tells of: on the control plane. */
bool inbox_has_more(const struct inbox *inbox);

/* Counts a message that proved to be out of range later on, as inbox_receive() does; says why at
 * most once a second. */
void inbox_reject(struct inbox *inbox, enum plane plane, node_id_t from, uint64_t now_us,
                  const char *why);

/* How many were rejected so far, with connections that were ended (intake.h). */
uint64_t inbox_rejected(const struct inbox *inbox);

#endif
