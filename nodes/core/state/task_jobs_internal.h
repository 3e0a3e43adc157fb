/* task_jobs_internal.h - between the files of the table of tasks only: task_jobs.c (what entries
 * make of it) and task_jobs_table.c (how the state handles it). */
#ifndef CONCLAVE_CORE_TASK_JOBS_INTERNAL_H
#define CONCLAVE_CORE_TASK_JOBS_INTERNAL_H

#include "nodes/core/state/task_jobs.h"

/* Puts a new row in its place. */
struct task_job *task_jobs_insert(struct task_jobs *jobs, job_id_t id, uint64_t total);

/* The first row with a greater id, as an index into at[]. */
size_t task_jobs_after(const struct task_jobs *jobs, job_id_t after);

void task_job_destroy(struct task_job **job);

/* The tasks of the range that have no outcome get this one. */
void task_job_decide(struct task_job *job, struct range tasks,
                     const struct task_exception *exception);
void task_job_add_segment(struct task_job *job, const struct wire_task_segment *segment);
void task_job_add_bundle(struct task_job *job, const struct wire_task_bundle *bundle);
void task_job_add_start(struct task_job *job, const struct wire_task_start *start);

/* Bundles as messages have them: as many from the one on as a part of a checkpoint takes. */
struct wire_task_bundle *task_job_write_bundles(struct message *message, const struct task_job *job,
                                                size_t from, size_t *n);

/* Calls for each value of the bundle. */
void task_bundle_values(const struct wire_task_bundle *bundle, node_id_t source, job_id_t job,
                        machine_value *each, void *context);

/* --- entries --- */

bool task_jobs_check(const struct message *entry);
struct job *task_jobs_apply(struct state *state, log_index_t index, term_t term,
                            const struct message *entry);

#endif
