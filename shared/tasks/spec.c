#include "shared/tasks/spec.h"

#include <string.h>

#include "shared/base/error.h"
#include "shared/base/slice.h"
#include "shared/tasks/template.h"
#include "shared/wire/codec.h"

/* --- names --- */

bool task_path(struct slice given, char at[TASK_PATH_MAX + 1])
{
    size_t len = 0, from = 0, to;
    if (!given.len || given.at[given.len - 1] == '/' || memchr(given.at, 0, given.len))
        return false;
    for (; from < given.len; from = to + 1) {
        for (to = from; to < given.len && given.at[to] != '/';)
            to++;
        struct slice component = {given.at + from, to - from};
        if (!component.len || slice_equals(component, "."))
            continue;
        if (slice_equals(component, "..") || component.len > TASK_NAME_MAX ||
            len + component.len + 1 > TASK_PATH_MAX)
            return false;
        if (len)
            at[len++] = '/';
        slice_copy(at + len, component);
        len += component.len;
    }
    at[len] = '\0';
    return len > 0;
}

bool task_path_is_safe(struct slice path)
{
    char room[TASK_PATH_MAX + 1];
    return task_path(path, room) && slice_equals(path, room);
}

bool task_env_name_is_valid(struct slice name)
{
    static const char *const ours[] = {"CONCLAVE_JOB",     "CONCLAVE_TASK", "CONCLAVE_INPUT",
                                       "CONCLAVE_ATTEMPT", "CONCLAVE_NODE", "CONCLAVE_SCRATCH"};
    if (!name.len || name.len > TASK_NAME_MAX || (name.at[0] >= '0' && name.at[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (!(byte >= 'a' && byte <= 'z') && !(byte >= 'A' && byte <= 'Z') &&
            !(byte >= '0' && byte <= '9') && byte != '_')
            return false;
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (slice_equals(name, ours[i]))
            return false;
    return true;
}

/* --- checking --- */

static int refuse(struct text *why, int error, const char *what, struct slice given)
{
    char shown[TEXT_MAX / 4];
    text_add(why, what, text_escape(shown, sizeof shown, given));
    return error;
}

static bool has_zero(struct slice bytes)
{
    return bytes.len && memchr(bytes.at, 0, bytes.len);
}

/* The texts together, so that what can be written down fits into a frame. */
static size_t text_bytes(const struct wire_task_spec *spec)
{
    size_t sum = spec->shell.len;
    for (size_t i = 0; i < spec->argv.n; i++)
        sum += spec->argv.at[i].text.len;
    for (size_t i = 0; i < spec->names.n; i++)
        sum += spec->names.at[i].text.len;
    for (size_t i = 0; i < spec->env.n; i++)
        sum += spec->env.at[i].name.len + spec->env.at[i].value.len;
    for (size_t i = 0; i < spec->uploads.n; i++)
        sum += spec->uploads.at[i].path.len;
    for (size_t i = 0; i < spec->collect.n; i++)
        sum += spec->collect.at[i].text.len;
    return sum;
}

static int check_shell(const struct wire_task_spec *spec, struct text *why)
{
    struct template_walk walk;
    struct piece piece;
    if (has_zero(spec->shell))
        return refuse(why, ERR_MALFORMED, "--sh: '%s' has a zero byte", spec->shell);
    bool appended = !spec->on_stdin && !task_spec_has_placeholder(spec);
    template_begin(&walk, spec, spec->shell, true);
    while (template_next(&walk, &piece))
        if (piece.kind == PIECE_INPUT && !piece.plain)
            return refuse(why, ERR_MALFORMED,
                          "--sh: %s stands within quotes, backticks or a here-document; inputs are "
                          "quoted already, and $(...) can hold them",
                          piece.text);
    if (appended && !shell_scan_is_plain(&walk.scan))
        return refuse(
            why, ERR_MALFORMED,
            "--sh: '%s' ends within quotes, a comment or a here-document; say with {} where "
            "the input goes",
            spec->shell);
    return OK;
}

static int check_command(const struct wire_task_spec *spec, struct text *why)
{
    const struct slice none = {NULL, 0};
    if (!spec->argv.n == !spec->shell.len)
        return refuse(why, ERR_MALFORMED,
                      spec->argv.n ? "either --sh or a command, not both%s"
                                   : "a command is needed%s",
                      none);
    if (spec->shell.len)
        return check_shell(spec, why);
    if (!spec->argv.at[0].text.len)
        return refuse(why, ERR_MALFORMED, "the command is empty%s", none);
    for (size_t i = 0; i < spec->argv.n; i++) {
        struct slice word = spec->argv.at[i].text;
        if (has_zero(word))
            return refuse(why, ERR_MALFORMED, "'%s' has a zero byte", word);
        if (word.len > TASK_WORD_MAX)
            return refuse(why, ERR_TOO_BIG,
                          "a word of the command has more than 16 KiB; --upload a file instead%s",
                          none);
    }
    return OK;
}

static int check_names(const struct wire_task_spec *spec, struct text *why)
{
    const struct slice none = {NULL, 0};
    if (!spec->inputs || (spec->names.n && spec->names.n != spec->inputs) ||
        (spec->files && spec->inputs != 1))
        return refuse(why, ERR_MALFORMED, "the number of inputs and that of their names differ%s",
                      none);
    for (size_t i = 0; i < spec->names.n; i++) {
        struct slice name = spec->names.at[i].text;
        if (!name.len || name.len > TASK_NAME_MAX || has_zero(name))
            return refuse(why, ERR_MALFORMED,
                          "'%s' names no column: that takes 1 to 255 bytes, none of them 0", name);
        for (size_t j = 0; j < i; j++)
            if (slice_same(spec->names.at[j].text, name))
                return refuse(why, ERR_MALFORMED, "two columns have the name '%s'", name);
    }
    return OK;
}

static int check_surroundings(const struct wire_task_spec *spec, struct text *why)
{
    for (size_t i = 0; i < spec->env.n; i++) {
        if (!task_env_name_is_valid(spec->env.at[i].name))
            return refuse(why, ERR_MALFORMED,
                          "--env: '%s' is not a name of letters, digits and _, or is one that the "
                          "cluster sets",
                          spec->env.at[i].name);
        if (has_zero(spec->env.at[i].value))
            return refuse(why, ERR_MALFORMED, "--env: %s has a zero byte", spec->env.at[i].name);
    }
    for (size_t i = 0; i < spec->uploads.n; i++) {
        const struct wire_spec_file *file = &spec->uploads.at[i];
        if (!task_path_is_safe(file->path) || file->sha256.len != HASH_BYTES ||
            file->offset > UINT64_MAX - file->len)
            return refuse(why, ERR_MALFORMED, "--upload: '%s' is not a file of a scratch directory",
                          file->path);
        for (size_t j = 0; j < i; j++)
            if (slice_same(spec->uploads.at[j].path, file->path))
                return refuse(why, ERR_MALFORMED, "--upload: two files go to '%s'", file->path);
    }
    for (size_t i = 0; i < spec->collect.n; i++)
        if (!task_path_is_safe(spec->collect.at[i].text))
            return refuse(why, ERR_MALFORMED,
                          "--collect: '%s' does not lie in the scratch directory: a path without "
                          "/ at its begin and without . and ..",
                          spec->collect.at[i].text);
    return OK;
}

static int check_limits(const struct wire_task_spec *spec, struct text *why)
{
    const struct slice none = {NULL, 0};
    if (text_bytes(spec) > TASK_SPEC_TEXT_MAX)
        return refuse(
            why, ERR_TOO_BIG,
            "the command, its environment and its names take more than 40 KiB; --upload a "
            "file instead%s",
            none);
    if (!spec->slots)
        return refuse(why, ERR_MALFORMED, "--slots: a task takes at least one%s", none);
    if (spec->max_fails && spec->max_fails_ppm)
        return refuse(why, ERR_MALFORMED, "--max-fails is a number or a share, not both%s", none);
    if (spec->at_most_once && (spec->retries || spec->speculate))
        return refuse(why, ERR_MALFORMED,
                      spec->retries ? "--at-most-once starts no task again; --retries does%s"
                                    : "--at-most-once starts no task twice; --speculate does%s",
                      none);
    return OK;
}

int task_spec_check(const struct wire_task_spec *spec, struct text *why)
{
    int error = check_limits(spec, why);
    if (!error)
        error = check_names(spec, why);
    if (!error)
        error = check_command(spec, why);
    return error ? error : check_surroundings(spec, why);
}

/* --- bytes --- */

struct blob *task_spec_pack(const struct message *spec)
{
    struct codec_buffer buffer = {0};
    struct blob *blob = NULL;
    if (!codec_encode(spec, &buffer))
        blob = blob_copy(buffer.at, buffer.len);
    codec_buffer_clear(&buffer);
    return blob;
}

int task_spec_load(struct slice bytes, struct message **out, struct text *why)
{
    *out = NULL;
    if (bytes.len > FRAME_MAP_MAX_BYTES) {
        text_add(why, "a specification of tasks is longer than a frame");
        return ERR_TOO_BIG;
    }
    int error = codec_decode(bytes, out, why);
    if (!error && (*out)->type != MESSAGE_TASK_SPEC) {
        text_add(why, "the first record is %s instead of task_spec", message_name((*out)->type));
        error = ERR_MALFORMED;
    }
    if (!error)
        error = task_spec_check(&(*out)->as.task_spec, why);
    if (error)
        message_drop(out);
    return error;
}

/* --- the command --- */

static bool has_placeholder(const struct wire_task_spec *spec, struct slice word, bool shell)
{
    struct template_walk walk;
    struct piece piece;
    template_begin(&walk, spec, word, shell);
    while (template_next(&walk, &piece))
        if (piece.kind != PIECE_TEXT)
            return true;
    return false;
}

bool task_spec_has_placeholder(const struct wire_task_spec *spec)
{
    for (size_t i = 0; i < spec->argv.n; i++)
        if (has_placeholder(spec, spec->argv.at[i].text, false))
            return true;
    return has_placeholder(spec, spec->shell, true);
}

/* For people {} needs no quotes. */
static bool is_clear(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.at[i] <= ' ' || word.at[i] >= 0x7f || strchr("'\"\\", word.at[i]))
            return false;
    return word.len > 0;
}

static void add_label(struct text *out, struct slice word)
{
    char quoted[TEXT_MAX];
    if (word.len > sizeof quoted / 8)
        word.len = sizeof quoted / 8;
    if (is_clear(word))
        text_copy(quoted, sizeof quoted, word);
    else
        quoted[shell_quote_line(quoted, word)] = '\0';
    text_add(out, "%s%s", out->len ? " " : "", quoted);
}

void task_spec_label(const struct wire_task_spec *spec, struct text *out)
{
    for (size_t i = 0; i < spec->argv.n; i++)
        add_label(out, spec->argv.at[i].text);
    if (spec->shell.len) {
        add_label(out, slice_of("--sh"));
        add_label(out, spec->shell);
    }
}
