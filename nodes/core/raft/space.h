/* space.h - full disks: what a node does when its own is, and what a coordinator does when others'
 * are.
 *
 * The store keeps a reserve on disk for what must go on: terms, votes, and what was promised before
 * the disk filled up. A node with a full disk therefore votes and works, but takes in no new
 * entries of the log; while too few voters can take them in, the coordinator
 * accepts nothing new. */
#ifndef CONCLAVE_CORE_SPACE_H
#define CONCLAVE_CORE_SPACE_H

#include "nodes/core/raft/raft_types.h"
#include "shared/base/text.h"

/* Our disk has become full, or has room again. */
void space_event(struct raft *raft, bool full);

/* True when the peer said so in its last heartbeat. */
bool space_peer_is_full(const struct raft *raft, node_id_t id);

/* True when a majority of the voters can write, as far as we know; else says why in `reason`, which
 * may be NULL. */
bool space_suffices(const struct raft *raft, struct text *reason);

#endif
