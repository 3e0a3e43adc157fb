#include "clients/map/request.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/whole.h"
#include "shared/tasks/spec.h"

/* --- words --- */

static int complain(struct text *why, int error, const char *format, const char *given)
{
    char shown[TEXT_MAX / 4];
    text_add(why, format, text_escape(shown, sizeof shown, slice_of(given)));
    return error;
}

/* Where a last option that names inputs goes; NULL: it is a word of the command. */
static const char **trailing(struct map_request *request, const char *word)
{
    return !strcmp(word, "--csv")     ? &request->inputs.csv
           : !strcmp(word, "--array") ? &request->inputs.array
                                      : NULL;
}

static void take_trailing(struct map_request *request)
{
    while (request->n_argv > 2) {
        char *word = request->argv[request->n_argv - 2],
             *given = request->argv[request->n_argv - 1];
        const char **option = trailing(request, word);
        struct option_list *files = &request->inputs.files;
        if (option && !*option) {
            *option = given;
        } else if (!strcmp(word, "--files")) {
            files->at = mem_grow(files->at, files->n + 1, sizeof *files->at);
            files->at[files->n++] = given;
        } else {
            return;
        }
        request->n_argv -= 2;
    }
}

int map_words(struct map_request *request, size_t n_words, char **words, struct text *why)
{
    bool apart = n_words && !strcmp(words[0], "--");
    size_t n = 0;
    words += apart;
    n_words -= apart;
    while (n < n_words && strncmp(words[n], ":::", 3))
        n++;
    request->argv = words;
    request->n_argv = n;
    request->inputs.sources = words + n;
    request->inputs.n_sources = n_words - n;
    for (size_t i = 0; i < n && !apart && request->inputs.files.n; i++)
        if (!strcmp(words[i], "--"))
            return complain(why, ERR_MALFORMED,
                            "'%s' comes before --: quote the pattern, so that --files expands it, "
                            "not the shell",
                            words[0]);
    if (!apart && n == n_words)
        take_trailing(request);
    if (request->shell && request->n_argv)
        return complain(
            why, ERR_MALFORMED,
            "'%s' is not expected here: --sh has the whole command, and inputs come after :::",
            words[0]);
    if (!request->shell && !request->n_argv)
        return complain(why, ERR_MALFORMED,
                        "a command is needed, such as: conclave map gzip {} ::: a b%s", "");
    return OK;
}

/* --- the specification --- */

static struct slice copy(struct message *message, const char *text)
{
    return message_copy(message, slice_of(text));
}

static int read_max_fails(const char *given, struct wire_task_spec *spec, struct text *why)
{
    struct slice text = slice_of(given ? given : "0");
    bool share = text.len && text.at[text.len - 1] == '%';
    uint64_t number = 0;
    text.len -= share;
    int error = parse_whole(text, share ? 100 : MAP_TASKS_MAX, &number);
    if (error || (given && !number))
        return complain(
            why, ERR_MALFORMED,
            "--max-fails: '%s' is not allowed; it takes a number from 1 to 10000000, or "
            "a share from 1%% to 100%%",
            given);
    if (share)
        spec->max_fails_ppm = number * 10000;
    else
        spec->max_fails = number;
    return OK;
}

static int add_env(struct message *message, const struct option_list *list, struct text *why)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    if (list->n > TASK_ENV_MAX)
        return complain(why, ERR_TOO_BIG, "--env is given more than 256 times%s", "");
    spec->env.at = message_room(message, list->n, sizeof *spec->env.at);
    for (size_t i = 0; i < list->n; i++) {
        const char *equals = strchr(list->at[i], '=');
        const char *value = equals ? equals + 1 : getenv(list->at[i]);
        size_t len = equals ? (size_t)(equals - list->at[i]) : strlen(list->at[i]);
        if (!value)
            return complain(why, ERR_MALFORMED,
                            "--env: %s is not set here; --env NAME=VALUE gives it a value",
                            list->at[i]);
        spec->env.at[spec->env.n++] =
            (struct wire_spec_env){message_copy(message,
                                                (struct slice){(const uint8_t *)list->at[i], len}),
                                   copy(message, value)};
    }
    return OK;
}

