/* service_types.h - what clients ask of a node, and what it publishes of itself. */
#ifndef CONCLAVE_CORE_SERVICE_TYPES_H
#define CONCLAVE_CORE_SERVICE_TYPES_H

#include "nodes/core/ledger/ledger.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/state/state.h"
#include "nodes/core/uploads/uploads.h"
#include "nodes/core/tasks/tasks.h"
#include "nodes/core/worker/worker.h"

/* --- requests that wait --- */

enum wait_kind {
    WAIT_JOB,
    WAIT_SET,
    WAIT_SNAP,
    WAIT_SESSION,
    WAIT_FORGET,
    WAIT_ACCESS,
    WAIT_VALUE,   /* a stored value is begun, or whole */
    WAIT_DROP,    /* one is dropped */
    WAIT_SEGMENT, /* a segment is committed, or given up: for no entry */
};

struct waiter {
    enum wait_kind kind;
    char key[KEY_STORED_MAX + 1]; /* WAIT_SNAP */
    uint64_t client, request;
    struct asker asker;
    job_id_t job;             /* answered when it is finished ...; of others, a number of theirs */
    log_index_t index;        /* ... or, for a submit, when this entry is applied */
    uint64_t deadline_us;     /* long poll: answer at the latest then */
    uint64_t segment, offset; /* WAIT_SEGMENT: of the stored value `job` */
    bool created;             /* WAIT_VALUE: the entry makes it */
    struct message *reply;    /* WAIT_DROP: owned */
};

struct waiters {
    struct waiter *at;
    size_t n, size;
};

/* A read that waits until a majority has confirmed that we still coordinate. */
struct read {
    uint64_t client, round;
    struct asker asker;
    struct message *message; /* owned */
};

/* Those from `first` on wait, in the order in which they came. */
struct reads {
    struct read *at;
    size_t first, n, size;
};

/* What of the last heartbeat others act on: while it is still so, the next one can wait. */
struct heartbeat_told {
    log_index_t applied, committed;
    uint64_t fetched, operations, held;
    uint64_t rejected, refused, forbidden;
    uint64_t access_version;
    bool full, pressed, voter;
};

/* Zero-initialize, then set the first nine. */
struct service {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct state *state;
    struct worker *worker;
    struct schedule *schedule;
    struct tasks *tasks;
    struct ledger *ledger;
    struct snapshots *snapshots;
    struct uploads *uploads;
    struct waiters waiters;
    size_t segments; /* waiters for one */
    struct reads reads;
    const struct asker *asker; /* of the request that is being answered; NULL: nobody with a key */
    struct map signers;        /* key -> struct signer: counters of signatures; owned */
    uint64_t signers_floor;
    struct map audits; /* client -> struct audit: changes that are not answered; owned */
    struct heartbeat_told told;
    uint64_t heartbeat_at_us;   /* the next heartbeat is due ... */
    uint64_t heartbeat_rest_us; /* ... or then, while there is nothing to tell */
    struct turn_report turn;    /* as the last event said */
    uint64_t starved_us;        /* likewise */
    struct histogram syncs;     /* as the last event that told of it */
};

#endif
