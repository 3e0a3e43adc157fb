/* map.c - conclave map: a command over inputs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/ask/batch.h"
#include "clients/ask/interrupt.h"
#include "clients/ask/upload.h"
#include "clients/command/commands.h"
#include "clients/map/command_line.h"
#include "clients/map/map_job.h"
#include "clients/map/map_wait.h"
#include "clients/map/named.h"
#include "clients/map/reduce.h"
#include "clients/map/request.h"
#include "clients/show/printable.h"
#include "clients/show/render.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/tasks/expand.h"

static struct {
    struct map_request request;
    const char *key, *reduce;
    struct map_wait wait;
    bool dry_run, no_wait;
} options = {
    .request = {.retry_delay_us = SECOND_US, .slots = 1, .max_output = TASK_OUTPUT_DEFAULT_BYTES}};

const struct option_spec map_options[] = {
    {"sh", OPTION_WORD, &options.request.shell, 0, 0, "STRING",
     "the command as a line for /bin/sh; the inputs in it are quoted"},
    {"csv", OPTION_WORD, &options.request.inputs.csv, 0, 0, "FILE",
     "inputs: the rows of a table, its columns {NAME} by the header"},
    {"array", OPTION_WORD, &options.request.inputs.array, 0, 0, "A-B[:STEP]",
     "inputs: these numbers"},
    {"files", OPTION_LIST, &options.request.inputs.files, 0, 0, "PATTERN",
     "inputs: files, each of which goes with its task"},
    {"link", OPTION_FLAG, &options.request.inputs.link, 0, 0, NULL,
     "several ::: side by side, instead of each with each"},
    {"stdin", OPTION_FLAG, &options.request.on_stdin, 0, 0, NULL,
     "the input, or its file, is what the command reads, instead of an argument"},
    {"dry-run", OPTION_FLAG, &options.dry_run, 0, 0, NULL, "print the commands, and run none"},
    {"retries", OPTION_U64, &options.request.retries, 0, TASK_RETRIES_MAX, "N",
     "more attempts after an exit code other than 0, or the time limit (0)"},
    {"retry-delay", OPTION_DURATION, &options.request.retry_delay_us, 0, TASK_DELAY_MAX_US, "TIME",
     "before the first of them; then it doubles (1s)"},
    {"time-limit", OPTION_DURATION, &options.request.time_limit_us, 100 * MS_US, TIME_NEVER_US,
     "TIME", "of an attempt (never)"},
    {"max-fails", OPTION_WORD, &options.request.max_fails, 0, 0, "N|N%",
     "cancel the rest when this many tasks have failed"},
    {"slots", OPTION_U64, &options.request.slots, 1, TASK_SLOTS_MAX, "N",
     "of its node, that a task takes (1)"},
    {"env", OPTION_LIST, &options.request.env, 0, 0, "NAME[=V]",
     "add a variable to the environment, with its value here or V"},
    {"upload", OPTION_LIST, &options.request.uploads, 0, 0, "FILE",
     "a file that every task finds in its directory"},
    {"collect", OPTION_LIST, &options.request.collect, 0, 0, "GLOB",
     "files of a task's directory that are results"},
    {"max-output", OPTION_SIZE, &options.request.max_output, 0, TASK_OUTPUT_MAX_BYTES, "SIZE",
     "of stdout and of stderr of a task; the rest is cut (1MiB)"},
    {"at-most-once", OPTION_FLAG, &options.request.at_most_once, 0, 0, NULL,
     "a task whose worker died is lost, and not run again"},
    {"speculate", OPTION_FLAG, &options.request.speculate, 0, 0, NULL,
     "run a second copy of what is slow near the end"},
    {"reduce", OPTION_WORD, &options.reduce, 0, 0, "OPERATOR", "fold the outputs"},
    {"dir", OPTION_WORD, &options.wait.dir, 0, 0, "DIR",
     "write all outputs and files there, as tasks end"},
    {"joblog", OPTION_WORD, &options.wait.joblog, 0, 0, "FILE",
     "write a log as GNU parallel does, as tasks end"},
    {"tag", OPTION_FLAG, &options.wait.tag, 0, 0, NULL, "begin each line with its input and a tab"},
    {"u", OPTION_FLAG, &options.wait.unordered, 0, 0, NULL, "print outputs as tasks end"},
    {"no-wait", OPTION_FLAG, &options.no_wait, 0, 0, NULL,
     "print the job's id as soon as it is accepted"},
    {"key", OPTION_WORD, &options.key, 0, 0, "KEY",
     "requests with the same key are the same job (a new UUID)"},
    {"name", OPTION_WORD, &options.request.name, 0, 0, "TEXT",
     "what the job is called, for people"},
    {0}};

/* --- the commands, shown --- */

