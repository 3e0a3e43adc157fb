/* results.h - what workers return, for the other files of the schedule; its events are declared in
 * schedule.h. */
#ifndef CONCLAVE_CORE_RESULTS_H
#define CONCLAVE_CORE_RESULTS_H

#include "nodes/core/schedule/assignments.h"

/* An operation's value is there: its consumers have one operand more. */
void results_supply(struct schedule *schedule, const struct open_op *open);

/* Proposes the ends of jobs whose texts are on the disks of a majority. */
void results_propose_spread(struct schedule *schedule);

/* What has waited for a value beyond its deadline asks again. */
void results_watch_values(struct schedule *schedule);

#endif
