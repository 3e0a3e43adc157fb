/* attempt.h - the command of an attempt of a task, from the segments of its job's input
 * (shared/tasks). All of that comes from a client: whatever the bytes are, what cannot be a command
 * is refused with a reason. */
#ifndef CONCLAVE_WORK_ATTEMPT_H
#define CONCLAVE_WORK_ATTEMPT_H

#include "nodes/core/node.h"
#include "nodes/work/command.h"

/* Jobs of which the specification is remembered, and segments of which it is known where their
 * records begin: those that a worker holds (INPUTS_HELD_MAX). */
#define ATTEMPT_SPECS_KEPT    8
#define ATTEMPT_SEGMENTS_KEPT INPUTS_HELD_MAX

struct attempts;

/* Caller destroys. */
struct attempts *attempts_new(void);
void attempts_destroy(struct attempts **attempts);

/* Makes the command that the order means. Borrows the segments that it names, as they are in
 * memory; NULL: they are not. `parts` are as many as the order's: paths of files with these bytes
 * (borrows; NULL: there is none). What is returned is borrowed until the next call; NULL: `reason`
 * says why there is no command. */
const struct command *attempts_make(struct attempts *attempts, const struct task_order *order,
                                    const struct blob *spec, const struct blob *record,
                                    const char *const *parts, char reason[TASK_REASON_MAX + 1]);

#endif
