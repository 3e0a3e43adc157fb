/* health.h - who is no use though its heartbeats arrive: a node whose log stands still, a disk that
 * hangs without failing, a coordinator whose entries nobody acknowledges (R35, R36).
 *
 * All of it is told by progress, never by life: what was committed at some time must be applied and
 * acknowledged some time later, what waits must move. */
#ifndef CONCLAVE_CORE_HEALTH_H
#define CONCLAVE_CORE_HEALTH_H

#include "nodes/core/raft/raft_types.h"

/* Takes in what an event says of the disk and of values, before the event itself. */
void health_note(struct raft *raft, const struct event *event);

/* A peer acknowledged more of the log than before, or of a checkpoint. */
void health_moved(struct raft *raft, node_id_t peer);

/* A heartbeat of a peer came. */
void health_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat);

/* Looks who is level, and says on the feed who is no longer, or is again. */
void health_tick(struct raft *raft);

/* Sees what of the coordinator's began to wait in this step, or waits no longer: a step that only
 * time brings about comes when it has waited for too long, and need not come before. */
void health_pump(struct raft *raft);

/* When a coordinator must make way, or a node is behind, unless something moves until then. */
uint64_t health_deadline(const struct raft *raft);

/* Why a coordinator must make way (one line, static); NULL: it need not. */
const char *health_stall(const struct raft *raft);

/* True while a node should leave elections to others. */
bool health_rests(const struct raft *raft);

/* For so long, in milliseconds, the node has been behind, or its disk stalls; 0: it is not. */
uint64_t health_behind_ms(const struct raft *raft, node_id_t id);
uint64_t health_stalled_ms(const struct raft *raft, node_id_t id);

/* True when a coordinator serves, all nodes are alive, none is behind, none stalls, and all voters'
 * disks count. */
bool health_is_good(const struct raft *raft);

/* How many more voters may stop such that a quorum of the others is alive, admitted and level. */
uint32_t health_may_fail(const struct raft *raft);

#endif
