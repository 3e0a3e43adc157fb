/* assignments.h - who holds what: each worker's queue, as the coordinator sees it. */
#ifndef CONCLAVE_SCHEDULE_ASSIGNMENTS_H
#define CONCLAVE_SCHEDULE_ASSIGNMENTS_H

#include "nodes/core/schedule/job_schedule.h"

/* The operation goes to the worker, behind what that has already. */
void assignment_begin(struct schedule *schedule, struct open_op *open, node_id_t worker);

/* Takes an operation out of a worker's hands; of all of them. */
void assignment_end(struct schedule *schedule, struct assignment *assignment);
void assignments_end(struct schedule *schedule, struct open_op *open);

/* The assignment of that worker on the operation, or NULL. */
struct assignment *assignment_of(struct open_op *open, node_id_t worker);
unsigned assignments_count(const struct open_op *open);

/* What the worker executes now: what it said with its last heartbeat, while it has that still; else
 * what it has had longest. NULL: nothing. */
struct assignment *assignment_executing(const struct schedule *schedule, node_id_t worker);

/* All that it executes now, as far as is known: so many as it has slots. Returns how many. */
size_t assignments_executing(const struct schedule *schedule, node_id_t worker,
                             struct assignment *out[COMPUTE_IN_FLIGHT]);

/* Since when the worker may be executing one of these. */
uint64_t assignment_busy_us(const struct schedule *schedule, const struct assignment *assignment);

/* Takes an operation out of a worker's hands, and hands it out again when nobody else has it.
 * `cancel`: the worker is told to drop it. */
void assignment_take_back(struct schedule *schedule, struct assignment *assignment, bool cancel);

/* Tells a worker to drop an operation, or the whole job when it is 0. */
void assignment_cancel(struct schedule *schedule, node_id_t worker, job_id_t job, op_id_t op);

#endif
