/* inputs.h - the segments of stored values that tasks need here, in memory. Used inside the room
 * only.
 *
 *   absent --wanted--> fetching --> here --> absent, for another one or when its job is over
 *                        |  ^
 *                        |  '-- another source
 *                        '--> failed --> absent, when an attempt has ended for that */
#ifndef CONCLAVE_CORE_RUNNER_INPUTS_H
#define CONCLAVE_CORE_RUNNER_INPUTS_H

#include "nodes/core/runner/runner.h"

enum inputs_state {
    INPUTS_HERE,
    INPUTS_WAIT,   /* they are fetched, or the log does not tell yet which they are */
    INPUTS_LACKING /* they cannot be had, now or (`for_all`) ever: the attempt ends */
};

/* Another look at what waits begins: what is wanted in it does not make room for the rest. */
void inputs_look(struct runner *runner);

/* Whether all that the attempt needs is here: then the order names it. What is not is fetched, as
 * soon as there is room. LACKING: why, for people; *for_all: it will be so for every task of the
 * job. */
enum inputs_state inputs_want(struct runner *runner, struct task_order *order, const char **why,
                              bool *for_all);

/* What jobs needed that are over goes. */
void inputs_let_go(struct runner *runner);

void inputs_clear(struct runner *runner);

#endif
