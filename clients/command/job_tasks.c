/* job_tasks.c - conclave job tasks, output, log: what the tasks of a job came to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/command/commands.h"
#include "clients/local/outfile.h"
#include "clients/map/follow.h"
#include "clients/map/task_cluster_told.h"
#include "clients/show/tasks.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

static struct {
    const char *tasks, *state, *dir;
    bool failed, from_stderr, both, tag, follow, merged, wide;
    uint64_t limit;
} options;

/* Options that several of these commands take. */
#define ONLY_TASKS                                                                 \
    {                                                                              \
        "task", OPTION_WORD, &options.tasks, 0, 0, "TASKS", "only these: 17,60-70" \
    }
#define ONLY_FAILED                                                                               \
    {                                                                                             \
        "failed", OPTION_FLAG, &options.failed, 0, 0, NULL, "only those that failed or were lost" \
    }
#define ONLY_STATE                                                        \
    {                                                                     \
        "state", OPTION_WORD, &options.state, 0, 0, "STATE",              \
            "only those queued, running, done, failed, lost or cancelled" \
    }
#define LIMIT                                                                \
    {                                                                        \
        "limit", OPTION_U64, &options.limit, 1, UINT64_MAX, "N", "at most N" \
    }
#define MERGED                                                                \
    {                                                                         \
        "merged", OPTION_FLAG, &options.merged, 0, 0, NULL,                   \
            "for a retry: also the outcomes of tasks that it did not execute" \
    }

const struct option_spec job_tasks_options[] = {
    ONLY_TASKS, ONLY_FAILED,
    ONLY_STATE, LIMIT,
    MERGED,     {"wide", OPTION_FLAG, &options.wide, 0, 0, NULL, "whole inputs and lines"},
    {0}};

const struct option_spec job_outputs_options[] = {
    ONLY_TASKS,
    ONLY_FAILED,
    ONLY_STATE,
    LIMIT,
    MERGED,
    {"stderr", OPTION_FLAG, &options.from_stderr, 0, 0, NULL,
     "what they wrote to stderr, instead of stdout"},
    {"both", OPTION_FLAG, &options.both, 0, 0, NULL, "both; for each task stdout first"},
    {"tag", OPTION_FLAG, &options.tag, 0, 0, NULL, "begin each line with its input and a tab"},
    {"follow", OPTION_FLAG, &options.follow, 0, 0, NULL, "wait for tasks that have not ended"},
    {"dir", OPTION_WORD, &options.dir, 0, 0, "DIR", "write files there, with a joblog"},
    {0}};

const struct option_spec job_log_options[] = {ONLY_TASKS, ONLY_FAILED, ONLY_STATE,
                                              LIMIT,      MERGED,      {0}};

/* --- opening --- */

/* Reads the words and the choice, then opens the job. */
static int open_job(struct cli *cli, int n_words, char **words,
                    const struct task_cluster_wants *wants, struct task_choice *choice,
                    struct task_cluster **cluster)
{
    struct text why = {0};
    job_id_t job;
    int code = cli_job_id(n_words, words, &job);
    if (code)
        return code;
    if (task_choice_parse(options.tasks, options.state, options.failed, choice, &why))
        return cli_fail(EXIT_USAGE, "%s", why.at);
    choice->limit = options.limit;
    code = task_cluster_open_told(cli, job, wants, cluster);
    if (code)
        return code;
    uint64_t total = task_cluster_source(*cluster)->total;
    if (choice->n && choice->ranges[choice->n - 1].last > total)
        code = cli_fail(EXIT_NOT_FOUND, "the job has %" PRIu64 " tasks", total);
    return code;
}

static int explain(const struct task_cluster *cluster, int error, const struct text *why)
{
    return error ? task_cluster_explain(cluster, why) : EXIT_OK;
}

/* --- tasks --- */

static int show_tasks(struct cli *cli, const struct task_source *source,
                      const struct task_choice *choice, struct text *why)
{
    uint64_t shown = 0;
    cli->json_lines = true;
    if (!cli->json)
        task_table_head(source->total, stdout);
    for (uint64_t task = task_choice_from(choice, 1, source->total);
         task && (!choice->limit || shown < choice->limit);
         task = task_choice_from(choice, task + 1, source->total)) {
        struct task_view view;
        int error = source->get(source->context, task, &view, why);
        if (error)
            return error;
        if (!task_choice_has_state(choice, view.state))
            continue;
        if (cli->json)
            cli_print_json(cli, task_view_json(&view));
        else
            task_table_row(&view, source->total, options.wide, stdout);
        shown++;
    }
    return OK;
}

int job_tasks_run(struct cli *cli, int n_words, char **words)
{
    const struct task_cluster_wants wants = {.inputs = true, .merged = options.merged};
    struct task_choice *choice = mem_new(1, sizeof *choice);
    struct task_cluster *cluster = NULL;
    struct text why = {0};
    int code = open_job(cli, n_words, words, &wants, choice, &cluster);
    if (!code)
        code = explain(cluster, show_tasks(cli, task_cluster_source(cluster), choice, &why), &why);
    task_cluster_destroy(&cluster);
    free(choice);
    return code;
}

