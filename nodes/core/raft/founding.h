/* founding.h - how a cluster comes to be, once (R30).
 *
 * When every voter has said that its disk is blank, and a quorum is alive, the lowest id makes the
 * cluster's identity: a random identifier, the size, the birth of each voter's disk. It and
 * everybody who holds an identity repeats it to whoever has none, so a death at any step is
 * repaired by whoever has the record. A client's `init` founds with
 * those that are there, if they are a quorum.
 *
 * A disk whose birth is in the record is a voter's; any other disk waits for its admission
 * (members.h). No start option founds. */
#ifndef CONCLAVE_CORE_FOUNDING_H
#define CONCLAVE_CORE_FOUNDING_H

#include "nodes/core/raft/raft_types.h"
#include "shared/base/text.h"

/* A peer's heartbeat, whether or not it counts otherwise. */
void founding_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat);

/* A peer said HELLO: it need not wait for its first heartbeat to hear of the cluster. */
void founding_met(struct raft *raft, node_id_t from);

/* A peer tells of a cluster. */
void founding_take(struct raft *raft, node_id_t from, const struct wire_found *found);

/* Founds when it is our turn. */
void founding_tick(struct raft *raft);

/* Until when it waits for nodes that were not heard; UINT64_MAX: it does not. */
uint64_t founding_deadline(const struct raft *raft);

/* A client asks to found with those that are there. */
void founding_init(struct raft *raft, uint64_t client, struct message *request);

/* Says who is missing; nothing when the cluster is founded. */
void founding_reason(const struct raft *raft, struct text *out);

#endif
