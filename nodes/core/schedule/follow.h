/* follow.h - operations that go to a worker together with what makes their operands.
 *
 * In a small job an operation may follow its operands into the same task message: its worker has
 * them at once, and nothing is sent or fetched in between. With that the conversion goes with the
 * last operation, and a whole job goes in one message when more jobs wait than workers are idle.
 * Each operation stays one of its own: it is assigned, delayed, returned, counted, taken back and
 * given to another worker by itself. */
#ifndef CONCLAVE_SCHEDULE_FOLLOW_H
#define CONCLAVE_SCHEDULE_FOLLOW_H

#include "nodes/core/schedule/job_schedule.h"

/* True when operations of the job may follow others: its values always ride in messages. */
bool follow_fits(const struct job *job);

/* True when the worker knows what it means. */
bool follow_is_known(const struct schedule *schedule, node_id_t worker);

/* The operation that uses the result of this one, when it can go along into the message that is
 * being filled for the worker: all its operands are there, or in that message. It is pending. NULL:
 * none. */
struct open_op *follow_next(struct schedule *schedule, const struct open_op *open,
                            node_id_t worker);

/* True when the job, which nobody has begun, should go to one worker whole: more jobs wait than
 * workers are idle. */
bool follow_whole(const struct schedule *schedule, const struct job_schedule *job_schedule);

#endif
