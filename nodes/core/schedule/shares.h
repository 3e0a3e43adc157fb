/* shares.h - who gets a worker's slots: operations, or tasks.
 *
 * A worker that was given --slots executes so many operations and commands at a time, together.
 * While jobs of both sorts have something to hand out, each sort has a share of them by its number
 * of jobs, one at least; the jobs of a sort take turns as ever. A single slot goes to both in turn.
 * What one sort does not want is for the other. */
#ifndef CONCLAVE_SCHEDULE_SHARES_H
#define CONCLAVE_SCHEDULE_SHARES_H

#include "nodes/core/schedule/schedule.h"

/* Operations that the worker executes at the same time, at most. */
uint64_t shares_slots(const struct schedule *schedule, node_id_t worker);

/* Operations that the worker may be given to execute at the same time, those that it has included;
 * 0: none now. */
uint64_t shares_of_operations(const struct schedule *schedule, node_id_t worker);

/* True when tasks are in work that share the worker's slots with operations. */
bool shares_with_tasks(const struct schedule *schedule, node_id_t worker);

#endif
