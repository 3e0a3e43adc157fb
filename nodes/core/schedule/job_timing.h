/* job_timing.h - which phase each job is in (timing.h), from what its coordinator knows.
 *
 *   computing   an operation of it is executed, or
 *   converting  only conversions to text are;
 *   moving      else a value is on its way: to the worker that needs it, or to the coordinator;
 *   keeping     else a value of it is being written to disk;
 *   planning    else something could be handed out, and a worker is idle;
 *   waiting     else for workers that are busy with other jobs, or away, or for its turn;
 *   announcing  an entry of the log is awaited: that it is accepted, or that it has ended. */
#ifndef CONCLAVE_CORE_JOB_TIMING_H
#define CONCLAVE_CORE_JOB_TIMING_H

#include "nodes/core/schedule/assignments.h"

/* The coordinator takes the job up: `accepted`, in the step in which it was accepted. */
void job_timing_begin(const struct schedule *schedule, struct job_schedule *job_schedule,
                      bool accepted);

/* An operation was given to a worker; it says with a heartbeat, or the result, that it has the
 * operands. */
void job_timing_given(struct schedule *schedule, struct assignment *assignment);
void job_timing_heartbeat(struct schedule *schedule, node_id_t worker);
void job_timing_returned(struct schedule *schedule, const struct assignment *assignment,
                         uint64_t elapsed_us);

/* Looks which phase every job is in now; at the end of each step. */
void job_timing_look(struct schedule *schedule);

/* The job has ended: its timing is kept, among the latest TIMINGS_KEPT_MAX. */
void job_timing_end(struct schedule *schedule, const struct job *job);

#endif
