#include "nodes/work/attempt.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/work/attempt_files.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/slice.h"
#include "shared/tasks/expand.h"
#include "shared/tasks/spec.h"

#define MARK_EVERY 64 /* records; from a mark on they are walked over */

/* What the tasks of a job have in common. */
struct known_spec {
    struct value_id id;   /* of the segment that begins with it; no job: the place is free */
    struct message *spec; /* owned; NULL: it is malformed */
    uint64_t used;
};

/* Where each so many of a segment's records begin, as far as it was read. */
struct known_segment {
    struct value_id id;
    uint32_t *marks; /* owned */
    size_t n, size;
    uint64_t used;
};

struct attempts {
    struct known_spec specs[ATTEMPT_SPECS_KEPT];
    struct known_segment segments[ATTEMPT_SEGMENTS_KEPT];
    uint64_t uses;
    /* The command at hand, and the room for the next ones. */
    struct command command;
    struct task_command words, input;
    struct attempt_files files;
    const char **argv, **env, **collect;
    size_t argv_size, env_size, collect_size;
    char *env_text, *shown, *collect_text;
    size_t env_text_size, shown_size, collect_text_size;
};

struct attempts *attempts_new(void)
{
    return mem_new(1, sizeof(struct attempts));
}

/* --- segments --- */

/* The place of the segment, or the one that was not used for longest. */
static struct known_segment *place_of(struct attempts *attempts, struct value_id id)
{
    struct known_segment *oldest = &attempts->segments[0];
    for (size_t i = 0; i < ATTEMPT_SEGMENTS_KEPT; i++) {
        struct known_segment *it = &attempts->segments[i];
        if (value_id_same(it->id, id))
            return it;
        if (it->used < oldest->used)
            oldest = it;
    }
    oldest->id = id;
    oldest->n = 0;
    return oldest;
}

static struct slice from(const struct blob *bytes, size_t offset)
{
    return (struct slice){bytes->at + offset, bytes->len - offset};
}

static bool pass(struct slice *rest, size_t records)
{
    struct slice part;
    while (records-- > 0)
        if (!bytes_take_part(rest, &part))
            return false;
    return true;
}

/* What begins with the record number `at`, from 0; false: there is none. */
static bool find_record(struct attempts *attempts, struct value_id id, const struct blob *bytes,
                        uint64_t at, struct slice *rest)
{
    struct known_segment *it = place_of(attempts, id);
    it->used = ++attempts->uses;
    if (at >= bytes->len || bytes->len > UINT32_MAX)
        return false; /* a record takes a byte at least */
    for (; it->n <= at / MARK_EVERY; it->n++) {
        *rest = from(bytes, it->n ? it->marks[it->n - 1] : 0);
        if (it->n && !pass(rest, MARK_EVERY))
            return false;
        if (it->n == it->size) {
            it->size = it->size ? 2 * it->size : 64;
            it->marks = mem_grow(it->marks, it->size, sizeof *it->marks);
        }
        it->marks[it->n] = (uint32_t)(bytes->len - rest->len);
    }
    *rest = from(bytes, it->marks[at / MARK_EVERY]);
    return pass(rest, at % MARK_EVERY) && rest->len;
}

/* --- specifications --- */

static struct message *read_spec(const struct blob *bytes)
{
    struct slice rest = {bytes->at, bytes->len}, first;
    struct message *spec = NULL;
    struct text why = {0};
    if (!bytes_take_part(&rest, &first))
        text_add(&why, "it is cut short");
    else
        (void)task_spec_load(first, &spec, &why);
    if (!spec) /* a client may send as many as it likes: the attempt's reason must do */
        log_write(LOG_DEBUG, "a specification of tasks cannot be used: %s", why.at);
    return spec;
}

/* Borrowed; NULL: it is malformed. */
static const struct wire_task_spec *spec_of(struct attempts *attempts, struct value_id id,
                                            const struct blob *bytes)
{
    struct known_spec *oldest = &attempts->specs[0], *it = NULL;
    for (size_t i = 0; i < ATTEMPT_SPECS_KEPT && !it; i++) {
        if (value_id_same(attempts->specs[i].id, id))
            it = &attempts->specs[i];
        if (attempts->specs[i].used < oldest->used)
            oldest = &attempts->specs[i];
    }
    if (!it) {
        it = oldest;
        message_drop(&it->spec);
        it->spec = read_spec(bytes);
        it->id = id;
    }
    it->used = ++attempts->uses;
    return it->spec ? &it->spec->as.task_spec : NULL;
}

/* --- the command --- */

/* `at` has room for so many of `each` bytes, and one more. */
static void *room(void *at, size_t *size, size_t n, size_t each)
{
    if (at && n < *size)
        return at;
    *size = 2 * n + 1;
    return mem_grow(at, *size, each);
}

static void set_argv(struct attempts *attempts)
{
    const struct task_command *words = &attempts->words;
    attempts->argv = room(attempts->argv, &attempts->argv_size, words->n, sizeof(char *));
    for (size_t i = 0; i < words->n; i++)
        attempts->argv[i] = task_command_word(words, i);
    attempts->argv[words->n] = NULL;
    attempts->command.argv = attempts->argv;
}

/* "NAME=VALUE", each terminated. */
static void set_env(struct attempts *attempts, const struct wire_task_spec *spec)
{
    size_t bytes = 0;
    for (size_t i = 0; i < spec->env.n; i++)
        bytes += spec->env.at[i].name.len + spec->env.at[i].value.len + 2;
    attempts->env_text = room(attempts->env_text, &attempts->env_text_size, bytes, 1);
    attempts->env = room(attempts->env, &attempts->env_size, spec->env.n, sizeof(char *));
    char *at = attempts->env_text;
    for (size_t i = 0; i < spec->env.n; i++) {
        const struct wire_spec_env *it = &spec->env.at[i];
        attempts->env[i] = at;
        slice_copy(at, it->name);
        at += it->name.len;
        *at++ = '=';
        if (it->value.len)
            slice_copy(at, it->value);
        at += it->value.len;
        *at++ = '\0';
    }
    attempts->env[spec->env.n] = NULL;
    attempts->command.env = attempts->env;
}

