/* peers.h - who the other nodes are, whether they live, and our connections and channels to them.
 */
#ifndef CONCLAVE_CORE_PEERS_H
#define CONCLAVE_CORE_PEERS_H

#include "nodes/core/state.h"

void peers_link_up(struct node *node, enum plane plane, node_id_t peer);
void peers_link_down(struct node *node, enum plane plane, node_id_t peer);
void peers_hello(struct node *node, node_id_t from, const struct wire_hello *hello);
/* Another incarnation of the node than this one is heard, and our connection to it stands. */
bool peers_is_doubled(const struct node *node, node_id_t peer, incarnation_t incarnation);
void peers_welcome(struct node *node, node_id_t from, const struct wire_welcome *welcome);

/* A peer ends, deliberately or by an injected failure. */
void peers_goodbye(struct node *node, node_id_t from, const struct wire_goodbye *goodbye);

/* A peer's heartbeat: notes its life and its numbers. The election reads it separately. */
void peers_heartbeat(struct node *node, node_id_t from, struct message *heartbeat);

/* Takes a channel message in; true when it is to be processed now. */
bool peers_receive(struct node *node, node_id_t from, struct message *message);

/* Queues a message for a peer's channel (takes it). ERR_UNAVAILABLE or ERR_FULL: it was dropped. */
int peers_send(struct node *node, node_id_t to, struct message *message);

/* The same for a message that must not leave before all that is written so far, in this step too,
 * is durable. What is queued behind it waits with it. */
int peers_send_durable(struct node *node, node_id_t to, struct message *message);

/* Sends a message on the control plane, if there is a connection, once all that is written is
 * durable (takes it). */
void peers_send_control(struct node *node, node_id_t to, struct message *message);

/* Suspects the silent, repeats unanswered HELLOs, keeps the channels going. */
void peers_tick(struct node *node);

/* Puts on the bus what the channels have to send. */
void peers_pump(struct node *node);

uint64_t peers_deadline(const struct node *node);

/* True when operations can be assigned to it. */
bool peers_is_worker(const struct node *node, node_id_t peer);

/* Nodes whose heartbeats arrive, ourselves included. */
unsigned peers_count_alive(const struct node *node);

/* After a stop of our own: nobody is blamed for silence that we did not listen to. */
void peers_forgive(struct node *node);

void peers_clear(struct node *node);

#endif
