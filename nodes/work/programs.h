/* programs.h - operations that a user's program executes (operators of the kind `program`): an
 * executor (executor.h) that has them run as commands (command.h), in the slots of the node, each
 * with its values as files.
 *
 * The program's arguments are the paths of the files, in order; what it writes to stdout is the
 * result. Any exit code but 0, a signal, the time limit and too much output fail the operation for
 * good: the program would do the same elsewhere. */
#ifndef CONCLAVE_WORK_PROGRAMS_H
#define CONCLAVE_WORK_PROGRAMS_H

#include "nodes/work/command.h"
#include "nodes/work/executor.h"

struct programs;

/* Borrows the commands. NULL: this node runs none, and such operations fail. Caller destroys. */
struct programs *programs_new(struct commands *commands);
void programs_destroy(struct programs **programs);

struct executor *programs_executor(struct programs *programs);

/* True for an operation that is meant for this executor. */
bool programs_are_for(const struct compute_op *op);

/* Takes its own out of the results that commands_poll() returned; returns the others, which are the
 * caller's. What it took comes with the next poll of the executor. */
struct command_result *programs_sift(struct programs *programs, struct command_result *results);

/* True when a poll has something that commands_fd() does not tell of. */
bool programs_are_due(const struct programs *programs);

#endif