static void show(const struct wire_task_spec *spec, const struct task_command *command)
{
    static struct command_line line; /* one for all */
    command_line_make(&line, spec, command);
    fwrite(line.at, 1, line.len, stdout);
    putchar('\n');
}

static void show_json(struct cli *cli, uint64_t task, const struct task_record *record,
                      const struct task_command *command)
{
    json_t *inputs = json_array(), *argv = json_array();
    for (size_t i = 0; i < record->n_inputs; i++)
        json_array_append_new(inputs, printable_json(record->inputs[i]));
    for (size_t i = 0; i < command->n; i++)
        json_array_append_new(argv, printable_json(slice_of(task_command_word(command, i))));
    cli_print_json(cli, json_pack("{s:I, s:o, s:o}", "task", (json_int_t)task, "inputs", inputs,
                                  "command", argv));
}

static int dry_run(struct cli *cli, const struct message *message, struct inputs *inputs,
                   struct text *why)
{
    const struct wire_task_spec *spec = &message->as.task_spec;
    struct task_record *record = mem_new(1, sizeof *record);
    struct task_command command = {0};
    int error;
    cli->json_lines = true;
    while (!(error = inputs_next(inputs, record, why)) &&
           !(error = task_expand(spec, record, inputs_count(inputs), &command, why))) {
        if (cli->json)
            show_json(cli, inputs_count(inputs), record, &command);
        else
            show(spec, &command);
    }
    if (error == ERR_NOT_FOUND && !inputs_count(inputs))
        cli_note("there are no inputs, and so no tasks");
    task_command_clear(&command);
    free(record);
    return error == ERR_NOT_FOUND ? OK : error;
}

/* --- the command --- */

static int check_request(const struct cli *cli)
{
    const struct {
        bool given;
        const char *name;
    } outputs[] = {{options.wait.dir, "dir"},
                   {options.wait.joblog, "joblog"},
                   {options.wait.tag, "tag"},
                   {options.reduce, "reduce"}};
    for (size_t i = 0; options.no_wait && i < sizeof outputs / sizeof *outputs; i++)
        if (outputs[i].given)
            return cli_fail(EXIT_USAGE, "--%s needs the results, --no-wait does not wait for them",
                            outputs[i].name);
    if (options.no_wait && options.wait.unordered)
        return cli_fail(EXIT_USAGE, "-u needs the results, --no-wait does not wait for them");
    if (options.request.name && (slice_of(options.request.name).len > TASK_NAME_MAX ||
                                 !text_is_utf8(slice_of(options.request.name))))
        return cli_fail(EXIT_USAGE, "--name takes a text of at most %d bytes", TASK_NAME_MAX);
    if (options.reduce && (options.wait.tag || options.wait.unordered))
        return cli_fail(EXIT_USAGE, "--reduce folds the outputs; %s is for those that are printed",
                        options.wait.tag ? "--tag" : "-u");
    if (cli->json && !options.dry_run && (options.wait.tag || options.wait.unordered))
        return cli_fail(EXIT_USAGE, "--json prints the job; %s is for outputs",
                        options.wait.tag ? "--tag" : "-u");
    char key[JOB_KEY_TEXT_MAX];
    return options.key ? cli_key(options.key, key) : EXIT_OK;
}

/* The same words again mean the same stored value: what is there is not sent again. */
static int upload_tasks(struct cli *cli, const struct inputs *inputs, const struct content *content,
                        struct message **value)
{
    struct text what = {0};
    inputs_describe(inputs, &what);
    return upload(cli, content, options.request.name,
                  content->len >= VALUE_CHUNK_BYTES ? what.at : NULL, value);
}

/* Files first: tasks without them are of no use. */
static int upload_files(struct cli *cli, const struct content *files, struct map_submit *what)
{
    struct message *value = NULL;
    if (!files->len)
        return EXIT_OK;
    int code = upload(cli, files, options.request.name,
                      files->len >= VALUE_CHUNK_BYTES ? "files" : NULL, &value);
    if (!code)
        what->values[1] = value->as.value.values.at[0].value;
    what->n_values += !code;
    message_drop(&value);
    return code;
}

static int upload_all(struct cli *cli, const struct inputs *inputs, const struct content *content,
                      const struct content *files, struct map_submit *what)
{
    struct message *value = NULL;
    int code = upload_files(cli, files, what);
    if (!code)
        code = upload_tasks(cli, inputs, content, &value);
    if (!code)
        what->values[0] = value->as.value.values.at[0].value;
    what->n_values++;
    message_drop(&value);
    return code;
}

