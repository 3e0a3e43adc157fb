/* job.c - conclave job show, wait, result, cancel, explain. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/ask/single.h"
#include "clients/command/commands.h"
#include "clients/ask/digits.h"
#include "clients/ask/interrupt.h"
#include "clients/library/jobs.h"
#include "clients/map/map_label.h"
#include "clients/map/task_cluster_told.h"
#include "clients/map/task_totals.h"
#include "clients/show/losses.h"
#include "clients/show/render.h"
#include "clients/show/report.h"
#include "clients/show/tasks.h"
#include "clients/show/timing.h"
#include "shared/base/terminal.h"

/* What `job show` reads of a job of tasks to add it up: 64 MiB at most, within a second or so. */
#define SHOW_SEGMENTS_MAX 64
#define SHOW_TASKS_MAX    1000000
#define EXPLAINED_COLUMNS 9 /* before what a line is about: "slowest: " */

static struct {
    bool ops, timing;
    const char *output, *range;
} options;

const struct option_spec job_show_options[] = {
    {"ops", OPTION_FLAG, &options.ops, 0, 0, NULL,
     "list every operation, with its node and its attempt"},
    {"timing", OPTION_FLAG, &options.timing, 0, 0, NULL,
     "show where the job's time went, or is going"},
    {0}};

#define OUTPUT_OPTION                                           \
    {                                                           \
        "output", OPTION_STRING, &options.output, 0, 0, "FILE", \
            "write only the digits, to this file; - is stdout"  \
    }

const struct option_spec job_output_options[] = {OUTPUT_OPTION, {0}};

const struct option_spec job_result_options[] = {OUTPUT_OPTION,
                                                 {"range", OPTION_WORD, &options.range, 0, 0, "A:B",
                                                  "only the bytes from offset A up to before B"},
                                                 {0}};

static int get_job(struct cli *cli, job_id_t job, struct message **reply)
{
    return cli_told(cli, library_get(&cli->connection, job, options.timing, reply));
}

/* --- show --- */

/* Takes an operation of the job into the JSON array, or to stdout. */
static bool list_operation(void *context, const struct wire_trace_row *row)
{
    json_t *array = context;
    struct text line = {0};
    render_operation_text(row, &line);
    if (array)
        json_array_append_new(array, render_operation(row));
    else if (row->node)
        printf("  W%-3" PRIu64 " %s%s\n", row->node, line.at,
               row->attempt > 1 ? "  (not the first attempt)" : "");
    else
        printf("  ...  %s\n", line.at);
    return true;
}

static int list_operations(struct cli *cli, job_id_t job, json_t *array)
{
    return cli_told(cli, library_operations_each(&cli->connection, job, list_operation, array));
}

/* What the tasks took and wrote together. */
static int show_totals(struct cli *cli, const struct wire_job_row *row)
{
    const struct task_cluster_wants wants = {0};
    struct task_cluster *cluster = NULL;
    struct task_totals totals = {0};
    struct text why = {0}, lines = {0};
    uint64_t took_ms =
        row->finished_ms > row->submitted_ms ? row->finished_ms - row->submitted_ms : 0;
    if (!tasks_are(row) || row->tasks.at[0].total > SHOW_TASKS_MAX ||
        !library_has_details(&cli->connection, row->job, SHOW_SEGMENTS_MAX))
        return EXIT_OK;
    int code = task_cluster_open_told(cli, row->job, &wants, &cluster);
    if (!code && task_totals_read(task_cluster_source(cluster), &totals, &why))
        code = task_cluster_explain(cluster, &why);
    if (!code) {
        task_totals_text(&totals, took_ms, &lines);
        printf("%s", lines.at);
    }
    task_totals_clear(&totals);
    task_cluster_destroy(&cluster);
    return code;
}

/* As lines. */
static int show_text(struct cli *cli, const struct wire_job *answer)
{
    const struct wire_job_row *row = &answer->jobs.at[0];
    struct message *spec = map_label_spec(&cli->connection, row);
    struct text label = {0};
    if (spec)
        map_label_long(spec, row->tasks.n ? row->tasks.at[0].total : row->total, &label);
    render_job_text(row, spec ? label.at : NULL, spec ? &spec->as.task_spec.name : NULL, stdout);
    message_drop(&spec);
    int code = show_totals(cli, row);
    losses_text(answer, stdout);
    if (options.timing)
        timing_text(answer, stdout);
    return code;
}

static int show(struct cli *cli, const struct wire_job *answer)
{
    static bool again; /* an empty line between two */
    const struct wire_job_row *row = &answer->jobs.at[0];
    bool ops = options.ops && row->total <= TRACE_OPS_MAX;
    int code = EXIT_OK;
    if (options.ops && !ops)
        cli_note("no list of the %" PRIu64 " operations is kept; at most %d are listed", row->total,
                 TRACE_OPS_MAX);
    if (cli->json) {
        json_t *job = render_job(row), *trace = ops ? json_array() : json_null();
        code = ops ? list_operations(cli, row->job, trace) : EXIT_OK;
        if (options.ops)
            json_object_set(job, "trace", trace);
        if (answer->losses.n) /* else it is the object that submit and wait print */
            json_object_set_new(job, "losses", losses_json(answer));
        if (options.timing)
            json_object_set_new(job, "timing", timing_json(answer));
        json_decref(trace);
        if (code)
            json_decref(job);
        else
            cli_print_json(cli, job);
        return code;
    }
    if (again)
        printf("\n");
    again = true;
    code = show_text(cli, answer);
    return ops && !code ? list_operations(cli, row->job, NULL) : code;
}

