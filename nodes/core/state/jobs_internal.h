/* jobs_internal.h - between jobs.c (the table) and frontier.c (what is done of its jobs) only. */
#ifndef CONCLAVE_CORE_JOBS_INTERNAL_H
#define CONCLAVE_CORE_JOBS_INTERNAL_H

#include "nodes/core/state/jobs.h"

/* Puts a new job into the order of ids. */
struct job *jobs_insert(struct jobs *jobs, job_id_t id, struct slice key, const struct plan *plan,
                        unsigned level);

/* True when an entry about finished operations holds what it must. */
bool jobs_done_is_valid(const struct message *entry);

/* Takes the finished operations of an entry in; nothing for a job that is unknown or finished. */
void jobs_apply_ops(struct jobs *jobs, const struct message *entry);

void job_clear_frontier(struct job *job);

void jobs_set_state(struct jobs *jobs, struct job *job, enum job_state state);

#endif
