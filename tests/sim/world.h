/* world.h - a deterministic world for the cores: N complete nodes, clients, a virtual network,
 * virtual disks and clocks, all driven by one 64-bit seed. The nodes are the very objects of
 * conclave-node.
 *
 * Every message is encoded and decoded by the real codec. Connections behave as ours over ZeroMQ:
 * FIFO while they last, what is under way is lost when they break, nothing is accepted before a
 * HELLO. */
#ifndef CONCLAVE_SIM_WORLD_H
#define CONCLAVE_SIM_WORLD_H

#include "nodes/core/node.h"
#include "shared/base/map.h"

#define WORLD_NODES_MAX   25
#define WORLD_CLIENTS_MAX 8
#define WORLD_ASKERS_MAX  16

struct world;

/* Probabilities are per million. */
struct world_options {
    uint64_t seed;
    uint32_t n_nodes, n_voters;   /* voters 0: all */
    uint64_t delay_us, jitter_us; /* of every message */
    uint64_t disk_us;             /* of every persist */
    uint64_t op_us;               /* of every operation */
    uint64_t compact_entries;     /* 0: the default */
    uint32_t loss, duplication;   /* of every message between nodes */
    uint64_t poison_deaths;       /* 0: an operation may kill its worker for ever */
    op_id_t poison;               /* the operation that kills its worker; 0: none */
    uint64_t memory_limit;        /* of a worker; 0: none */
    bool story;                   /* print what happens */
};

struct world_entry {
    term_t term;
    struct blob *packed;
};

struct world_record {
    uint8_t key[RECORD_KEY_MAX];
    size_t key_len;
    struct blob *value;
};

struct world_node {
    struct node *core; /* NULL: it is down */
    uint64_t boots;
    incarnation_t incarnation;
    uint64_t wake_us;
    uint64_t paused_until_us;
    uint64_t rejected;

    struct node_durable durable;
    struct world_entry *log; /* durable entries log_base + 1, ...: owned */
    log_index_t log_base;
    size_t log_n, log_size;
    struct blob **image; /* the durable full checkpoint: owned */
    size_t image_n;
    struct world_record *records; /* durable, in the order of their keys: owned */
    size_t records_n, records_size;
    uint64_t disk_seq; /* durable up to here in this incarnation */
    uint64_t disk_busy_us;
    struct map kept;   /* durable values: (job, op) -> struct blob */
    struct map values; /* in memory */
    uint64_t compute_busy_us;
    uint64_t op_us; /* of every operation on this node; 0: as options say */
    bool refuses;   /* it returns an error for whatever it should compute */
    uint64_t computed;

    log_index_t checked; /* committed entries that the oracle has seen */

    struct held *held_first, *held_last; /* outputs that wait for the disk */
};

/* A connection from one node to another on a plane. */
struct world_link {
    uint64_t epoch; /* counts connections; what was sent on an older one is lost */
    bool up;
    uint64_t greeted; /* the epoch whose HELLO the receiver has seen */
    incarnation_t greeter;
    uint64_t last_us; /* FIFO: nothing overtakes */
};

/* A client that submits one job after another, each until it has its result. */
struct world_client {
    bool busy;
    char key[JOB_KEY_MAX + 1];
    uint64_t n;       /* the factorial's argument */
    job_id_t job;     /* once accepted */
    uint64_t request; /* outstanding */
    uint64_t retry_us;
    uint64_t submitted_us;
    uint64_t jobs_left, jobs_done;
    uint64_t n_max;
};

/* Somebody who asks one node one thing, again and again until there is an answer that settles it.
 */
struct world_asker {
    struct message *request; /* owned; NULL: idle */
    struct message *answer;  /* owned; of the last request */
    uint64_t number;         /* of the last try */
    uint64_t retry_us;
    void (*done)(struct world *world, unsigned asker); /* may ask the next thing; may be NULL */
};

struct world_counts {
    uint64_t steps, messages, lost, duplicated, crashes, restarts, pauses, cuts, elections,
        jobs_done;
};

struct world {
    struct world_options options;
    uint64_t random, now_us, order;
    struct pending *heap;
    size_t heap_n, heap_size;
    struct world_node nodes[WORLD_NODES_MAX + 1];
    struct world_link links[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1][PLANE_COUNT];
    bool cut[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1]; /* [from][to]: nothing passes */
    struct world_client clients[WORLD_CLIENTS_MAX];
    struct world_asker askers[WORLD_ASKERS_MAX];
    struct map committed;       /* index -> struct blob: the one entry ever committed there */
    node_id_t leaders[1 << 16]; /* by term: who led it, ever */
    struct world_counts counts;
    uint64_t hash; /* of everything that happened: the same seed twice gives the same */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world **world);

