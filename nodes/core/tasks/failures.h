/* failures.h - what goes wrong with tasks: attempts that fail, workers that die or fail fast, and
 * what is executed at most once. Used inside the room only. */
#ifndef CONCLAVE_CORE_TASK_FAILURES_H
#define CONCLAVE_CORE_TASK_FAILURES_H

#include "nodes/core/tasks/task_schedule.h"

/* What went wrong with the task so far; NULL: nothing did. */
struct task_trouble *failures_of(const struct task_schedule *of, uint64_t task);

/* So many attempts of it failed, or died with their worker. */
uint64_t failures_attempts(const struct task_schedule *of, uint64_t task);

/* These tasks have an outcome: what went wrong with them is of no interest any more. */
void failures_forget(struct task_schedule *of, struct range range);
void failures_clear(struct task_schedule *of);

/* The worker could not begin it, for want of its inputs: that is no attempt, and it is free again
 * after a while. */
void failures_return(struct tasks *tasks, struct task_schedule *of, uint64_t task, node_id_t node);

/* That attempt of the task, and all before it, failed. True: it gets another one, after a while. */
bool failures_retry(struct tasks *tasks, struct task_schedule *of, uint64_t task, uint64_t attempt,
                    node_id_t node);

/* True while it waits for its next attempt. */
bool failures_waits(const struct task_schedule *of, uint64_t task);

/* A worker executes that attempt of it, or has done so. True: the task waited for it, and does not
 * any more. */
bool failures_resume(struct task_schedule *of, uint64_t task, uint64_t attempt);

/* True when a later attempt of it has failed already. */
bool failures_is_earlier(const struct task_schedule *of, uint64_t task, uint64_t attempt);

/* Frees those whose while is over. */
void failures_look(struct tasks *tasks, struct task_schedule *of);
uint64_t failures_deadline(const struct tasks *tasks, const struct task_schedule *of);

/* The tasks, which nobody has in hands, end with the exception; when there are too many, the rest
 * is cancelled. */
void failures_end(struct tasks *tasks, struct task_schedule *of, struct range range,
                  const struct task_exception *exception, const struct task_row *details);

/* An attempt ended there. A worker on which several fail in a row, while others do well, rests. */
void failures_note(struct tasks *tasks, struct task_schedule *of, node_id_t node, bool failed);
bool failures_rests(const struct tasks *tasks, const struct task_schedule *of, node_id_t node);

/* True when another worker than the one on which it failed last could take it. */
bool failures_has_others(const struct tasks *tasks, const struct task_schedule *of,
                         const struct task_trouble *trouble);

/* The worker has a task of which another one died: it gets nothing beside it. */
bool failures_are_alone(const struct task_slot *slot);

/* The tasks are to be given when the log says so. */
void failures_begin(struct tasks *tasks, struct task_hand *hand);

/* What may have been begun and nobody has told of is lost. */
void failures_lose_unsure(struct tasks *tasks, struct task_schedule *of);

#endif
