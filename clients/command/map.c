/* map.c - conclave map: a command over inputs. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clients/ask/single.h"
#include "clients/ask/interrupt.h"
#include "clients/command/commands.h"
#include "clients/map/command_line.h"
#include "clients/map/map_wait.h"
#include "clients/map/named.h"
#include "clients/map/package.h"
#include "clients/map/reduce.h"
#include "clients/map/request.h"
#include "clients/show/printable.h"
#include "clients/show/render.h"
#include "clients/show/uploading.h"
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
     "inputs: files, each of which is sent with its task"},
    {"link", OPTION_FLAG, &options.request.inputs.link, 0, 0, NULL,
     "pair the inputs of several :::, instead of all combinations"},
    {"stdin", OPTION_FLAG, &options.request.on_stdin, 0, 0, NULL,
     "give the command its input, or its file, on stdin instead of as an argument"},
    {"dry-run", OPTION_FLAG, &options.dry_run, 0, 0, NULL, "print the commands, but run none"},
    {"retries", OPTION_U64, &options.request.retries, 0, TASK_RETRIES_MAX, "N",
     "how many more attempts after an exit code other than 0, or the time limit (default 0)"},
    {"retry-delay", OPTION_DURATION, &options.request.retry_delay_us, 0, TASK_DELAY_MAX_US, "TIME",
     "delay before the first of these; it doubles each time (default 1s)"},
    {"time-limit", OPTION_DURATION, &options.request.time_limit_us, 100 * MS_US, TIME_NEVER_US,
     "TIME", "how long an attempt may take (default: no limit)"},
    {"max-fails", OPTION_WORD, &options.request.max_fails, 0, 0, "N|N%",
     "cancel the rest when this many tasks have failed"},
    {"slots", OPTION_U64, &options.request.slots, 1, TASK_SLOTS_MAX, "N",
     "how many slots of its node a task takes (default 1)"},
    {"env", OPTION_LIST, &options.request.env, 0, 0, "NAME[=V]",
     "add a variable to the environment, with its value here or V"},
    {"upload", OPTION_LIST, &options.request.uploads, 0, 0, "FILE",
     "a file that every task finds in its directory"},
    {"collect", OPTION_LIST, &options.request.collect, 0, 0, "GLOB",
     "files in a task's directory that are results"},
    {"max-output", OPTION_SIZE, &options.request.max_output, 0, TASK_OUTPUT_MAX_BYTES, "SIZE",
     "how much stdout, and how much stderr, of a task is kept (default 1MiB)"},
    {"at-most-once", OPTION_FLAG, &options.request.at_most_once, 0, 0, NULL,
     "a task whose worker died is lost, and not run again"},
    {"speculate", OPTION_FLAG, &options.request.speculate, 0, 0, NULL,
     "run a second copy of tasks that are slow near the end"},
    {"reduce", OPTION_WORD, &options.reduce, 0, 0, "OPERATOR",
     "fold the outputs with this operator"},
    {"dir", OPTION_WORD, &options.wait.dir, 0, 0, "DIR",
     "write all outputs and files there, as tasks end"},
    {"joblog", OPTION_WORD, &options.wait.joblog, 0, 0, "FILE",
     "write a log in GNU parallel's format, as tasks end"},
    {"tag", OPTION_FLAG, &options.wait.tag, 0, 0, NULL, "begin each line with its input and a tab"},
    {"u", OPTION_FLAG, &options.wait.unordered, 0, 0, NULL, "print outputs as tasks end"},
    {"no-wait", OPTION_FLAG, &options.no_wait, 0, 0, NULL,
     "print the job's id as soon as it is accepted"},
    {"key", OPTION_WORD, &options.key, 0, 0, "KEY",
     "requests with the same key are the same job (default: a new UUID)"},
    {"name", OPTION_WORD, &options.request.name, 0, 0, "TEXT", "a name for the job, for people"},
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

/* What is over in a moment is not talked about. */
static int put(void *context, const struct content *content, const char *name, const char *what,
               struct message **value)
{
    return upload_shown(context, content, name, content->len >= VALUE_CHUNK_BYTES ? what : NULL,
                        value);
}

static int submit(struct cli *cli, const struct map_package *package, struct message **job)
{
    const struct uploader uploader = {put, cli};
    char key[JOB_KEY_TEXT_MAX];
    int code = cli_key(options.key, key);
    if (code)
        return code;
    code = map_package_send(&cli->connection, package, options.request.name, key, &uploader, job);
    return cli_changed(cli, code, key);
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
    const struct single single = {.cli = cli};
    struct text key = {0};
    char id[JOB_TEXT_MAX];
    if (options.key)
        text_add(&key, "%s.reduce", options.key);
    int code = cli_key(options.key ? key.at : NULL, submission->key);
    if (!code)
        code = reduce_prepare(cli, options.reduce, parts, submission);
    if (!code)
        return single_run(&single, submission);
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

static int run_package(struct cli *cli, const struct map_package *package)
{
    struct message *job = NULL;
    if (!map_package_tasks(package)) {
        cli_note("there are no inputs, and so no tasks");
        return EXIT_OK;
    }
    int code = check_operator(cli);
    if (!code)
        code = submit(cli, package, &job);
    if (!code)
        code = wait_or_leave(cli, &job->as.job.jobs.at[0], &package->tasks);
    message_drop(&job);
    return code;
}

/* A signal ends a read of stdin with an error. */
static int explain(int error, const struct text *why)
{
    return error == ERR_INTERRUPTED || interrupt_seen() ? cli_interrupted()
                                                        : cli_fail(EXIT_USAGE, "%s", why->at);
}

static const char *without_dot(const char *path)
{
    return path + (!strncmp(path, "./", 2) ? 2 : 0);
}

/* Whether the tasks, or one of them, find the file in their directories: an upload has its path as
 * it is given, or its base name. */
static bool goes_along(const char *name)
{
    const struct option_list *uploads = &options.request.uploads,
                             *files = &options.request.inputs.files;
    for (size_t i = 0; i < uploads->n; i++) {
        const char *slash = strrchr(uploads->at[i], '/');
        if (!strcmp(without_dot(uploads->at[i]), name) || (slash && !strcmp(slash + 1, name)))
            return true;
    }
    for (size_t i = 0; i < files->n; i++)
        if (!fnmatch(without_dot(files->at[i]), name, 0))
            return true;
    return false;
}

/* Whoever runs a program of the working directory means that one, but tasks have directories of
 * their own. */
static void remark_program(void)
{
    char shown[TEXT_MAX / 4];
    const char *program = options.request.n_argv ? options.request.argv[0] : "";
    struct stat about;
    if (options.request.shell || !strchr(program, '/') || *program == '/' ||
        goes_along(without_dot(program)) || stat(program, &about) || !S_ISREG(about.st_mode))
        return;
    text_escape(shown, sizeof shown, slice_of(program));
    cli_note("%s is looked for in the directory of each task; --upload %s sends it there", shown,
             shown);
}

static int run(struct cli *cli, struct message *spec, struct inputs *inputs)
{
    struct map_package *package = mem_new(1, sizeof *package);
    struct text why = {0};
    int code = map_wait_check(&options.wait);
    if (!code) {
        remark_program();
        int error = map_package_make(package, spec, inputs, &options.request.uploads, &why);
        code = error ? explain(error, &why) : run_package(cli, package);
        map_package_clear(package);
    }
    free(package);
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
