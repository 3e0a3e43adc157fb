/* follower.h - a follower's side of the log: takes the coordinator's entries and checkpoints
 * in.
 *
 * An entry that refers to a value is appended, and so acknowledged, only when the value is on this
 * node's disk. Until then its append is parked, and those that come after it; the values of all of
 * them are fetched at the same time. */
#ifndef CONCLAVE_CORE_FOLLOWER_H
#define CONCLAVE_CORE_FOLLOWER_H

#include "nodes/core/raft/raft_types.h"

/* A message of our cluster's coordinator, whose term election_accept_coordinator() has accepted,
 * and what that changed was handed on. */
void follower_append(struct raft *raft, node_id_t from, struct message *message);
void follower_install(struct raft *raft, node_id_t from, const struct message *message);

/* It has not: whoever sent the message learns our term. */
void follower_refuse_append(struct raft *raft, node_id_t from, const struct message *message);
void follower_refuse_install(struct raft *raft, node_id_t from, const struct message *message);

/* A value became durable here, is in memory here, or could not be had. */
void follower_value_kept(struct raft *raft, struct value_id id);
void follower_value_ready(struct raft *raft, struct value_id id);
void follower_value_failed(struct raft *raft, struct value_id id);

/* A source says that what is committed since the entry does not name it any more: it need not be
 * here. Whoever becomes coordinator has all of that in its log. */
void follower_value_used(struct raft *raft, struct value_id id);

/* Asks again for values that could not be had. */
void follower_tick(struct raft *raft);
uint64_t follower_deadline(const struct raft *raft);

/* What was half received is dropped. */
void follower_reset(struct raft *raft);

/* Another coordinator, or none: it counts its rounds from the beginning. */
void follower_begin(struct raft *raft);

void follower_clear(struct raft *raft);

#endif
