/* rooms.h - a node as the rooms that it consists of: for node.c, and for tests that look inside. */
#ifndef CONCLAVE_CORE_ROOMS_H
#define CONCLAVE_CORE_ROOMS_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "nodes/core/worker/worker.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/step/step.h"
#include "nodes/core/service/service.h"
#include "nodes/core/snapshot/snapshot.h"
#include "shared/base/map.h"

struct node {
    struct step step;
    uint64_t promised_us; /* the deadline that we gave; a step long after it was late */
    uint64_t last_us;     /* of the last step */
    struct raft raft;
    struct state state;
    struct schedule schedule;
    struct worker worker;
    struct ledger ledger;
    struct snapshots snapshots;
    struct service service;
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
