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
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/offers.h"
#include "nodes/core/raft/raft_types.h"
#include "nodes/core/raft/repair.h"
#include "nodes/core/raft/replica.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/raft/space.h"
#include "nodes/core/raft/sweep.h"

/* What the disk remembers, at start. */
void raft_init(struct raft *raft, const struct node_durable *durable);

/* Time has passed; everything up to a persist sequence is durable; what is due leaves. */
void raft_tick(struct raft *raft);
void raft_persisted(struct raft *raft, uint64_t seq);
void raft_pump(struct raft *raft);
uint64_t raft_deadline(const struct raft *raft);

void raft_clear(struct raft *raft);
void raft_check_invariants(const struct raft *raft);

#endif
