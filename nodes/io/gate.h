/* gate.h - the one door through which everything leaves a node: sends, replies, its own feed.
 *
 * Nothing leaves before what it promises is durable: each item names a persist sequence and is held
 * back until the store has reported it, and behind it everything for the same destination, in
 * order. */
#ifndef CONCLAVE_IO_GATE_H
#define CONCLAVE_IO_GATE_H

#include "nodes/io/mesh.h"

#define GATE_HELD_MAX 65536 /* beyond, what would be held is lost, as on a broken connection */

struct gate;

/* Borrows the mesh and the clients. Caller destroys. */
struct gate *gate_new(struct mesh *mesh, struct clients *clients, uint32_t n_nodes);
void gate_destroy(struct gate **gate);

/* To a peer; lost when there is no connection, or its queue is full. Takes a new reference to the
 * message, which must not change before the next turn of the loop, except by its owner's leave. */
void gate_send(struct gate *gate, enum plane plane, node_id_t to, struct message *message,
               uint64_t after_seq);

/* The one answer to a client: ends its number. Lost when the client's broker is gone. */
void gate_reply(struct gate *gate, uint64_t client, struct message *message, uint64_t after_seq);

void gate_publish(struct gate *gate, struct message *message, uint64_t after_seq);

/* Everything up to this sequence is durable: sends what waited for it. */
void gate_durable(struct gate *gate, uint64_t seq);

/* The connection is gone, and with it what was meant for it: a new one begins with a HELLO. */
void gate_forget(struct gate *gate, enum plane plane, node_id_t peer);

#endif
