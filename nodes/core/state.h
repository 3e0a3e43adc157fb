/* state.h - the state of a node, shared by the files of nodes/core and by nobody else. */
#ifndef CONCLAVE_CORE_STATE_H
#define CONCLAVE_CORE_STATE_H

#include "nodes/core/link/peers.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/worker/worker.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/step/step.h"
#include "nodes/core/snapshot/snapshot.h"
#include "shared/base/map.h"

/* How long what kind of operation takes: a moving average of nanoseconds per 1024 units of cost
 * (deadlines.c); 0: unknown. */
enum item_kind { ITEM_UNIT, ITEM_COMBINE, ITEM_TEXT, ITEM_KINDS };

struct hold;

/* What the coordinator gives to a worker and gets back. */
struct worker_slot {
    struct hold *first, *last; /* what it has, in the order in which it got it */
    uint64_t outstanding;      /* of these */
    uint64_t busy_us;          /* since when the first of them may be executing */
    unsigned stray; /* heartbeats in which it executed what it does not have from us any more */
    bool slow; /* what waited behind its operation was taken back; it has returned nothing since */
    bool overdue; /* it has overrun a deadline and returned nothing since */
    bool alone;   /* it has an operation that may have killed a worker, and gets no other */
    struct value_id blamed; /* what it was executing when it died; op 0: nothing */
    unsigned errors;        /* results in a row that were errors */
    uint64_t rests_until_us, reserved_until_us;
    uint64_t pace[ITEM_KINDS];
    uint64_t unit_us;    /* moving average of the time a unit takes; 0: unknown */
    uint64_t last_pick;  /* when it was last chosen, in picks */
    uint64_t operations; /* accepted from it in this reign */
    uint64_t conversions;
    struct message *batch; /* the task message being filled; NULL: none */
    size_t batch_bytes;
};

/* --- requests that wait --- */

enum wait_kind { WAIT_JOB, WAIT_SET, WAIT_SNAP, WAIT_SESSION };

struct waiter {
    enum wait_kind kind;
    char key[JOB_KEY_MAX + 1]; /* WAIT_SNAP */
    uint64_t client, request;
    job_id_t job;         /* answered when it is finished ... */
    log_index_t index;    /* ... or, for a submit, when this entry is applied */
    uint64_t deadline_us; /* long poll: answer at the latest then */
};

struct waiters {
    struct waiter *at;
    size_t n, size;
};

/* A read that waits until a majority has confirmed that we still coordinate. */
struct read {
    uint64_t client, round;
    struct message *message; /* owned */
};

struct reads {
    struct read *at;
    size_t n, size;
};

/* --- scheduling (schedule.h) and working (worker.h) --- */

struct run;


struct schedule {
    struct worker_slot slots[NODES_MAX + 1];
    struct map items;                    /* (job, op) -> struct item: operations in the frontier */
    uint64_t picks;                      /* counts choices of a worker */
    uint64_t operations;                 /* accepted in this reign */
    uint64_t reassigned;                 /* handed out again, beyond what the log tells */
    uint64_t copied;                     /* to overtake somebody, in this reign */
    uint64_t pace[ITEM_KINDS];           /* of all workers */
    uint64_t watch_us;                   /* when deadlines are looked at next */
    struct job *active[ACTIVE_JOBS_MAX]; /* jobs being scheduled */
    size_t n_active, turn;               /* whose turn it is to have an operation assigned */
    uint64_t checkpoint_us;              /* when finished operations are logged next */
    uint64_t unlogged, unlogged_bytes;   /* operations finished since, and their values' bytes */
    job_id_t cursor;                     /* jobs up to here were taken up, or are finished */
};

struct node {
    struct step step;
    uint64_t turn_us, turn_own_us; /* as the last event said */
    const char *turn_in;
    uint64_t promised_us; /* the deadline that we gave; a step long after it was late */
    uint64_t last_us;     /* of the last step */
    uint64_t heartbeat_at_us;
    struct raft raft;
    struct state state;
    struct waiters waiters;
    struct reads reads;
    struct schedule schedule;
    struct worker worker;
    struct ledger ledger;
    struct snapshots snapshots;
    struct links links;
};

/* --- small helpers that every core file uses --- */

static inline bool node_is_coordinator(const struct node *node)
{
    return node->raft.election.role == ROLE_COORDINATOR;
}

static inline bool node_serves(const struct node *node)
{
    return raft_serves(&node->raft);
}

#endif
