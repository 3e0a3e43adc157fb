#include "clients/map/command_line.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/base/slice.h"
#include "shared/tasks/shell.h"

static void make_room(struct command_line *line, size_t more)
{
    if (line->size - line->len >= more)
        return;
    line->size = 2 * (line->len + more);
    line->at = mem_grow(line->at, line->size, 1);
}

static bool is_line(const struct wire_task_spec *spec, const struct task_command *command)
{
    const char *at = task_command_word(command, command->n - 1);
    while (spec->shell.len && (unsigned char)*at >= ' ' && *at != 0x7f)
        at++;
    return spec->shell.len && !*at;
}

void command_line_make(struct command_line *line, const struct wire_task_spec *spec,
                       const struct task_command *command)
{
    line->len = 0;
    if (is_line(spec, command)) {
        struct slice last = slice_of(task_command_word(command, command->n - 1));
        make_room(line, last.len);
        slice_copy(line->at, last);
        line->len = last.len;
        return;
    }
    for (size_t i = 0; i < command->n; i++) {
        struct slice word = slice_of(task_command_word(command, i));
        make_room(line, 1 + shell_quoted_max(word.len));
        if (i)
            line->at[line->len++] = ' ';
        line->len += shell_quote_line(line->at + line->len, word);
    }
}

void command_line_clear(struct command_line *line)
{
    free(line->at);
    *line = (struct command_line){0};
}