/* Texts as a list of a message. */
static struct wire_spec_text *texts(struct message *message, size_t n)
{
    return message_room(message, n, sizeof(struct wire_spec_text));
}

static int add_command(struct message *message, const struct map_request *request, struct text *why)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    if (request->n_argv > TASK_WORDS_MAX || request->collect.n > TASK_GLOBS_MAX)
        return complain(
            why, ERR_TOO_BIG,
            request->n_argv > TASK_WORDS_MAX
                ? "the command has more than 1000 words%s; put them into inputs or a file"
                : "--collect is given more than 64 times%s",
            "");
    spec->argv.at = texts(message, request->n_argv);
    for (; spec->argv.n < request->n_argv; spec->argv.n++)
        spec->argv.at[spec->argv.n].text = copy(message, request->argv[spec->argv.n]);
    if (request->shell)
        spec->shell = copy(message, request->shell);
    spec->collect.at = texts(message, request->collect.n);
    for (; spec->collect.n < request->collect.n; spec->collect.n++)
        spec->collect.at[spec->collect.n].text =
            copy(message, request->collect.at[spec->collect.n]);
    return OK;
}

static void add_inputs(struct message *message, const struct inputs *inputs)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    const struct slice *names = inputs_names(inputs);
    spec->inputs = inputs_per_task(inputs);
    spec->files = inputs_are_files(inputs);
    if (!names)
        return;
    spec->names.at = texts(message, spec->inputs);
    for (; spec->names.n < spec->inputs; spec->names.n++)
        spec->names.at[spec->names.n].text = message_copy(message, names[spec->names.n]);
}

int map_spec(const struct map_request *request, const struct inputs *inputs, struct message **out,
             struct text *why)
{
    struct message *message = message_new(MESSAGE_TASK_SPEC);
    struct wire_task_spec *spec = &message->as.task_spec;
    spec->on_stdin = request->on_stdin;
    spec->retries = request->retries;
    spec->retry_delay_us = request->retry_delay_us;
    spec->time_limit_us = request->time_limit_us == TIME_NEVER_US ? 0 : request->time_limit_us;
    spec->slots = request->slots;
    spec->max_output = request->max_output;
    spec->at_most_once = request->at_most_once;
    spec->over = copy(message, inputs_what(inputs));
    if (request->name)
        spec->name = copy(message, request->name);
    spec->speculate = request->speculate;
    add_inputs(message, inputs);
    int error = add_command(message, request, why);
    if (!error)
        error = read_max_fails(request->max_fails, spec, why);
    if (!error)
        error = add_env(message, &request->env, why);
    if (!error)
        error = task_spec_check(spec, why);
    if (error)
        message_drop(&message);
    *out = message;
    return error;
}

/* --- records --- */

static int put_spec(const struct message *spec, const struct map_sink *sink, struct text *why)
{
    struct blob *bytes = task_spec_pack(spec);
    if (!bytes)
        return complain(why, ERR_TOO_BIG, "the command and its environment are too long%s", "");
    uint8_t *part = mem_new(BYTES_LENGTH + bytes->len, 1);
    size_t len = bytes_put_part(part, bytes->at, bytes->len);
    int error = sink->put(sink->context, (struct slice){part, len}, why);
    free(part);
    blob_drop(&bytes);
    return error;
}

int map_records(const struct message *spec, struct inputs *inputs, const struct map_sink *sink,
                struct text *why)
{
    struct task_record *record = mem_new(1, sizeof *record);
    uint8_t *room = NULL;
    size_t size = 0;
    int error = put_spec(spec, sink, why);
    while (!error && !(error = inputs_next(inputs, record, why))) {
        record->has_file = spec->as.task_spec.files;
        if (record->has_file)
            error = sink->file(sink->context, inputs_path(inputs), record, why);
        size_t len = task_record_bytes(record);
        if (len > size)
            room = mem_grow(room, size = 2 * len, 1);
        task_record_put(room, record);
        if (!error)
            error = sink->put(sink->context, (struct slice){room, len}, why);
    }
    free(room);
    free(record);
    return error == ERR_NOT_FOUND ? OK : error;
}
