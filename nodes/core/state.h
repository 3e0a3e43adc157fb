/* state.h - the state of a node, shared by the files of nodes/core and by nobody else. */
#ifndef CONCLAVE_CORE_STATE_H
#define CONCLAVE_CORE_STATE_H

#include "nodes/core/link/peers.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "nodes/core/worker/worker.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/step/step.h"
#include "nodes/core/snapshot/snapshot.h"
#include "shared/base/map.h"

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
