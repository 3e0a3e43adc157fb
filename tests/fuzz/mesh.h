/* mesh.h - several real nodes on one network in memory, for fuzzers: what one sends the other gets,
 * in order, once what it promises is durable. One of the ids may be left to a hostile node, which
 * is not there: what is sent to it is given to the fuzzer, and it says what the fuzzer likes.
 *
 * Time is the same for all, and passes when the fuzzer says so. */
#ifndef CONCLAVE_FUZZ_MESH_H
#define CONCLAVE_FUZZ_MESH_H

#include "tests/fuzz/host.h"

#define MESH_NODES       5
#define MESH_LETTERS_MAX 1024 /* under way; then the oldest is lost */

struct mesh_letter {
    enum plane plane;
    node_id_t from, to;
    uint64_t after_seq;
    struct message *message; /* owned reference */
};

struct mesh {
    uint32_t n_nodes;
    node_id_t hostile; /* NODE_NONE: all are honest */
    struct host hosts[MESH_NODES + 1];
    uint64_t now_us;
    bool cut;                             /* the honest ones do not hear each other */
    bool up[MESH_NODES + 1][PLANE_COUNT]; /* each node's connections to the hostile one */
    struct mesh_letter letters[MESH_LETTERS_MAX];
    size_t n_letters;

    /* What a client is told, and what the hostile node is sent; may be NULL. Borrowed. */
    void (*replied)(void *context, node_id_t by, uint64_t client, const struct message *reply);
    void (*spied)(void *context, node_id_t from, enum plane plane, const struct message *message);
    void *context;

    /* Before and after each step of a host; may be NULL. */
    void (*before)(void *context, node_id_t id);
    void (*after)(void *context, node_id_t id);
};

/* A founded cluster; its nodes start and connect. Zero-initialized before, but for what it calls.
 */
void mesh_begin(struct mesh *mesh, uint32_t n_nodes, uint32_t n_voters, node_id_t hostile,
                unsigned limits, bool insecure);

void mesh_end(struct mesh *mesh);

/* One of those that are there, which `which` chooses. */
struct host *mesh_host(struct mesh *mesh, unsigned which);

/* So much time passes, then each node looks at its clock. */
void mesh_pass(struct mesh *mesh, uint64_t us);

/* Everything that is under way arrives, and all that nodes wait for comes, `turns` times, some time
 * passing before each. */
void mesh_settle(struct mesh *mesh, unsigned turns);

/* The honest ones elect a coordinator, which serves. */
void mesh_elect(struct mesh *mesh);

/* What may be delivered is. */
void mesh_flush(struct mesh *mesh);

/* Delivers a message to a node (takes it) as what its codec has: from the hostile one. */
void mesh_say(struct mesh *mesh, enum plane plane, node_id_t to, struct message *message);

/* A connection of a node to the hostile one goes, or comes, which it does when it is gone. */
void mesh_link(struct mesh *mesh, enum plane plane, node_id_t of, bool up);

/* Kills a node and starts it on what is durable; all connections are new. */
void mesh_restart(struct mesh *mesh, struct host *host);

/* The incarnation of a node that is there, or of the hostile one. */
incarnation_t mesh_incarnation(const struct mesh *mesh, node_id_t id);

#endif
