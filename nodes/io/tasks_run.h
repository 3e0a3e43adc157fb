/* tasks_run.h - executes attempts of tasks (OUTPUT_TASK, OUTPUT_TASK_CANCEL) as commands of users
 * (nodes/work/command.h), and says how they ended (EVENT_TASKS). What cannot be a command, and all
 * on a node without keys, ends with a reason. */
#ifndef CONCLAVE_IO_TASKS_RUN_H
#define CONCLAVE_IO_TASKS_RUN_H

#include "nodes/core/values/values.h"
#include "nodes/work/programs.h"

/* Ends that are told at once: so long the loop's turn is bounded. */
#define TASKS_ENDED_MAX 256

struct tasks_run;

/* Borrows both. commands NULL: this node runs none. Caller destroys. */
struct tasks_run *tasks_run_new(struct commands *commands, const struct values *values);

/* The commands run programs of operations, too: what is not a task's goes there (borrows). */
void tasks_run_share(struct tasks_run *run, struct programs *programs);
void tasks_run_destroy(struct tasks_run **run);

void tasks_run_begin(struct tasks_run *run, const struct task_order *order);
void tasks_run_cancel(struct tasks_run *run, const struct task_order *order);

/* A segment of tasks' files (OUTPUT_KEEP for USER_FILES; takes a new reference): it goes to the
 * scratch disk, where attempts that begin have it until their end. Dropped, it goes when they have
 * ended. */
void tasks_run_keep(struct tasks_run *run, struct value_id id, struct blob *bytes);
void tasks_run_drop(struct tasks_run *run, struct value_id id);

/* What the core is to learn of the next one that is there, or is not; false: nothing. */
bool tasks_run_file(struct tasks_run *run, struct event *event);

/* How attempts ended since the last call: borrowed until the next one. Returns how many. */
size_t tasks_run_take(struct tasks_run *run, const struct task_result **out);

/* True when tasks_run_take() has something that no descriptor tells of. */
bool tasks_run_is_due(const struct tasks_run *run);

/* To be polled: for tasks_run_take(), -1: nothing; and for tasks_run_file(). */
int tasks_run_fd(const struct tasks_run *run);
int tasks_run_files_fd(const struct tasks_run *run);

/* What became of a command, as the core takes it: the hand and the number of the attempt are the
 * order's. Borrows the result's bytes. */
void task_result_of(const struct command_result *result, const struct task_order *order,
                    struct task_result *out);

#endif
