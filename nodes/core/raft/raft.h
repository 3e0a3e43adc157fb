/* raft.h - the replicated log: who coordinates, what is committed, who holds it, and the values
 * that entries name.
 *
 * The door of the room: what others may use of it. */
#ifndef CONCLAVE_CORE_RAFT_H
#define CONCLAVE_CORE_RAFT_H

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/follower.h"
#include "nodes/core/raft/founding.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/journal.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/raft_types.h"
#include "nodes/core/raft/repair.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/raft/space.h"
#include "nodes/core/raft/sweep.h"

#endif
