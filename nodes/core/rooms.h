/* rooms.h - a node as the rooms that it consists of: for node.c, and for tests/harness/inside.c,
 * through which tests look inside. */
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

#endif
