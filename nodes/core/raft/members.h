/* members.h - whose votes and acknowledgements count: the voters' disks, by the log.
 *
 * A voter counts when it claims to be one (its disk was there at the founding, or has applied its
 * own admission) and when its disk is the one that the log names: by the last entry
 * `voter_admitted` for it in our log, committed or not, else by the applied state. By the log,
 * because after a restart the applied state is the checkpoint's.
 *
 * An admission is committed by a full quorum that does not count the disk that it admits. A vote
 * quorum that counted a vote of the disk before, which the new one cannot know, has q - 1 others,
 * and q - 1 + q > n - 1: the two share a voter, whose log has the admission, and which gives no
 * vote to a candidate without it. So a forgotten vote does no harm (R31). */
#ifndef CONCLAVE_CORE_MEMBERS_H
#define CONCLAVE_CORE_MEMBERS_H

#include "nodes/core/raft/raft_types.h"

/* The cluster is founded: these are its voters' disks. */
void members_found(struct raft *raft, const struct identity *identity);

void members_init(struct raft *raft, const struct node_durable *durable);

/* The same for what a peer sent; another cluster's is complained about. */
bool members_accepts(struct raft *raft, node_id_t from, struct slice cluster_id);

/* One of the ids that vote, whatever its disk. */
bool members_is_voter(const struct raft *raft, node_id_t id);

/* The log names this voter's present disk, or none yet. Says nothing of what it has applied. */
bool members_is_named(const struct raft *raft, node_id_t id);

/* True when this voter's votes and acknowledgements count; of ourselves, too. */
bool members_counts(const struct raft *raft, node_id_t id);

/* members_counts(), but a peer that has just restarted, and has not said from which disk, is given
 * time. */
bool members_may_count(const struct raft *raft, node_id_t id);

/* --- what peers say --- */

/* A peer's HELLO or heartbeat tells of its disk. */
void members_learn(struct raft *raft, node_id_t from, struct slice cluster_id, incarnation_t birth);

/* A new incarnation of a peer: nothing is known of its disk. */
void members_forget(struct raft *raft, node_id_t peer);

/* Its answer claims (or not) that it votes. Only answers count, the last one of its connection:
 * heartbeats keep no order, and an old one may claim what its disk no longer does. */
void members_claims(struct raft *raft, node_id_t from, bool voter);

/* True when the peer is heard to belong to our cluster: before, it would take nothing in. */
bool members_is_member(const struct raft *raft, node_id_t peer);

/* True when the peer belongs to another cluster than we do. */
bool members_is_foreign(const struct raft *raft, node_id_t peer);

/* True when kinds of entries of that level (schema/entry.h) may be proposed: a quorum of the voters
 * lives and knows them, and so does everybody else who lives. Who is away with an earlier release
 * takes none of them in when it comes back: it stands still until it is replaced, too. `without`
 * (may be NULL): a node that does not know them; NODE_NONE: too few voters are heard. */
bool members_know_entries(const struct raft *raft, uint64_t level, node_id_t *without);

/* --- admissions in the log --- */

/* An entry was restored from disk, or appended. */
void members_restored(struct raft *raft, log_index_t index, const struct blob *packed);
void members_appended(struct raft *raft, log_index_t index, const struct blob *packed);

/* Entries from `from` on are cut off. */
void members_cut(struct raft *raft, log_index_t from);

/* An admission is committed. */
void members_apply(struct raft *raft, log_index_t index,
                   const struct wire_entry_voter_admitted *entry);

/* A checkpoint replaced the log; `births` are those of its head. */
void members_installed(struct raft *raft);

/* Nobody has said how many vote: the cluster that this node joins does. */
bool members_is_open(const struct raft *raft);

/* Whether a peer may be met: not when it is of another cluster, or of one of another size. Then why
 * is complained about. */
bool members_welcomes(struct raft *raft, node_id_t from, const struct wire_hello *hello);

/* Proposes what is due, as the coordinator: one admission at a time. */
void members_pump(struct raft *raft);

void members_clear(struct raft *raft);

#endif
