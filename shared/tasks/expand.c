#include "shared/tasks/expand.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/slice.h"
#include "shared/tasks/spec.h"
#include "shared/tasks/template.h"

struct expansion {
    const struct wire_task_spec *spec;
    const struct task_record *record;
    uint64_t task;
    bool shell;
    struct task_command *out;
    struct text *why;
};

static char *reserve(struct task_command *out, size_t len)
{
    if (out->size - out->len < len) {
        out->size = 2 * out->size + len;
        out->at = mem_grow(out->at, out->size, 1);
    }
    return out->at + out->len;
}

static void add_bytes(struct task_command *out, struct slice bytes)
{
    if (bytes.len)
        slice_copy(reserve(out, bytes.len), bytes);
    out->len += bytes.len;
}

static void begin_word(struct task_command *out)
{
    if (out->n == out->room) {
        out->room = 2 * out->room + 8;
        out->begins = mem_grow(out->begins, out->room, sizeof *out->begins);
    }
    out->begins[out->n++] = out->len;
}

static int end_word(struct expansion *at)
{
    struct task_command *out = at->out;
    size_t len = out->len - out->begins[out->n - 1];
    *reserve(out, 1) = '\0';
    out->len++;
    if (len <= TASK_ARG_BYTES_MAX && out->len <= TASK_COMMAND_BYTES_MAX)
        return OK;
    text_add(at->why, "task %" PRIu64 ": %s", at->task,
             len > TASK_ARG_BYTES_MAX
                 ? "an argument has more than 128 KiB; name files, or use --stdin"
                 : "the command has more than 1 MiB; name files, or use --stdin");
    return ERR_TOO_BIG;
}

/* One input in a word, or in a shell's string. */
static void add_input(struct expansion *at, size_t input, enum piece_form form)
{
    struct slice bytes = template_form(at->record->inputs[input], form);
    if (at->shell)
        at->out->len += shell_quote(reserve(at->out, shell_quoted_max(bytes.len)), bytes);
    else
        add_bytes(at->out, bytes);
}

static void add_all(struct expansion *at, enum piece_form form)
{
    for (size_t i = 0; i < at->record->n_inputs; i++) {
        if (i)
            add_bytes(at->out, slice_of(" "));
        add_input(at, i, form);
    }
}

static void add_piece(struct expansion *at, const struct piece *piece)
{
    char number[24];
    switch (piece->kind) {
    case PIECE_TEXT:
        add_bytes(at->out, piece->text);
        return;
    case PIECE_TASK:
        text_format(number, sizeof number, "%" PRIu64, at->task);
        add_bytes(at->out, slice_of(number));
        return;
    case PIECE_INPUT:
        if (piece->all)
            add_all(at, piece->form);
        else
            add_input(at, piece->input, piece->form);
        return;
    }
}

/* Each input as an argument of its own. */
static int add_words(struct expansion *at, enum piece_form form)
{
    int error = OK;
    for (size_t i = 0; i < at->record->n_inputs && !error; i++) {
        begin_word(at->out);
        add_input(at, i, form);
        error = end_word(at);
    }
    return error;
}

static void add_pieces(struct expansion *at, struct slice word)
{
    struct template_walk walk;
    struct piece piece;
    template_begin(&walk, at->spec, word, at->shell);
    while (template_next(&walk, &piece))
        add_piece(at, &piece);
}

static int add_argument(struct expansion *at, struct slice word)
{
    struct template_walk walk;
    struct piece piece;
    template_begin(&walk, at->spec, word, false);
    if (template_next(&walk, &piece) && piece.kind == PIECE_INPUT && piece.all && !walk.rest.len)
        return add_words(at, piece.form);
    begin_word(at->out);
    add_pieces(at, word);
    return end_word(at);
}

static int expand_argv(struct expansion *at, bool append)
{
    int error = OK;
    for (size_t i = 0; i < at->spec->argv.n && !error; i++)
        error = add_argument(at, at->spec->argv.at[i].text);
    return error || !append ? error : add_words(at, FORM_WHOLE);
}

static int expand_shell(struct expansion *at, bool append)
{
    static const char *const words[] = {"/bin/sh", "-c"};
    for (size_t i = 0; i < 2; i++) {
        begin_word(at->out);
        add_bytes(at->out, slice_of(words[i]));
        (void)end_word(at); /* these fit */
    }
    begin_word(at->out);
    add_pieces(at, at->spec->shell);
    if (append) {
        add_bytes(at->out, slice_of(" "));
        add_all(at, FORM_WHOLE);
    }
    return end_word(at);
}

int task_expand(const struct wire_task_spec *spec, const struct task_record *record, uint64_t task,
                struct task_command *out, struct text *why)
{
    struct expansion at = {spec, record, task, spec->shell.len > 0, out, why};
    bool append = !spec->on_stdin && !task_spec_has_placeholder(spec);
    out->len = out->n = 0;
    return at.shell ? expand_shell(&at, append) : expand_argv(&at, append);
}

void task_expand_stdin(const struct task_record *record, struct task_command *out)
{
    out->len = out->n = 0;
    for (size_t i = 0; i < record->n_inputs; i++) {
        add_bytes(out, record->inputs[i]);
        add_bytes(out, slice_of("\n"));
    }
}

void task_command_clear(struct task_command *command)
{
    free(command->at);
    free(command->begins);
    *command = (struct task_command){0};
}
