/* completions.h - what the coordinator logs about its work, and how a new one continues.
 *
 * Finished operations are logged together, every checkpoint interval or so many bytes of values. A
 * value that was used up in between is not logged at all: what used it is. */
#ifndef CONCLAVE_CORE_COMPLETIONS_H
#define CONCLAVE_CORE_COMPLETIONS_H

#include "nodes/core/schedule/assignments.h"

/* An operation is finished: it will be in the next checkpoint. */
void completions_note(struct schedule *schedule, const struct open_op *open);

/* Logs what is finished, when it is time. */
void completions_pump(struct schedule *schedule);

/* When it is time; UINT64_MAX: nothing waits. */
uint64_t completions_deadline(const struct schedule *schedule);

/* Logs what is finished of a job, all but the last part, which it puts into `entry`: a job_done
 * entry. */
void completions_finish(struct schedule *schedule, struct job_schedule *job_schedule,
                        struct message *entry);

/* Opens an operation whose value the log has; nothing is supplied with it yet. */
struct open_op *completions_take_up(struct schedule *schedule, struct job_schedule *job_schedule,
                                    const struct done_op *done);

/* Makes the schedule of a job from what the log says is done of it. */
struct job_schedule *completions_resume(struct schedule *schedule, const struct job *job);

#endif
