/* log.h - the log: append, commit, apply, compact. Who decides what is committed is
 * replication.h's business. */
#ifndef CONCLAVE_RAFT_LOG_H
#define CONCLAVE_RAFT_LOG_H

#include "nodes/core/raft/raft_types.h"

/* Appends an entry of our own term (takes it); returns its index. Only for the coordinator. */
log_index_t raft_log_propose(struct raft *raft, struct message *entry);

/* Appends a packed entry of another coordinator (takes a new reference) after the last one, and
 * takes the same entry unpacked, for when it is applied. */
void raft_log_append(struct raft *raft, term_t term, struct blob *packed, struct message *entry);

/* Forgets the entries from an index on; none of them may be committed. */
void raft_log_truncate(struct raft *raft, log_index_t from);

/* The term of an entry, from base on; false when the index lies outside the log. */
bool raft_log_term(const struct raft *raft, log_index_t index, term_t *term);
term_t raft_log_last_term(const struct raft *raft);

/* The entry at an index in base + 1 .. last (borrows). */
const struct log_entry *raft_log_at(const struct raft *raft, log_index_t index);

/* Everything up to a persist sequence is durable. */
void raft_log_persisted(struct raft *raft, uint64_t seq);

/* Everything up to an index is committed (never beyond the last entry): applies it, in order. */
void raft_log_commit(struct raft *raft, log_index_t index);

/* Writes a checkpoint and drops the entries that it covers, when there are enough of them:
 * slice by slice, and entries go on being applied meanwhile. */
void raft_log_compact(struct raft *raft);

/* When it is looked next whether one would free values, though there are few entries. */
uint64_t raft_log_deadline(const struct raft *raft);

/* The checkpoint is being written to disk, so many bytes of it; it is there when the persist is
 * durable. */
void raft_log_saves(struct raft *raft, const struct checkpoint *checkpoint, uint64_t bytes,
                    uint64_t seq);

/* A checkpoint was loaded: the log begins after it, empty. */
void raft_log_reset(struct raft *raft, log_index_t index, term_t term);

/* Takes an entry from disk in at start. ERR_CORRUPT when it does not continue the log. */
int raft_log_restore(struct raft *raft, log_index_t index, term_t term, struct blob *packed);

/* The entry at an index in applied + 1 .. last (borrows); NULL: it came from disk, and is unpacked
 * when it is applied. */
const struct message *raft_log_waiting(const struct raft *raft, log_index_t index);

void raft_log_clear(struct raft *raft);
void raft_log_check_invariants(const struct raft *raft);

#endif
