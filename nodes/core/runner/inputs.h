/* inputs.h - the segments of stored values that tasks need here: those that say what a task is, in
 * memory; those of its files on the scratch disk, and in memory on their way there. Used inside the
 * room only.
 *
 *   absent --wanted--> fetching --> here --> absent, for another one or when its job is over
 *                        |  ^        ^
 *                        |  |        '-- writing, a file's: --> full, unwritten
 *                        |  '-- another source
 *                        '--> failed --> absent, when an attempt has ended for that
 *
 * A file's segment for which the disk has no room is fetched once more, when its task is the next
 * to begin and what others need is gone. */
#ifndef CONCLAVE_CORE_RUNNER_INPUTS_H
#define CONCLAVE_CORE_RUNNER_INPUTS_H

#include "nodes/core/runner/runner.h"

enum inputs_state {
    INPUTS_HERE,
    INPUTS_WAIT,   /* they are fetched, or the log does not tell yet which they are */
    INPUTS_RETURN, /* they cannot be had now: the task is for another node, or another time */
    INPUTS_FAIL,   /* this disk does not take them: the attempt has failed */
    INPUTS_NONE    /* there are none, for any task of the job */
};

/* Another look at what waits begins: what is wanted in it does not make room for the rest. */
void inputs_look(struct runner *runner);

/* Whether all that the attempt needs is here: then the order names it, but for its files. What is
 * not is fetched, as soon as there is room. `now`: it is the next one, and a slot is free. RETURN,
 * FAIL, NONE: why, for people. */
enum inputs_state inputs_want(struct runner *runner, struct task_order *order, bool now,
                              const char **why);

/* The files of what was wanted last: for as long as the outputs of this step. */
const struct task_part *inputs_parts(struct runner *runner, size_t *n);

/* What jobs needed that are over goes. */
void inputs_let_go(struct runner *runner);

void inputs_clear(struct runner *runner);
void inputs_check_invariants(const struct runner *runner);

#endif
