/* journal.h - the log of entries: propose, commit, apply.
 *
 * In this version an entry commits when it is on this node's own disk. Replication slides in
 * between: what proposes and what applies will not notice. */
#ifndef CONCLAVE_CORE_JOURNAL_H
#define CONCLAVE_CORE_JOURNAL_H

#include "nodes/core/state.h"

/* Appends an entry of our own term (takes it); returns its index. Only for the coordinator. */
log_index_t journal_propose(struct node *node, struct message *entry);

/* Everything up to a persist sequence is durable: commits and applies what became so. */
void journal_persisted(struct node *node, uint64_t seq);

/* Takes an entry from disk in at start. ERR_CORRUPT when it does not continue the log. */
int journal_restore(struct node *node, log_index_t index, term_t term, const struct message *entry);

/* The index of a proposal, not yet applied, that submits a job with this key; 0: there is none. */
log_index_t journal_pending_key(const struct node *node, struct slice key);

/* Number of jobs proposed and not yet applied. */
size_t journal_pending_jobs(const struct node *node);

/* True when a proposal that finishes the job waits to be applied. */
bool journal_pending_end(const struct node *node, job_id_t job);

void journal_clear(struct node *node);
void journal_check_invariants(const struct node *node);

#endif
