/* coreless.h - a node's sockets, inbox and gate without its core, for tests of what comes in. */
#ifndef CONCLAVE_TESTS_CORELESS_H
#define CONCLAVE_TESTS_CORELESS_H

#include "nodes/io/gate.h"
#include "nodes/io/inbox.h"

#define CORELESS_NODES 2 /* of its cluster */

/* Zero-initialize. */
struct coreless {
    struct mesh *mesh;
    struct clients clients;
    struct gate *gate;
    struct inbox *inbox;
    unsigned port; /* of the cluster */
};

/* Opens node `id` behind these doors, which are borrowed, at ports that are free. */
void coreless_open(struct coreless *node, void *context, struct doors *doors, node_id_t id);

/* Closes what was opened; the doors and the context are the caller's. */
void coreless_close(struct coreless *node);

/* A port of the node. */
unsigned coreless_port(const struct coreless *node, node_id_t id, enum plane plane);

#endif
