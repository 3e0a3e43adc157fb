/* expand.h - the command of one task: the specification with the task's inputs in it.
 *
 * Clients show it (--dry-run), nodes execute it. Without a shell a word that is {} alone becomes
 * one argument for each input; within a longer word they stand with spaces between them. For a
 * shell each input is quoted (shell.h). A command without any placeholder gets the inputs as its
 * last arguments, unless they are its stdin. */
#ifndef CONCLAVE_TASKS_EXPAND_H
#define CONCLAVE_TASKS_EXPAND_H

#include "shared/tasks/record.h"

/* Arguments, one after another, each terminated: reused from task to task. Zero-initialize. */
struct task_command {
    char *at;
    size_t len, size;
    size_t *begins; /* of each argument in `at` */
    size_t n, room;
};

/* Makes the arguments of task number `task`, from 1: for a shell these are /bin/sh, -c and the
 * string. OK, or ERR_TOO_BIG with one line in `why`: more than a system takes. */
int task_expand(const struct wire_task_spec *spec, const struct task_record *record, uint64_t task,
                struct task_command *out, struct text *why);

/* Returns argument number i, from 0 (borrows until the next task_expand()). */
static inline const char *task_command_word(const struct task_command *command, size_t i)
{
    return command->at + command->begins[i];
}

/* Makes what the command reads when its inputs are its stdin: each with a line end. */
void task_expand_stdin(const struct task_record *record, struct task_command *out);

void task_command_clear(struct task_command *command);

#endif
