/* command_line.h - the command of a task as one line for people, who may paste it into a shell. */
#ifndef CONCLAVE_CLIENTS_COMMAND_LINE_H
#define CONCLAVE_CLIENTS_COMMAND_LINE_H

#include "shared/tasks/expand.h"

/* One for many tasks. Zero-initialize. */
struct command_line {
    char *at; /* owned */
    size_t len, size;
};

/* Makes the line: words quoted where need be; a line for a shell as it is, for it is quoted
 * already, unless it is more than one. */
void command_line_make(struct command_line *line, const struct wire_task_spec *spec,
                       const struct task_command *command);

void command_line_clear(struct command_line *line);

#endif
