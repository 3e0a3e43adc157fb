/* rooms.h - a node as the rooms that it consists of: for node.c and messages.c, which stand above
 * them, and for tests/harness/inside.c, through which tests look inside. */
#ifndef CONCLAVE_CORE_ROOMS_H
#define CONCLAVE_CORE_ROOMS_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/runner/runner.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "nodes/core/uploads/uploads.h"
#include "nodes/core/worker/worker.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/step/step.h"
#include "nodes/core/service/service.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/tasks/tasks.h"

struct node {
    struct step step;
    uint64_t promised_us; /* the deadline that we gave; a step long after it was late */
    uint64_t last_us;     /* of the last step */
    struct raft raft;
    struct state state;
    struct schedule schedule;
    struct worker worker;
    struct uploads uploads;
    struct runner runner;
    struct tasks tasks;
    struct ledger ledger;
    struct snapshots snapshots;
    struct service service;
    struct links links;
};

/* Hands on all that rooms have reported, and what that makes others report: after each entry of a
 * table, and wherever a call may have reported something that the next one must not miss. */
void node_settle(struct node *node);

/* Takes in what another node says (messages.c); borrows the message. Its place on a plane was
 * checked by the runtime; who sent it, too. What is in it was not. */
void node_take_message(struct node *node, enum plane plane, node_id_t from,
                       struct message *message);

#endif
