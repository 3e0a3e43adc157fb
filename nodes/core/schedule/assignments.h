/* holds.h - who holds what: each worker's queue, as the coordinator sees it. */
#ifndef CONCLAVE_SCHEDULE_ASSIGNMENTS_H
#define CONCLAVE_SCHEDULE_ASSIGNMENTS_H

#include "nodes/core/schedule/run.h"

/* The item goes to the worker, behind what that has already. */
void assignment_begin(struct schedule *schedule, struct item *item, node_id_t worker);

/* Takes an item out of a worker's hands; of all of them. */
void assignment_end(struct schedule *schedule, struct assignment *hold);
void holds_end(struct schedule *schedule, struct item *item);

/* The hold of that worker on the item, or NULL. */
struct assignment *assignment_of(struct item *item, node_id_t worker);
unsigned holds_count(const struct item *item);

/* What the worker executes now: what it said with its last heartbeat, while it has that still; else
 * what it has had longest. NULL: nothing. */
struct assignment *assignment_executing(const struct schedule *schedule, node_id_t worker);

/* Takes an item out of a worker's hands, and hands it out again when nobody else has it. `cancel`:
 * the worker is told to drop it. */
void hold_take_back(struct schedule *schedule, struct assignment *hold, bool cancel);

/* Tells a worker to drop an operation, or the whole job when it is 0. */
void hold_cancel(struct schedule *schedule, node_id_t worker, job_id_t job, op_id_t op);

#endif
