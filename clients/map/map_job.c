#include "clients/map/map_job.h"

#include <inttypes.h>
#include <string.h>

#include "clients/ask/interrupt.h"
#include "clients/map/request.h"

_Static_assert(sizeof(struct wire_submit) == sizeof(struct wire_submit_commands),
               "both submits say the same");

/* --- the stored value --- */

struct sinks {
    struct spool *records;
    struct task_files *files;
};

static int put(void *context, struct slice record, struct text *why)
{
    struct sinks *sinks = context;
    char line[TEXT_MAX];
    if (interrupt_seen())
        return ERR_INTERRUPTED;
    int error = spool_add(sinks->records, record.at, record.len, line);
    if (error)
        text_add(why, "%s", line);
    return error;
}

static int put_file(void *context, const char *path, struct task_record *record, struct text *why)
{
    struct sinks *sinks = context;
    return task_files_add(sinks->files, path, record, why);
}

int map_job_content(const struct message *spec, struct inputs *inputs, struct task_files *files,
                    struct content *content, struct text *why)
{
    struct spool spool;
    char line[TEXT_MAX] = "";
    spool_begin(&spool);
    *content = (struct content){.spool.fd = -1};
    struct sinks sinks = {&spool, files};
    const struct map_sink sink = {put, put_file, &sinks};
    int error = map_records(spec, inputs, &sink, why);
    if (error) {
        spool_clear(&spool);
        return error;
    }
    error = content_of_parts(content, "tasks", &spool, line);
    if (error)
        text_add(why, "%s", line);
    return error;
}

/* --- the submit --- */

static uint64_t ms_of(uint64_t us)
{
    return (us + MS_US - 1) / MS_US;
}

struct wire_task_options map_job_options(const struct wire_task_spec *spec)
{
    return (struct wire_task_options){.retries = spec->retries,
                                      .retry_delay_ms = ms_of(spec->retry_delay_us),
                                      .time_limit_ms = ms_of(spec->time_limit_us),
                                      .max_fails = spec->max_fails,
                                      .max_fails_percent = spec->max_fails_ppm / 10000,
                                      .at_most_once = spec->at_most_once,
                                      .speculate = spec->speculate,
                                      .slots = spec->slots > 1 ? spec->slots : 0,
                                      .bundles =
                                          spec->collect.n || spec->max_output > MAP_ROW_BYTES};
}

static struct message *make_request(const struct map_submit *what)
{
    struct message *request =
        message_new(what->commands ? MESSAGE_SUBMIT_COMMANDS : MESSAGE_SUBMIT);
    struct wire_submit *body = &request->as.submit;
    body->key = message_text(request, what->key);
    body->kind = message_text(request, what->kind);
    body->spec = message_text(request, what->spec);
    body->parent = what->parent;
    body->tasks.at = message_room(request, 1, sizeof *body->tasks.at);
    body->tasks.at[0] = what->options;
    body->tasks.n = 1;
    if (what->choice && what->choice->n) {
        body->chosen.n = what->choice->n;
        body->chosen.at = message_room(request, what->choice->n, sizeof *body->chosen.at);
        for (size_t i = 0; i < what->choice->n; i++)
            body->chosen.at[i] =
                (struct wire_task_range){.first = what->choice->ranges[i].first,
                                         .count = what->choice->ranges[i].last -
                                                  what->choice->ranges[i].first + 1};
    }
    body->inputs.at = message_room(request, what->n_values, sizeof *body->inputs.at);
    for (; body->inputs.n < what->n_values; body->inputs.n++)
        body->inputs.at[body->inputs.n].value = what->values[body->inputs.n];
    return request;
}

/* A key that was used before names the job of that time. */
static bool is_ours(const struct wire_job_row *row, const struct map_submit *what)
{
    bool same = row->inputs.n == what->n_values;
    for (size_t i = 0; same && i < what->n_values; i++)
        same = row->inputs.at[i].value == what->values[i];
    return same && slice_equals(row->kind, what->kind) && slice_equals(row->spec, what->spec) &&
           row->parent == what->parent;
}

int map_job_submit(struct conclave *cluster, const struct map_submit *what, struct message **job)
{
    char id[JOB_TEXT_MAX];
    int code = connection_ask(cluster, make_request(what), MESSAGE_JOB, job);
    if (code)
        return code;
    const struct wire_job *answer = &(*job)->as.job;
    if (answer->jobs.n != 1)
        code = connection_fail(cluster, EXIT_FAILED, "the answer is not about one job");
    else if (!is_ours(&answer->jobs.at[0], what))
        code = connection_fail(cluster, EXIT_USAGE,
                               "the key belongs to another job: %s; `conclave job show %s`",
                               job_id_text(answer->jobs.at[0].job, id), id);
    if (code)
        message_drop(job);
    return code;
}