/* True when all living nodes have applied the same, and agree on it. */
bool world_is_equal(const struct world *world);

/* Starts a node (on what its disk remembers); kills it as kill -9 does, losing what is not on disk.
 */
void world_start(struct world *world, node_id_t id);
void world_crash(struct world *world, node_id_t id);

/* Empties the disk of a node that is down. */
void world_wipe(struct world *world, node_id_t id);

/* Stops a node as SIGSTOP does, for so long. */
void world_pause(struct world *world, node_id_t id, uint64_t for_us);

/* Cuts or mends one direction between two nodes. */
void world_cut(struct world *world, node_id_t from, node_id_t to, bool cut);

/* Lets a client submit `jobs` factorials of up to n_max, one after another, checking every result.
 */
void world_client(struct world *world, unsigned client, uint64_t jobs, uint64_t n_max);

/* Lets somebody ask a node (takes the request and names the node and a number in it). The answer is
 * there until the next request. */
void world_ask(struct world *world, unsigned asker, node_id_t node, struct message *request);

/* Runs for so long; or until the condition holds (true), at most for so long (false). */
void world_run(struct world *world, uint64_t for_us);
bool world_run_until(struct world *world, bool (*condition)(const struct world *), uint64_t for_us);

/* The node that serves as coordinator in the highest term; NODE_NONE: none. */
node_id_t world_coordinator(const struct world *world);

/* --- workers that fail (failures.c) --- */

/* Lets the node take so long for each operation from now on. */
void world_pace(struct world *world, node_id_t id, uint64_t op_us);

/* Lets the node return an error at once for whatever it should compute, or work again. */
void world_refuse(struct world *world, node_id_t id, bool refuses);

/* Ends a node as SIGTERM does, or (injected) as --fail-exit does. */
void world_stop(struct world *world, node_id_t id, bool injected);

/* For machine.c: what an operation takes on the node, and what becomes of a poisoned one. */
uint64_t failures_op_us(const struct world *world, node_id_t id);
void failures_compute(struct world *world, node_id_t id, const struct compute_op *op,
                      struct computed *computed, uint64_t end_us);

/* A pseudo-random number below the limit. */
uint64_t world_random(struct world *world, uint64_t limit);

/* --- between the files of the world only --- */

enum pending_kind {
    PENDING_WAKE,
    PENDING_DELIVER,
    PENDING_FEED,
    PENDING_DISK,
    PENDING_COMPUTED,
    PENDING_VALUE,
    PENDING_KEPT,
    PENDING_LINK,
    PENDING_CLIENT,
    PENDING_REPLY,
    PENDING_DEATH
};

struct pending {
    uint64_t at_us, order;
    enum pending_kind kind;
    node_id_t to, from;
    incarnation_t incarnation; /* of `to` when it was scheduled; another one ignores it */
    enum plane plane;
    uint64_t epoch;
    struct message *message; /* owned */
    struct value_id id;
    uint64_t seq;
    struct write *writes; /* owned, with their entries */
    size_t n_writes;
    struct computed *computed; /* owned */
    struct blob *blob;         /* owned */
    bool ok;
    unsigned client;
};

void world_post(struct world *world, struct pending *pending);
void world_step(struct world *world, node_id_t id, struct event *event);
void world_say(struct world *world, node_id_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A message as it arrives: encoded and decoded (caller drops). */
struct message *world_transmit(const struct message *message);

void net_send(struct world *world, node_id_t from, enum plane plane, node_id_t to,
              struct message *message);
void net_publish(struct world *world, node_id_t from, struct message *message);
void net_deliver(struct world *world, struct pending *pending);
void net_link(struct world *world, struct pending *pending);
void net_relink(struct world *world, node_id_t from, node_id_t to, enum plane plane);
void net_node_started(struct world *world, node_id_t id);
void net_node_died(struct world *world, node_id_t id);

void machine_output(struct world *world, node_id_t id, const struct output *output);
void machine_pending(struct world *world, struct pending *pending);
void machine_lose(struct world *world, node_id_t id);
void machine_flush_held(struct world *world, node_id_t id);
void machine_restore(struct world *world, node_id_t id);
void machine_wipe(struct world *world, node_id_t id);
void records_write(struct world_node *node, const struct write *write);
void records_restore(struct world *world, node_id_t id);
void records_wipe(struct world_node *node);
void machine_discard_writes(struct write *writes, size_t n);

void asker_reply(struct world *world, unsigned asker, const struct pending *pending);
void asker_wake(struct world *world, unsigned asker);
void askers_clear(struct world *world);
void client_reply(struct world *world, struct pending *pending);
void client_wake(struct world *world, unsigned client);
void client_send(struct world *world, unsigned client);

#endif