/* Runs the command for each id; the first failure is the exit code, the others are done all the
 * same. All ids are looked at before anything is done. */
static int each_job(struct cli *cli, int n_words, char **words,
                    int (*run)(struct cli *cli, job_id_t job))
{
    job_id_t job;
    int code = n_words ? EXIT_OK : cli_job_id(n_words, words, &job);
    for (int i = 0; !code && i < n_words; i++)
        code = cli_job_id(1, words + i, &job);
    if (code)
        return code;
    cli->json_lines = cli->json_lines || n_words > 1;
    for (int i = 0; i < n_words && !interrupt_seen(); i++) {
        (void)cli_job_id(1, words + i, &job);
        int error = run(cli, job);
        code = code ? code : error;
    }
    return code;
}

/* Gets the job, and gives it to the command. */
static int with_job(struct cli *cli, job_id_t job,
                    int (*command)(struct cli *cli, const struct wire_job *answer))
{
    struct message *reply = NULL;
    int code = get_job(cli, job, &reply);
    if (!code)
        code = command(cli, &reply->as.job);
    message_drop(&reply);
    return code;
}

static int show_job(struct cli *cli, job_id_t job)
{
    return with_job(cli, job, show);
}

int job_show_run(struct cli *cli, int n_words, char **words)
{
    return each_job(cli, n_words, words, show_job);
}

/* --- wait and result --- */

static int wait_for_job(struct cli *cli, job_id_t job)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    submission->job = job;
    const struct single single = {.cli = cli, .report = {.output = options.output}};
    return single_run(&single, submission);
}

int job_wait_run(struct cli *cli, int n_words, char **words)
{
    if (options.output && n_words > 1)
        return cli_fail(EXIT_USAGE, "--output is for one job");
    int code = options.output ? digits_check(cli, options.output) : EXIT_OK;
    return code ? code : each_job(cli, n_words, words, wait_for_job);
}

static struct digits_part part; /* what --range says */

/* What tasks wrote is no result of the job: `job output` has it. */
static int check_part(const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX];
    if (tasks_are(row))
        return cli_fail(EXIT_USAGE, "job %s consists of tasks: it has no result for --range",
                        job_id_text(row->job, id));
    return digits_part_check(&part, row);
}

static int give_result(struct cli *cli, const struct wire_job *answer)
{
    const struct wire_job_row *row = &answer->jobs.at[0];
    if (tasks_are(row) && !cli->json && !options.range)
        return job_tasks_result(cli, row->job, options.output);
    const struct digits_part *wanted = options.range ? &part : NULL;
    int code = tasks_are(row) && options.range ? EXIT_OK : report_state(cli, row);
    if (!code && options.range)
        code = check_part(row);
    if (code)
        return code;
    if (options.output)
        code = digits_save(cli, row, wanted, options.output);
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else if (!options.output)
        code = digits_line(cli, row, wanted, stdout);
    return code;
}

int job_result_run(struct cli *cli, int n_words, char **words)
{
    job_id_t job;
    int code = cli_job_id(n_words, words, &job);
    if (!code && options.range)
        code = digits_part_read(options.range, &part);
    if (!code && options.range && cli->json && !options.output)
        code = cli_fail(EXIT_USAGE, "--json prints no digits; --range with it needs --output FILE");
    if (!code && options.output)
        code = digits_check(cli, options.output);
    return code ? code : with_job(cli, job, give_result);
}

/* --- cancel and explain --- */

static int cancel(struct cli *cli, job_id_t job)
{
    char id[JOB_TEXT_MAX];
    struct message *reply = NULL;
    int code = cli_told(cli, library_cancel(&cli->connection, job, &reply));
    if (!code && cli->json)
        cli_print_json(cli, render_job(&reply->as.job.jobs.at[0]));
    else if (!code)
        printf("job %s is cancelled\n", job_id_text(job, id));
    message_drop(&reply);
    return code;
}

int job_cancel_run(struct cli *cli, int n_words, char **words)
{
    return each_job(cli, n_words, words, cancel);
}

/* With the job itself, whose numbers and state a program reads instead of the prose. */
static int print_explanation(struct cli *cli, job_id_t job, json_t *lines)
{
    struct message *reply = NULL;
    json_t *told = render_explanation(job, lines);
    int code = get_job(cli, job, &reply);
    if (code) {
        json_decref(told);
        return code;
    }
    json_t *object = render_job(&reply->as.job.jobs.at[0]);
    json_object_update(object, told);
    json_decref(told);
    cli_print_json(cli, object);
    message_drop(&reply);
    return EXIT_OK;
}

static bool add_line(void *context, const char *line)
{
    json_array_append_new(context, json_string(line));
    return true;
}

static int explain(struct cli *cli, job_id_t job)
{
    json_t *lines = json_array(), *line;
    size_t i;
    int code = cli_told(cli, library_explain(&cli->connection, job, add_line, lines));
    if (!code && cli->json)
        return print_explanation(cli, job, lines);
    json_array_foreach(lines, i, line)
        terminal_wrap(json_string_value(line), 0, EXPLAINED_COLUMNS, stdout);
    json_decref(lines);
    return code;
}

int job_explain_run(struct cli *cli, int n_words, char **words)
{
    return each_job(cli, n_words, words, explain);
}