static void set_input(struct attempts *attempts, const struct wire_task_spec *spec,
                      const struct task_record *record)
{
    struct command *command = &attempts->command;
    size_t len = task_record_text(record, NULL, 0);
    attempts->shown = room(attempts->shown, &attempts->shown_size, len, 1);
    (void)task_record_text(record, attempts->shown, len);
    attempts->shown[len] = '\0';
    command->input = attempts->shown;
    if (!spec->on_stdin)
        return;
    if (record->has_file) { /* which comes after the uploads */
        command->stdin_input = command->n_inputs;
        return;
    }
    task_expand_stdin(record, &attempts->input);
    command->stdin_bytes.blob = blob_copy(attempts->input.at, attempts->input.len);
}

static uint64_t at_most(uint64_t bytes, uint64_t most)
{
    return bytes < most ? bytes : most;
}

static void set_limits(struct command *command, const struct wire_task_spec *spec,
                       const struct task_order *order)
{
    uint64_t most = order->bundles ? TASK_OUTPUT_MAX_BYTES : COMMAND_INLINE_MAX_BYTES;
    uint64_t files = spec->max_collect ? spec->max_collect : COMMAND_FILES_DEFAULT_BYTES;
    command->limits =
        (struct command_limits){.time_us = order->time_limit_ms * MS_US,
                                .output_max_bytes = at_most(spec->max_output, most),
                                .files_max_bytes = at_most(files, TASK_FILES_MAX_BYTES),
                                .memory_bytes = spec->memory};
    command->bundle = order->bundles;
}

/* Patterns, each terminated: none of them has a zero byte, or leads out (spec.h). */
static void set_collect(struct attempts *attempts, const struct wire_task_spec *spec)
{
    size_t bytes = 0;
    for (size_t i = 0; i < spec->collect.n; i++)
        bytes += spec->collect.at[i].text.len + 1;
    attempts->collect_text = room(attempts->collect_text, &attempts->collect_text_size, bytes, 1);
    attempts->collect =
        room(attempts->collect, &attempts->collect_size, spec->collect.n, sizeof(char *));
    char *at = attempts->collect_text;
    for (size_t i = 0; i < spec->collect.n; i++) {
        struct slice pattern = spec->collect.at[i].text;
        attempts->collect[i] = at;
        slice_copy(at, pattern);
        at += pattern.len;
        *at++ = '\0';
    }
    attempts->collect[spec->collect.n] = NULL;
    attempts->command.collect = attempts->collect;
}

/* NULL: it is; else why there is no command. */
static const char *make(struct attempts *attempts, const struct task_order *order,
                        const struct blob *spec_bytes, const struct blob *record_bytes,
                        const char *const *parts)
{
    struct task_record record;
    struct slice rest;
    struct text why = {0};
    if (!order->spec.job)
        return "this node executes no such tasks";
    if (!spec_bytes || !record_bytes)
        return "its inputs are not in memory";
    const struct wire_task_spec *spec = spec_of(attempts, order->spec, spec_bytes);
    if (!spec)
        return "what its tasks have in common is malformed";
    if (spec->collect.n && !order->bundles)
        return "its job keeps no files";
    if (!find_record(attempts, order->record, record_bytes, order->place, &rest) ||
        task_record_take(&rest, spec, &record, &why))
        return "its record is malformed";
    if (task_expand(spec, &record, order->task, &attempts->words, &why) || !attempts->words.n)
        return "its command is too long";
    const char *lacks = attempt_files_make(&attempts->files, spec, &record, order, parts);
    if (lacks)
        return lacks;
    attempts->command.inputs = attempts->files.at;
    attempts->command.n_inputs = attempts->files.n;
    attempts->command.id = (struct command_id){order->job, order->task, order->attempt};
    set_argv(attempts);
    set_env(attempts, spec);
    set_input(attempts, spec, &record);
    set_collect(attempts, spec);
    set_limits(&attempts->command, spec, order);
    return NULL;
}

const struct command *attempts_make(struct attempts *attempts, const struct task_order *order,
                                    const struct blob *spec, const struct blob *record,
                                    const char *const *parts, char reason[TASK_REASON_MAX + 1])
{
    blob_drop(&attempts->command.stdin_bytes.blob);
    attempts->command = (struct command){0};
    const char *why = make(attempts, order, spec, record, parts);
    text_format(reason, TASK_REASON_MAX + 1, "%s", why ? why : "");
    return why ? NULL : &attempts->command;
}

void attempts_destroy(struct attempts **attempts)
{
    struct attempts *it = *attempts;
    *attempts = NULL;
    if (!it)
        return;
    for (size_t i = 0; i < ATTEMPT_SPECS_KEPT; i++)
        message_drop(&it->specs[i].spec);
    for (size_t i = 0; i < ATTEMPT_SEGMENTS_KEPT; i++)
        free(it->segments[i].marks);
    blob_drop(&it->command.stdin_bytes.blob);
    attempt_files_clear(&it->files);
    task_command_clear(&it->words);
    task_command_clear(&it->input);
    free(it->argv);
    free(it->env);
    free(it->collect);
    free(it->env_text);
    free(it->collect_text);
    free(it->shown);
    free(it);
}