static int submit(struct cli *cli, const struct wire_task_spec *spec, const struct content *content,
                  struct map_submit *what, struct message **job)
{
    char key[JOB_KEY_TEXT_MAX], argument[JOB_SPEC_MAX + 1];
    what->kind = "map";
    what->spec = argument;
    what->key = key;
    what->commands = true;
    what->options = map_job_options(spec);
    text_format(argument, sizeof argument, "%" PRIu64 " %zu %" PRIu64, content->items - 1,
                content->n_segments, content->len);
    int code = cli_key(options.key, key);
    return code ? code : map_job_submit(cli, what, job);
}

/* --- folding --- */

/* Before anything is submitted: whether there is such an operator. */
static int check_operator(struct cli *cli)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    int code = options.reduce ? named_find(cli, options.reduce, &page, &row) : EXIT_OK;
    message_drop(&page);
    return code;
}

/* A job of its own: with --key one that the same key finds again. */
static int fold(struct cli *cli, job_id_t job, struct parts *parts)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    struct batch batch = {.cli = cli};
    struct text key = {0};
    char id[JOB_TEXT_MAX];
    if (options.key)
        text_add(&key, "%s.reduce", options.key);
    int code = cli_key(options.key ? key.at : NULL, submission->key);
    if (!code)
        code = reduce_prepare(cli, options.reduce, parts, submission);
    if (!code)
        return batch_run(&batch, submission);
    cli_note("the outputs are there: `conclave submit reduce %s job:%s` folds them", options.reduce,
             job_id_text(job, id));
    free(submission);
    return code;
}

static int wait_and_fold(struct cli *cli, job_id_t job)
{
    struct parts parts;
    parts_begin(&parts);
    options.wait.parts = &parts;
    int code = map_wait(cli, job, &options.wait);
    if (!code)
        code = fold(cli, job, &parts);
    parts_clear(&parts);
    return code;
}

static int wait_or_leave(struct cli *cli, const struct wire_job_row *row,
                         const struct content *content)
{
    char id[JOB_TEXT_MAX];
    options.wait.content = content;
    if (options.reduce)
        return wait_and_fold(cli, row->job);
    if (!options.no_wait)
        return map_wait(cli, row->job, &options.wait);
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else
        printf("%s\n", job_id_text(row->job, id));
    return EXIT_OK;
}

static int run_content(struct cli *cli, const struct message *spec, const struct inputs *inputs,
                       const struct content *content, const struct content *files)
{
    struct map_submit what = {0};
    struct message *job = NULL;
    if (content->items < 2) {
        cli_note("there are no inputs, and so no tasks");
        return EXIT_OK;
    }
    int code = check_operator(cli);
    if (!code)
        code = upload_all(cli, inputs, content, files, &what);
    if (!code)
        code = submit(cli, &spec->as.task_spec, content, &what, &job);
    if (!code)
        code = wait_or_leave(cli, &job->as.job.jobs.at[0], content);
    message_drop(&job);
    return code;
}

/* A signal ends a read of stdin with an error. */
static int explain(int error, const struct text *why)
{
    return error == ERR_INTERRUPTED || interrupt_seen() ? cli_interrupted()
                                                        : cli_fail(EXIT_USAGE, "%s", why->at);
}

/* All inputs, and their files, are read before anything is sent. */
static int run(struct cli *cli, struct message *spec, struct inputs *inputs)
{
    struct content content = {.spool.fd = -1}, bytes = {.spool.fd = -1};
    struct task_files files;
    struct text why = {0};
    int code = map_wait_check(&options.wait);
    if (code)
        return code;
    task_files_begin(&files);
    int error = task_files_upload(&files, &options.request.uploads, spec, &why);
    if (!error)
        error = map_job_content(spec, inputs, &files, &content, &why);
    if (!error)
        error = task_files_content(&files, &bytes, &why);
    code = error ? explain(error, &why) : run_content(cli, spec, inputs, &content, &bytes);
    task_files_clear(&files);
    content_clear(&content);
    content_clear(&bytes);
    return code;
}

int map_run(struct cli *cli, int n_words, char **words)
{
    struct text why = {0};
    struct inputs *inputs = NULL;
    struct message *spec = NULL;
    int code = check_request(cli);
    if (code)
        return code;
    int error = map_words(&options.request, (size_t)n_words, words, &why);
    if (!error)
        error = inputs_open(&options.request.inputs, &inputs, &why);
    if (!error)
        error = map_spec(&options.request, inputs, &spec, &why);
    if (!error && options.dry_run)
        error = dry_run(cli, spec, inputs, &why);
    else if (!error)
        code = run(cli, spec, inputs);
    message_drop(&spec);
    inputs_destroy(&inputs);
    return error ? explain(error, &why) : code;
}
