/* job_retry.c - conclave job retry: the tasks of a job once more that are not done. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/library/jobs.h"
#include "clients/show/render.h"

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

static int retry(struct cli *cli, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX], key[JOB_KEY_TEXT_MAX];
    struct message *job = NULL;
    const struct library_retry how = {&options.choice, options.time_limit_us, key};
    int code = cli_key(options.key, key);
    if (!code)
        code = cli_changed(cli, library_retry(&cli->connection, row, &how, &job), key);
    if (!code && cli->json)
        cli_print_json(cli, render_job(&job->as.job.jobs.at[0]));
    else if (!code)
        printf("%s\n", job_id_text(job->as.job.jobs.at[0].job, id));
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
    code = cli_told(cli, library_get(&cli->connection, id, false, &reply));
    if (!code)
        code = retry(cli, &reply->as.job.jobs.at[0]);
    message_drop(&reply);
    return code;
}
