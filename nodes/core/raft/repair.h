/* repair.h - values that the state names and that this node's disk has lost, or has damaged: they
 * are fetched from any other node that has them, and written again.
 *
 *   lost --> fetching (one node after another) --> writing --> sound */
#ifndef CONCLAVE_CORE_REPAIR_H
#define CONCLAVE_CORE_REPAIR_H

#include "nodes/core/raft/raft_types.h"

/* EVENT_VALUE_LOST. Beyond REPAIRS_MAX nothing is begun: who looks at the disk finds it again. */
void repair_lost(struct raft *raft, struct value_id id);

void repair_value_ready(struct raft *raft, struct value_id id);
void repair_value_failed(struct raft *raft, struct value_id id);
void repair_value_kept(struct raft *raft, struct value_id id);

void repair_tick(struct raft *raft);
uint64_t repair_deadline(const struct raft *raft);

#endif
