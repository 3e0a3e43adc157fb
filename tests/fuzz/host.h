/* host.h - one node, and the outside as the runtime promises it to be: a disk, an executor, values
 * on disk and clients that wait. Each wait ends in one event, in whatever order the fuzzer likes;
 * what the node puts out is checked against its own promises. */
#ifndef CONCLAVE_FUZZ_HOST_H
#define CONCLAVE_FUZZ_HOST_H

#include "nodes/core/node.h"
#include "tests/harness/entries.h"
#include "tests/harness/records.h"

#define HOST_WAITS_MAX   256
#define HOST_CLIENTS_MAX 64
#define HOST_HEARD_MAX   14 /* numbers that the node has sent lately */
#define HOST_TASKS_MAX   8
#define HOST_SELF        1
#define HOST_BIRTH       77 /* of its disk; a peer's is 100 + its id, and so is its incarnation */

/* A transaction that is not durable yet. */
struct host_persist {
    uint64_t seq;
    struct write *writes; /* owned, with what they hold */
    size_t n;
};

/* A value that is fetched, or is being kept. */
struct host_wait {
    bool fetch;
    enum value_user user;
    struct value_id id;
    node_id_t from;
};

/* An operation that the node has given to a peer; or tasks; or it has asked for those that the peer
 * has (`asked`), in the term `attempt`. */
struct host_task {
    node_id_t to;
    uint64_t job, op, attempt;
    bool text, asked;
    uint64_t count, hand; /* of tasks, of which `op` is the first; 0: it is an operation */
};

struct host {
    struct node *node;
    struct node_config config;
    uint64_t now_us, boots;

    /* What is durable. */
    struct node_durable durable;
    struct entries log;
    struct checkpoint *checkpoint; /* owned; NULL: none */
    struct records records;
    struct value_id *kept;
    size_t n_kept;

    /* What is under way. */
    struct host_persist persists[HOST_WAITS_MAX];
    size_t n_persists;
    uint64_t seq;
    struct compute_op ops[HOST_WAITS_MAX]; /* their blobs: owned references */
    size_t n_ops;
    struct host_wait waits[HOST_WAITS_MAX];
    size_t n_waits;
    bool listing;
    job_id_t list_job;
    struct value_id list_after;
    uint64_t clients[HOST_CLIENTS_MAX], next_client;
    size_t n_clients;

    /* What the node has said, for a forger to take up. */
    uint64_t heard[HOST_HEARD_MAX], n_heard;
    struct host_task tasks[HOST_TASKS_MAX];
    uint64_t n_tasks;

    /* Where messages, replies and what is published go, if anybody wants them; borrowed. */
    void (*post)(void *context, const struct host *host, const struct output *output);
    void *post_context;
};

/* Node 1 of a cluster of so many nodes and voters: its configuration, and a disk that was founded.
 * `limits`: bits that choose smaller ones. Zero-initialized before. */
void host_init(struct host *host, uint32_t n_nodes, uint32_t n_voters, unsigned limits);

/* Starts a node on the disk as it is. ERR_CORRUPT: it refuses it, and is gone again. */
int host_try(struct host *host);

/* The same; what the node has written itself it never refuses. */
void host_start(struct host *host);

/* Puts on its disk what somebody else has made. */
void host_write(struct host *host, const struct write *write);

/* Time passes, as for a cluster of this node alone, and all that it waits for comes: it leads, and
 * applies what is in its log. */
void host_settle(struct host *host);

/* Ends it: what is not durable is lost. */
void host_crash(struct host *host);

/* Both, and frees everything. */
void host_end(struct host *host);

/* One step: its outputs are taken in, and what must hold of the node holds. */
void host_step(struct host *host, struct event event);

/* Each ends one wait, which `which` chooses, if there is one. */
void host_persisted(struct host *host, bool all);
void host_compute(struct host *host, size_t which, bool fails);
void host_value(struct host *host, size_t which, bool fails, bool used);
void host_list(struct host *host);

/* A client asks (takes the message); it is answered once, now or later. */
void host_ask(struct host *host, struct message *request);

/* The same, by who is given; returns the client's number, 0: too many wait. */
uint64_t host_ask_as(struct host *host, struct message *request, const struct asker *asker);

/* All up to this sequence is durable. */
uint64_t host_durable(const struct host *host);

#endif
