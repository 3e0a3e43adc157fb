/* pulls.h - the coordinator gets what tasks have left beside their outcomes: the values of a bundle
 * (shared/tasks/bundle.h), which their worker made. Used inside the room only.
 *
 *   told --> pulled piece by piece --> taken in as any outcome
 *               |  ^
 *               |  '-- another try --.
 *               '-- cannot be had ---'--> its attempt has failed, for that reason
 *
 * Until then the task is in its worker's hands. A piece counts when it is on the disks of a
 * majority: it is offered as any value (offers.h), and looked for here first. A worker that is lost
 * takes its pulls with it, and tells again when it is back. */
#ifndef CONCLAVE_CORE_TASK_PULLS_H
#define CONCLAVE_CORE_TASK_PULLS_H

#include "nodes/core/tasks/task_schedule.h"

/* True when the outcome has values that are to be pulled before it counts, and is now one of them:
 * it is taken in later. */
bool pulls_begin(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                 struct message *message, const struct wire_task_outcome *outcome);

/* Nobody needs those of a worker, or of a job, any more; NODE_NONE and JOB_NONE: any. */
void pulls_end(struct tasks *tasks, node_id_t from, job_id_t job);

void pulls_pump(struct tasks *tasks);
uint64_t pulls_deadline(const struct tasks *tasks);

/* A value is in memory, on disk, or neither. */
void pulls_value_ready(struct tasks *tasks, struct value_id id);
bool pulls_value_kept(struct tasks *tasks, struct value_id id);
bool pulls_value_failed(struct tasks *tasks, struct value_id id);

#endif
