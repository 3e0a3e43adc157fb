/* task_entries.h - entries about jobs of tasks, for tests of the replicated state. Each function
 * makes an entry, which the caller drops. */
#ifndef CONCLAVE_HARNESS_TASK_ENTRIES_H
#define CONCLAVE_HARNESS_TASK_ENTRIES_H

#include "nodes/core/state/state.h"

/* A job of n tasks; `options` may be NULL. */
struct message *task_entry_submitted(const char *key, uint64_t n,
                                     const struct wire_task_options *options, job_id_t parent);

/* The tasks of the range are done (state "done"), or ended so: then with an exit status. */
struct message *task_entry_ended(job_id_t job, struct range tasks, const char *state,
                                 uint64_t exit);

/* Adds to it a value with details of so many bytes. */
void task_entry_name(struct message *entry, op_id_t op, uint64_t len);

/* Adds to it a bundle of so many bytes. */
void task_entry_leave(struct message *entry, op_id_t op, uint64_t len);

/* The tasks may have begun at a node. */
struct message *task_entry_started(job_id_t job, struct range tasks, node_id_t node,
                                   incarnation_t incarnation);

/* Applies the entry (takes it) as the next one of the term; returns what state_apply() does. */
struct job *task_entry_apply(struct state *state, term_t term, struct message *entry);

/* Jobs of tasks in whose rows each field has something. */
void task_entries_fill(struct state *state, term_t term);

#endif
