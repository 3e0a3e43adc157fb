/* template.h - a word of a command as it is written down, with {} for the task's inputs, taken
 * apart into pieces.
 *
 *   {}    all inputs          {.}   without extension       {/}   base name
 *   {N}   input N, from 1     {//}  directory               {/.}  base name without extension
 *   {NAME} the input of that name, {#} the task's number; {N.} {NAME/} and so on: both.
 *
 * What else stands in braces is text. So is a brace after $ or a backslash in a command line for a
 * shell: ${HOME} and \{ are the shell's. */
#ifndef CONCLAVE_TASKS_TEMPLATE_H
#define CONCLAVE_TASKS_TEMPLATE_H

#include "shared/tasks/shell.h"
#include "shared/wire/message.h"

enum piece_kind { PIECE_TEXT, PIECE_TASK, PIECE_INPUT };

enum piece_form { FORM_WHOLE, FORM_STEM, FORM_BASE, FORM_DIRECTORY, FORM_BASE_STEM };

struct piece {
    enum piece_kind kind;
    enum piece_form form; /* of an input */
    bool all;             /* inputs, not one */
    bool plain;           /* a shell takes a quoted word for itself here */
    size_t input;         /* which, from 0 */
    struct slice text;    /* as it is written down */
};

struct template_walk {
    const struct wire_task_spec *spec; /* how many inputs there are, and their names */
    struct slice rest;
    bool shell; /* a command line, not an argument */
    struct shell_scan scan;
};

/* Begins with a word of the command, or its string for the shell. Borrows both. */
void template_begin(struct template_walk *walk, const struct wire_task_spec *spec,
                    struct slice word, bool shell);

/* Takes the next piece; false at the end. */
bool template_next(struct template_walk *walk, struct piece *out);

/* Returns the part of an input that the form names: of its bytes, or a constant. Trailing slashes
 * count for nothing but in FORM_WHOLE and FORM_STEM; a name that only begins with a point has no
 * extension. */
struct slice template_form(struct slice input, enum piece_form form);

#endif
