/* worker.h - what a node does with the operations that the coordinator hands to it.
 *
 *   waiting (operands are fetched) --> ready --> computing --> returned */
#ifndef CONCLAVE_CORE_WORKER_H
#define CONCLAVE_CORE_WORKER_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/worker/held_values.h"

struct work;
struct message;

/* Results that are to be sent in one message. */
struct result_batch {
    struct message *message; /* owned; NULL: none */
    node_id_t to;
    size_t bytes;
    uint64_t since_us;
};

/* An operation at the compute thread. */
struct submitted {
    struct value_id id;
    uint64_t attempt;
    bool cancelled; /* nobody wants its result */
    node_id_t tell; /* cancelled: what it cost is told to this node; NODE_NONE: to nobody */
};

/* Zero-initialize, then set the first four. */
struct worker {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct state *state;
    term_t term; /* of the coordinator whose tasks these are */
    struct work *first, *last;
    uint64_t queued;    /* operations waiting or executing */
    uint64_t followers; /* of these, with operands that operations before them make, or made */
    bool stranded;      /* some of these are to go back */
    struct result_batch results; /* held back while what follows them is executed */
    unsigned computing;          /* of these, at the compute thread */
    /* At the executor, which executes the first, as many as the node has slots: of the queue, and
     * what was dropped since. */
    struct submitted submitted[COMPUTE_IN_FLIGHT];
    size_t n_submitted;
    struct held_values held; /* kept here for others */
    unsigned begun;          /* operations that have their operands, or read them from disk */
    uint64_t taken_bytes;    /* that the results of these may have */
    bool pressed;            /* held values take more memory than they may, and the disk no more */
    bool unspillable;        /* the disk had no room for the last one that was to be spilled ... */
    uint64_t spill_us;       /* ... and none is tried before */
    uint64_t operations, conversions; /* executed in this incarnation */
    struct map executed; /* job -> its operations executed in this incarnation, all included */
};

/* A task message of the coordinator. */
void worker_task(struct worker *worker, node_id_t from, const struct message *message);

/* The coordinator ended a job, or (op not 0) an operation of it: drop its values and what is queued
 * of it. */
void worker_release(struct worker *worker, node_id_t from, job_id_t job, op_id_t op);

/* The operation that is executed, of several the one that was begun first; op 0: none. */
struct value_id worker_executing(const struct worker *worker);

/* True when the values held here take more memory than they may, and none can be spilled. */
bool worker_is_pressed(const struct worker *worker);

void worker_computed(struct worker *worker, const struct computed *results, size_t n);

/* A fetched operand is there, or cannot be had. */
void worker_value_ready(struct worker *worker, struct value_id id);
void worker_value_failed(struct worker *worker, struct value_id id);

/* OUTPUT_SPILL: a held value is on disk now, or in memory again; or that could not be done. */
void worker_spilled(struct worker *worker, const struct spill_end *end);

/* Gives back what has waited for operands beyond its deadline. */
void worker_tick(struct worker *worker);

/* Another term's coordinator begins: nothing of an older one's work counts. */
void worker_reset(struct worker *worker, term_t term);

/* Hands ready operations to the compute thread. */
void worker_pump(struct worker *worker);
uint64_t worker_deadline(const struct worker *worker);

void worker_clear(struct worker *worker);
void worker_check_invariants(const struct worker *worker);

/* Its part of a snapshot: every operation that waits or is executed here. */
extern const struct participant worker_participant;

#endif
