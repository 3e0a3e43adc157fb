/* journal.h - the log: append, commit, apply, compact. Who decides what is committed is
 * replication.h's business. */
#ifndef CONCLAVE_CORE_JOURNAL_H
#define CONCLAVE_CORE_JOURNAL_H

#include "nodes/core/state.h"

/* Appends an entry of our own term (takes it); returns its index. Only for the coordinator. */
log_index_t journal_propose(struct node *node, struct message *entry);

/* Appends a packed entry of another coordinator (takes a new reference) behind the last one. */
void journal_append(struct node *node, term_t term, struct blob *packed);

/* Forgets the entries from an index on; none of them may be committed. */
void journal_truncate(struct node *node, log_index_t from);

/* The term of an entry, from base on; false when the index lies outside the log. */
bool journal_term(const struct node *node, log_index_t index, term_t *term);
term_t journal_last_term(const struct node *node);

/* The entry at an index in base + 1 .. last (borrows). */
const struct log_entry *journal_at(const struct node *node, log_index_t index);

/* Everything up to a persist sequence is durable. */
void journal_persisted(struct node *node, uint64_t seq);

/* Everything up to an index is committed (never beyond the last entry): applies it, in order. */
void journal_commit(struct node *node, log_index_t index);

/* Writes a full checkpoint and drops the entries that it covers, when there are enough of them:
 * slice by slice, and entries go on being applied meanwhile. */
void journal_compact(struct node *node);

/* The full checkpoint is being written to disk; it is there when the persist is durable. */
void journal_saves(struct node *node, const struct image *image, uint64_t seq);

/* A full checkpoint was loaded: the log begins behind it, empty. */
void journal_reset(struct node *node, log_index_t index, term_t term);

/* Takes an entry from disk in at start. ERR_CORRUPT when it does not continue the log. */
int journal_restore(struct node *node, log_index_t index, term_t term, struct blob *packed);

/* The index of an entry, not yet applied, that submits a job or takes a snap with this key; 0:
 * there is none. */
log_index_t journal_pending_key(const struct node *node, enum message_type type, struct slice key);

/* Number of jobs proposed and not yet applied. */
size_t journal_pending_jobs(const struct node *node);

/* True when an entry that finishes the job waits to be applied. */
bool journal_pending_end(const struct node *node, job_id_t job);

void journal_clear(struct node *node);
void journal_check_invariants(const struct node *node);

#endif