/* --- output --- */

static void note_missing(uint64_t missing)
{
    if (missing)
        cli_note("%" PRIu64 " %s not ended", missing, missing == 1 ? "task has" : "tasks have");
}

static int write_outputs(struct task_cluster *cluster, const struct task_choice *choice)
{
    struct text why = {0};
    struct outputs outputs = {.source = task_cluster_source(cluster),
                              .choice = choice,
                              .streams = {!options.from_stderr,
                                          options.from_stderr || options.both},
                              .tag = options.tag,
                              .wait = options.follow};
    int code = explain(cluster, outputs_write(&outputs, stdout, &why), &why);
    if (!code)
        note_missing(outputs.missing);
    return code;
}

static int note_saved(const struct outputs_saved *saved)
{
    outputs_saved_note(saved, options.dir);
    note_missing(saved->missing);
    return EXIT_OK;
}

static int follow_outputs(struct task_cluster *cluster, const struct task_choice *choice)
{
    struct follow *follow = mem_new(1, sizeof *follow);
    const struct task_source *source = &follow->source;
    struct text why = {0};
    int error = OK,
        code = follow_begin(follow, task_cluster_source(cluster), choice, NULL, options.dir);
    while (!code && !error)
        error = source->wait(source->context, &why);
    if (!code && error == ERR_NOT_FOUND)
        error = follow_rest(follow, &why);
    if (!code)
        code = error ? task_cluster_explain(cluster, &why) : note_saved(&follow->saved);
    code = follow_end(follow, code);
    free(follow);
    return code;
}

static int save_outputs(struct task_cluster *cluster, const struct task_choice *choice)
{
    struct outputs_saved saved;
    struct text why = {0};
    if (options.follow)
        return follow_outputs(cluster, choice);
    int error = outputs_save(task_cluster_source(cluster), choice, options.dir, &saved, &why);
    return error ? task_cluster_explain(cluster, &why) : note_saved(&saved);
}

static int check_output(void)
{
    if (options.from_stderr && options.both)
        return cli_fail(EXIT_USAGE, "either --stderr or --both, not both");
    if (options.dir && (options.from_stderr || options.both || options.tag))
        return cli_fail(EXIT_USAGE,
                        "--dir writes stdout and stderr as they are; --%s is for a "
                        "stream",
                        options.tag    ? "tag"
                        : options.both ? "both"
                                       : "stderr");
    return EXIT_OK;
}

int job_outputs_run(struct cli *cli, int n_words, char **words)
{
    int code = check_output();
    if (code)
        return code;
    const struct task_cluster_wants wants = {.streams = {options.dir || !options.from_stderr,
                                                         options.dir || options.from_stderr ||
                                                             options.both},
                                             .inputs = options.tag,
                                             .commands = options.dir,
                                             .merged = options.merged,
                                             .bar = options.follow,
                                             .waits = options.follow};
    struct task_choice *choice = mem_new(1, sizeof *choice);
    struct task_cluster *cluster = NULL;
    code = open_job(cli, n_words, words, &wants, choice, &cluster);
    if (!code)
        code = (options.dir ? save_outputs : write_outputs)(cluster, choice);
    task_cluster_destroy(&cluster);
    free(choice);
    return code;
}

/* --- log --- */

int job_log_run(struct cli *cli, int n_words, char **words)
{
    const struct task_cluster_wants wants = {.commands = true, .merged = options.merged};
    struct task_choice *choice = mem_new(1, sizeof *choice);
    struct task_cluster *cluster = NULL;
    struct text why = {0};
    int code = open_job(cli, n_words, words, &wants, choice, &cluster);
    if (!code)
        code =
            explain(cluster, outputs_log(task_cluster_source(cluster), choice, stdout, &why), &why);
    task_cluster_destroy(&cluster);
    free(choice);
    return code;
}

/* --- result --- */

static int write_result(struct task_cluster *cluster, const char *path)
{
    static const struct task_choice done = {.states = 1u << VIEW_DONE};
    struct text why = {0};
    struct outfile out;
    struct outputs outputs = {.source = task_cluster_source(cluster),
                              .choice = &done,
                              .streams = {true, false}};
    int code = outfile_open(&out, "--output", path);
    if (code)
        return code;
    code = explain(cluster, outputs_write(&outputs, out.file, &why), &why);
    return outfile_close(&out, code);
}

int job_tasks_result(struct cli *cli, job_id_t job, const char *path)
{
    const struct task_cluster_wants wants = {.streams = {true, false}, .merged = true};
    struct task_cluster *cluster = NULL;
    int code = task_cluster_open_told(cli, job, &wants, &cluster);
    if (!code)
        code = write_result(cluster, path ? path : "-");
    if (!code) {
        struct task_sum sum = tasks_sum(task_cluster_row(cluster));
        if (sum.done < sum.total)
            code = cli_fail(EXIT_FAILED, "%" PRIu64 " of %" PRIu64 " tasks are missing: not done",
                            sum.total - sum.done, sum.total);
    }
    task_cluster_destroy(&cluster);
    return code;
}
