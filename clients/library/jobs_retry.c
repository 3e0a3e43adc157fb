/* jobs_retry.c - the tasks of a job once more that are not done: libconclave. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_row.h"
#include "clients/library/jobs.h"
#include "clients/map/map_job.h"
#include "clients/map/map_label.h"
#include "clients/show/tasks.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"

#define TIME_LIMIT_MIN_US (100 * MS_US) /* as the command line has it: less is a slip */

static int check(struct conclave *cluster, const struct wire_job_row *row,
                 const struct task_choice *choice)
{
    char id[JOB_TEXT_MAX];
    job_id_text(row->job, id);
    if (!tasks_are(row))
        return connection_fail(cluster, EXIT_USAGE,
                               "job %s has operations, not tasks; submit it again", id);
    if (!job_is_finished(row))
        return connection_fail(cluster, EXIT_USAGE,
                               "job %s is not finished; `conclave job wait %s` waits for it", id,
                               id);
    if (row->tasks.at[0].done == row->tasks.at[0].total)
        return connection_fail(cluster, EXIT_USAGE, "all tasks of job %s are done", id);
    uint64_t total = row->tasks.at[0].total;
    for (size_t i = 0; i < choice->n; i++)
        if (choice->ranges[i].last > total)
            return connection_fail(cluster, EXIT_USAGE,
                                   "job %s has no task %" PRIu64 "; its tasks are 1 to %" PRIu64,
                                   id, choice->ranges[i].last, total);
    return EXIT_OK;
}

int library_retry(struct conclave *cluster, const struct wire_job_row *row,
                  const struct library_retry *how, struct message **job)
{
    char id[JOB_TEXT_MAX], kind[JOB_KIND_MAX + 1], argument[JOB_SPEC_MAX + 1];
    struct map_submit what = {.kind = kind,
                              .spec = argument,
                              .key = how->key,
                              .commands = slice_equals(row->kind, "map"),
                              .parent = row->job,
                              .choice = how->choice};
    int code = check(cluster, row, how->choice);
    if (code)
        return code;
    struct message *spec = map_label_spec(cluster, row);
    if (!spec && what.commands)
        return connection_fail(cluster, EXIT_FAILED, "the commands of job %s cannot be read",
                               job_id_text(row->job, id));
    for (; what.n_values < row->inputs.n && what.n_values < INPUTS_MAX; what.n_values++)
        what.values[what.n_values] = row->inputs.at[what.n_values].value;
    text_copy(kind, sizeof kind, row->kind);
    text_copy(argument, sizeof argument, row->spec);
    if (spec)
        what.options = map_job_options(&spec->as.task_spec);
    if (how->time_limit_us)
        what.options.time_limit_ms =
            how->time_limit_us == TIME_NEVER_US ? 0 : (how->time_limit_us + MS_US - 1) / MS_US;
    code = map_job_submit(cluster, &what, job);
    message_drop(&spec);
    return code;
}

/* What a program asks for, as the function above takes it. */
static int read_retry(struct conclave *cluster, const struct conclave_retry *given,
                      struct task_choice *choice, char key[JOB_KEY_TEXT_MAX],
                      struct library_retry *how)
{
    struct conclave_retry retry = {0};
    struct text why = {0};
    if (given)
        memcpy(&retry, given, given->size < sizeof retry ? given->size : sizeof retry);
    *how =
        (struct library_retry){.choice = choice, .time_limit_us = retry.time_limit_us, .key = key};
    if (retry.time_limit_us == CONCLAVE_FOR_EVER)
        how->time_limit_us = TIME_NEVER_US;
    else if (retry.time_limit_us &&
             (retry.time_limit_us < TIME_LIMIT_MIN_US || retry.time_limit_us > TIME_NEVER_US))
        return connection_fail(cluster, EXIT_USAGE,
                               "time_limit_us: %" PRIu64 " is not allowed; it takes %" PRIu64
                               " to %" PRIu64,
                               retry.time_limit_us, (uint64_t)TIME_LIMIT_MIN_US,
                               (uint64_t)TIME_NEVER_US);
    if (retry.tasks && task_choice_parse(retry.tasks, NULL, false, choice, &why))
        return connection_fail(cluster, EXIT_USAGE, "%s", why.at);
    if (choice->n > TASK_CHOSEN_MAX)
        return connection_fail(cluster, EXIT_USAGE,
                               "tasks names %zu ranges; at most %d are allowed", choice->n,
                               TASK_CHOSEN_MAX);
    return library_key(cluster, retry.key, key);
}

int conclave_job_retry(struct conclave *cluster, const char *id, const struct conclave_retry *retry,
                       struct conclave_job *job)
{
    char key[JOB_KEY_TEXT_MAX];
    struct task_choice *choice = mem_new(1, sizeof *choice);
    struct library_retry how;
    struct message *row = NULL, *made = NULL;
    job_id_t number;
    int code = library_id(cluster, id, &number);
    *job = (struct conclave_job){0}; /* after the id was read: it may be the one in there */
    if (!code)
        code = read_retry(cluster, retry, choice, key, &how);
    if (!code)
        code = library_get(cluster, number, false, &row);
    if (!code)
        code = library_retry(cluster, &row->as.job.jobs.at[0], &how, &made);
    if (!code)
        library_job(&made->as.job.jobs.at[0], job);
    message_drop(&row);
    message_drop(&made);
    free(choice);
    return code;
}
