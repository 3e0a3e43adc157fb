/* journal.h - the log: append, commit, apply, compact. Who decides what is committed is
 * replication.h's business. */
#ifndef CONCLAVE_CORE_JOURNAL_H
#define CONCLAVE_CORE_JOURNAL_H

#include "nodes/core/raft/raft_types.h"

/* Appends an entry of our own term (takes it); returns its index. Only for the coordinator. */
log_index_t journal_propose(struct raft *raft, struct message *entry);

/* Appends a packed entry of another coordinator (takes a new reference) behind the last one. */
void journal_append(struct raft *raft, term_t term, struct blob *packed);

/* Forgets the entries from an index on; none of them may be committed. */
void journal_truncate(struct raft *raft, log_index_t from);

/* The term of an entry, from base on; false when the index lies outside the log. */
bool journal_term(const struct raft *raft, log_index_t index, term_t *term);
term_t journal_last_term(const struct raft *raft);

/* The entry at an index in base + 1 .. last (borrows). */
const struct log_entry *journal_at(const struct raft *raft, log_index_t index);

/* Everything up to a persist sequence is durable. */
void journal_persisted(struct raft *raft, uint64_t seq);

/* Everything up to an index is committed (never beyond the last entry): applies it, in order. */
void journal_commit(struct raft *raft, log_index_t index);

/* Writes a full checkpoint and drops the entries that it covers, when there are enough of them:
 * slice by slice, and entries go on being applied meanwhile. */
void journal_compact(struct raft *raft);

/* When it is looked next whether one would free values, though there are few entries. */
uint64_t journal_deadline(const struct raft *raft);

/* The full checkpoint is being written to disk; it is there when the persist is durable. */
void journal_saves(struct raft *raft, const struct image *image, uint64_t seq);

/* A full checkpoint was loaded: the log begins behind it, empty. */
void journal_reset(struct raft *raft, log_index_t index, term_t term);

/* Takes an entry from disk in at start. ERR_CORRUPT when it does not continue the log. */
int journal_restore(struct raft *raft, log_index_t index, term_t term, struct blob *packed);

/* What was proposed here under an index in applied + 1 .. last (borrows); NULL: another coordinator
 * made it, and it is unpacked when it is applied. */
const struct message *journal_waiting(const struct raft *raft, log_index_t index);

void journal_clear(struct raft *raft);
void journal_check_invariants(const struct raft *raft);

#endif
