/* replication.h - the coordinator's side of the log: Raft's leader (Ongaro & Ousterhout
 * 2014, 5.3, 5.4.2, 7).
 *
 * A follower is probed with an append; while it agrees, appends are sent ahead of its answers. When
 * it does not, or does not answer, it is probed again, and the answer tells from where. One that is
 * behind the log gets a checkpoint. */
#ifndef CONCLAVE_CORE_REPLICATION_H
#define CONCLAVE_CORE_REPLICATION_H

#include "nodes/core/raft/raft_types.h"

/* This node begins to coordinate. */
void replication_start(struct raft *raft);
void replication_stop(struct raft *raft);

void replication_append_reply(struct raft *raft, node_id_t from,
                              const struct wire_append_reply *reply);
void replication_install_reply(struct raft *raft, node_id_t from,
                               const struct wire_install_reply *reply);

/* A follower's connection was welcomed, or broke: it is probed again. */
void replication_probe(struct raft *raft, node_id_t peer);

/* A follower's heartbeat was taken in: what was sent before it knew us as coordinator is sent
 * again.
 */
void replication_followed(struct raft *raft, node_id_t peer);

/* A follower lives again: what it had, it may have lost with its disk. */
void replication_forget(struct raft *raft, node_id_t peer);

/* Our own log became durable, or a follower's did: commits what a majority of the voters has. */
void replication_advance(struct raft *raft);

/* Asks a majority to confirm that we still coordinate; returns the round to wait for. */
uint64_t replication_confirm(struct raft *raft);

/* The greatest round that a majority has answered. */
uint64_t replication_confirmed(const struct raft *raft);

/* Sends what followers lack. */
void replication_pump(struct raft *raft);

/* When the next of those that have not answered is asked again. */
uint64_t replication_deadline(const struct raft *raft);

void replication_clear(struct raft *raft);
void replication_check_invariants(const struct raft *raft);

#endif
