/* job_retry.c - conclave job retry: the tasks of a job once more that are not done. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/map/map_job.h"
#include "clients/map/map_label.h"
#include "clients/map/task_choice.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"

static struct {
    const char *key, *tasks;
    uint64_t time_limit_us;
    struct task_choice choice; /* of `tasks` */
} options;

const struct option_spec job_retry_options[] = {
    {"task", OPTION_STRING, &options.tasks, 0, 0, "N,A-B",
     "only these, of those that are not done; the others stay as they are (default: all)"},
    {"time-limit", OPTION_DURATION, &options.time_limit_us, 100 * MS_US, TIME_NEVER_US, "TIME",
     "for an attempt, instead of the job's"},
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key are the same job (default: a new UUID)"},
    {0}};

static int check(const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX];
    job_id_text(row->job, id);
    if (!tasks_are(row))
        return cli_fail(EXIT_USAGE, "job %s has operations, not tasks; submit it again", id);
    if (!job_is_finished(row))
        return cli_fail(EXIT_USAGE, "job %s is not finished; `conclave job wait %s` waits for it",
                        id, id);
    if (row->tasks.at[0].done == row->tasks.at[0].total)
        return cli_fail(EXIT_USAGE, "all tasks of job %s are done", id);
    uint64_t total = row->tasks.at[0].total;
    for (size_t i = 0; i < options.choice.n; i++)
        if (options.choice.ranges[i].last > total)
            return cli_fail(EXIT_USAGE,
                            "job %s has no task %" PRIu64 "; its tasks are 1 to %" PRIu64, id,
                            options.choice.ranges[i].last, total);
    return EXIT_OK;
}

static int submit(struct cli *cli, const struct wire_job_row *row, const struct message *spec,
                  struct message **job)
{
    char key[JOB_KEY_TEXT_MAX], kind[JOB_KIND_MAX + 1], argument[JOB_SPEC_MAX + 1];
    struct map_submit what = {.kind = kind,
                              .spec = argument,
                              .key = key,
                              .commands = slice_equals(row->kind, "map"),
                              .parent = row->job,
                              .choice = &options.choice};
    for (; what.n_values < row->inputs.n && what.n_values < INPUTS_MAX; what.n_values++)
        what.values[what.n_values] = row->inputs.at[what.n_values].value;
    text_copy(kind, sizeof kind, row->kind);
    text_copy(argument, sizeof argument, row->spec);
    if (spec)
        what.options = map_job_options(&spec->as.task_spec);
    if (options.time_limit_us)
        what.options.time_limit_ms = options.time_limit_us == TIME_NEVER_US
                                         ? 0
                                         : (options.time_limit_us + MS_US - 1) / MS_US;
    int code = cli_key(options.key, key);
    return code ? code : cli_changed(cli, map_job_submit(&cli->connection, &what, job), key);
}

static int retry(struct cli *cli, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX];
    struct message *spec = map_label_spec(cli, row), *job = NULL;
    int code = !spec && slice_equals(row->kind, "map")
                   ? cli_fail(EXIT_FAILED, "the commands of job %s cannot be read",
                              job_id_text(row->job, id))
                   : submit(cli, row, spec, &job);
    if (!code && cli->json)
        cli_print_json(cli, render_job(&job->as.job.jobs.at[0]));
    else if (!code)
        printf("%s\n", job_id_text(job->as.job.jobs.at[0].job, id));
    message_drop(&spec);
    message_drop(&job);
    return code;
}

static int read_choice(void)
{
    struct text why = {0};
    if (!options.tasks)
        return EXIT_OK;
    if (task_choice_parse(options.tasks, NULL, false, &options.choice, &why))
        return cli_fail(EXIT_USAGE, "%s", why.at);
    if (options.choice.n > TASK_CHOSEN_MAX)
        return cli_fail(EXIT_USAGE, "--task names %zu ranges; at most %d are allowed",
                        options.choice.n, TASK_CHOSEN_MAX);
    return EXIT_OK;
}

int job_retry_run(struct cli *cli, int n_words, char **words)
{
    job_id_t id;
    struct message *reply = NULL;
    int code = cli_job_id(n_words, words, &id);
    if (!code)
        code = read_choice();
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_JOB_GET);
    request->as.job_get.job = id;
    code = cli_ask(cli, request, MESSAGE_JOB, &reply);
    if (!code && reply->as.job.jobs.n != 1)
        code = cli_fail(EXIT_FAILED, "the answer is not about one job");
    if (!code)
        code = check(&reply->as.job.jobs.at[0]);
    if (!code)
        code = retry(cli, &reply->as.job.jobs.at[0]);
    message_drop(&reply);
    return code;
}
