/* mesh.h - all sockets of a node: on each plane a ROUTER that only receives and a DEALER to every
 * peer that only sends; a PUB for its own feed and a SUB for each other's. Only the event loop's
 * thread uses it. */
#ifndef CONCLAVE_IO_MESH_H
#define CONCLAVE_IO_MESH_H

#include <poll.h>

#include "nodes/io/clients.h"
#include "shared/bus/doors.h"

struct mesh_config {
    node_id_t id;
    uint32_t n_nodes;
    unsigned port;            /* of the cluster; node i begins at port + 100 + 10 i */
    const char *bind;         /* address to listen on */
    const char *const *hosts; /* of node 1 is hosts[1]; borrowed */
    struct doors *doors;      /* who may connect; borrowed */
    uint64_t feed_silent_us;  /* a feed that was heard, and then not for so long: it is made anew */
};

struct mesh;

/* The first port of a node. */
unsigned mesh_base_port(unsigned cluster_port, node_id_t id);

/* Binds what others connect to, each plane a door. ERR_EXISTS, ERR_MALFORMED, ERR_IO with one line
 * in `why` that names the address. Copies config. Caller closes. */
int mesh_open(void *context, const struct mesh_config *config, struct mesh **out, struct text *why);

/* Who may connect, and who is behind a message. */
struct doors *mesh_doors(const struct mesh *mesh);

/* Starts to connect to the peers. */
void mesh_connect(struct mesh *mesh, uint64_t now_us);

/* Closes all; what is queued is still sent within `linger_ms`. Accepts NULL, nulls the pointer. */
void mesh_close(struct mesh **mesh, int linger_ms);

/* The loop may wait so long: links that pause, and monitors, are looked at by the clock. */
uint64_t mesh_patience_us(const struct mesh *mesh);

/* The plane's ROUTER; NULL for the heartbeat plane. */
void *mesh_socket(struct mesh *mesh, enum plane plane);

/* Receives the next message of a plane without waiting, as bus_receive(). *feed: on the heartbeat
 * plane, of which node the feed is that it came from; else NODE_NONE. */
int mesh_take(struct mesh *mesh, enum plane plane, struct bus_parts *parts, node_id_t *feed);

/* Looks which receiving sockets have something; true: at least one has. */
bool mesh_look(struct mesh *mesh, bool readable[PLANE_COUNT]);

/* Fills in the descriptors to poll besides the caller's own `n` items, from `items[n]` on, in room
 * for MESH_POLL_MAX more: the receiving sockets in the order of their planes, then all monitors as
 * one.
 * Returns the number of all. They are ZMQ_FDs, which signal once: call mesh_look() before waiting,
 * or what came earlier is slept over. */
#define MESH_POLL_MAX (PLANE_COUNT + 1)
size_t mesh_poll_items(struct mesh *mesh, struct pollfd *items, size_t n);

/* Says that some monitor is readable: mesh_next() looks at those that are. */
void mesh_monitors_stir(struct mesh *mesh);

/* mesh_next() looks at all links at once. */
void mesh_sweep_now(struct mesh *mesh);

/* Takes the next change of a connection's state; false when there is none. */
bool mesh_next(struct mesh *mesh, uint64_t now_us, bool *up, enum plane *plane, node_id_t *peer);

/* Gives a connection up and makes a new one. */
void mesh_remake(struct mesh *mesh, enum plane plane, node_id_t peer, uint64_t now_us);

/* A HELLO came: a connection of ours that is still trying tries at once. */
void mesh_hurry(struct mesh *mesh, enum plane plane, node_id_t peer);

/* Connects to the peer's feed again, without waiting for libzmq's next try. */
void mesh_refeed(struct mesh *mesh, node_id_t peer);

/* These send without waiting; errors as bus_send(), ERR_UNAVAILABLE when there is no connection.
 * Only the gate calls them. */
int mesh_send(struct mesh *mesh, enum plane plane, node_id_t to, const struct message *message);
/* Receives what a peer answers on our own connection to it, as bus_receive(). */
int mesh_receive(struct mesh *mesh, enum plane plane, node_id_t from, struct bus_parts *parts);

int mesh_publish(struct mesh *mesh, const struct message *message);
/* What may go in a bundle waits there for mesh_send_bundles(). */
int mesh_reply(struct mesh *mesh, const struct client *client, const struct message *message);

/* Sends the answers that were gathered in bundles. Call it at the end of each turn. */
void mesh_send_bundles(struct mesh *mesh);

/* The bytes of answers that wait for brokers to read them. */
uint64_t mesh_replies_bytes(const struct mesh *mesh);

#endif
