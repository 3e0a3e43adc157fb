/* jobs.c - jobs of libconclave: the same way from submit to end that the command line goes. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_inputs.h"
#include "clients/ask/job_row.h"
#include "clients/ask/result.h"
#include "clients/ask/submission.h"
#include "clients/library/library.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define WATCH_MS 250 /* how often who watches a job is told */

/* --- arguments --- */

int library_key(struct conclave *cluster, const char *given, char at[JOB_KEY_TEXT_MAX])
{
    if (!given)
        jobspec_new_key(at);
    else if (jobspec_key_is_valid(given))
        text_format(at, JOB_KEY_TEXT_MAX, "%s", given);
    else
        return connection_fail(cluster, EXIT_USAGE,
                               "a key has 1 to %d printable characters without spaces",
                               JOB_KEY_MAX);
    return EXIT_OK;
}

int library_id(struct conclave *cluster, const char *text, job_id_t *out)
{
    char room[TEXT_MAX / 4];
    if (!parse_job_id(slice_of(text), out) && *out)
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE, "'%s' is not a job id, which looks like 3-17",
                           text_escape(room, sizeof room, slice_of(text)));
}

/* --- rows --- */

void library_job(const struct wire_job_row *row, struct conclave_job *out)
{
    *out = (struct conclave_job){.submitted_ms = row->submitted_ms,
                                 .finished_ms = row->finished_ms,
                                 .done = row->done,
                                 .total = row->total,
                                 .result_bytes = row->digits};
    job_id_text(row->job, out->id);
    text_escape(out->kind, sizeof out->kind, row->kind);
    text_escape(out->state, sizeof out->state, row->state);
    text_escape(out->spec, sizeof out->spec, row->spec);
    text_escape(out->owner, sizeof out->owner, row->owner);
    text_escape(out->error, sizeof out->error, row->error);
    if (!row->tasks.n)
        return;
    const struct wire_task_counts *tasks = &row->tasks.at[0];
    out->tasks = tasks->total;
    out->tasks_done = tasks->done;
    out->tasks_failed = tasks->failed;
    out->tasks_lost = tasks->lost;
    out->tasks_cancelled = tasks->cancelled;
}

static int ask_job(struct conclave *cluster, struct message *request, struct message **reply)
{
    int code = connection_ask(cluster, request, MESSAGE_JOB, reply);
    if (!code && (*reply)->as.job.jobs.n != 1) {
        message_drop(reply);
        code = connection_fail(cluster, EXIT_FAILED, "the answer is not about one job");
    }
    return code;
}

int library_get(struct conclave *cluster, job_id_t job, bool timing, struct message **row)
{
    struct message *request = message_new(MESSAGE_JOB_GET);
    request->as.job_get.job = job;
    request->as.job_get.timing = timing;
    return ask_job(cluster, request, row);
}

static int get_row(struct conclave *cluster, const char *id, struct message **row)
{
    job_id_t job;
    int code = library_id(cluster, id, &job);
    return code ? code : library_get(cluster, job, false, row);
}

/* --- on their way --- */

static bool look(const struct library_watch *watch, const struct submission *submission)
{
    const struct wire_job_row *row = submission_row(submission);
    return !watch || !row || watch->look(watch->context, row);
}

int library_settle(struct conclave *cluster, struct submission *submission,
                   const struct library_watch *watch)
{
    struct client *client = connection_client(cluster);
    int error = OK;
    bool wanted = true;
    submission_start(submission, client);
    while (!submission->ended && wanted && error != ERR_INTERRUPTED) {
        uint64_t until_us = watch ? clock_now_us() + watch->every_us : UINT64_MAX;
        error = client_work_for(client, submission, until_us); /* ERR_TIMEOUT: it is time to look */
        struct client_call *call = error ? NULL : client_finished_for(client, submission);
        if (call)
            submission_take(submission, client, call);
        if (error != ERR_INTERRUPTED && !submission->no_wait)
            wanted = look(watch, submission);
    }
    client_abandon(client, submission);
    if (error == ERR_INTERRUPTED)
        return connection_explain(cluster, error);
    if (!submission->ended)
        return connection_fail(cluster, EXIT_TIMEOUT, "nobody waits for the job any more");
    if (submission->exit_code)
        return connection_fail(cluster, submission->exit_code, "%s", submission->reason.at);
    return EXIT_OK;
}

static int settle(struct conclave *cluster, struct submission *submission,
                  const struct library_watch *watch, struct conclave_job *job)
{
    int code = library_settle(cluster, submission, watch);
    const struct wire_job_row *row = submission_row(submission);
    if (row)
        library_job(row, job);
    return code;
}

/* --- submitting --- */

/* The words of an argument, which is cut up; the caller frees the list. */
static size_t split(char *spec, char ***out)
{
    size_t n = 0;
    char **words = mem_new(strlen(spec) / 2 + 1, sizeof *words), *rest = spec;
    for (char *word; (word = strsep(&rest, " \t\n"));)
        if (*word)
            words[n++] = word;
    *out = words;
    return n;
}

/* A kind that works on lists of integers: these are read, and become stored values. Files of this
 * machine are read by none but people's own words. */
static int read_inputs(struct conclave *cluster, const struct job_kind *kind, const char *spec,
                       struct submission *submission)
{
    const struct uploader uploader = uploader_of(cluster);
    char why[TEXT_MAX], *copy = mem_string(spec), **words;
    size_t n = split(copy, &words);
    int code = n > INT_MAX ? connection_fail(cluster, EXIT_USAGE, "too many words") : EXIT_OK;
    for (size_t i = 0; i < n && !code; i++)
        if (words[i][0] == '@')
            code = connection_fail(cluster, EXIT_USAGE, "no files: integers, job:ID or value:HASH");
    if (!code && job_inputs_parse(kind, (int)n, words, &submission->spec.inputs, why))
        code = connection_fail(cluster, EXIT_USAGE, "%s", why);
    if (!code)
        code = submission_prepare(submission, cluster, &uploader);
    free(words);
    free(copy);
    return code;
}

static int read_spec(struct conclave *cluster, const char *kind, const char *spec,
                     struct submission *submission)
{
    const struct job_kind *known = kind_find(slice_of(kind));
    if (known && job_inputs_of(known)) {
        text_format(submission->spec.kind, sizeof submission->spec.kind, "%s", known->name);
        return read_inputs(cluster, known, spec, submission);
    }
    if (strlen(kind) > JOB_KIND_MAX || strlen(spec) > JOB_SPEC_MAX)
        return connection_fail(cluster, EXIT_USAGE,
                               "a kind has at most %d bytes, and its argument %d", JOB_KIND_MAX,
                               JOB_SPEC_MAX);
    text_format(submission->spec.kind, sizeof submission->spec.kind, "%s", kind);
    text_format(submission->spec.spec, sizeof submission->spec.spec, "%s", spec);
    return EXIT_OK;
}

int conclave_submit(struct conclave *cluster, const char *kind, const char *spec, const char *key,
                    struct conclave_job *job)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    submission->no_wait = true;
    submission->deadline_us = connection_deadline_us(cluster);
    int code = library_key(cluster, key, submission->key);
    if (!code)
        code = read_spec(cluster, kind, spec, submission);
    *job = (struct conclave_job){0};
    if (!code)
        code = settle(cluster, submission, NULL, job);
    submission_clear(submission);
    free(submission);
    return code;
}

/* --- waiting --- */

struct watching {
    int (*watch)(void *context, const struct conclave_job *job);
    void *context;
};

static bool tell(void *context, const struct wire_job_row *row)
{
    const struct watching *watching = context;
    struct conclave_job job;
    library_job(row, &job);
    return !watching->watch(watching->context, &job);
}

/* Its time was too short for an answer: it is told how the job stands all the same, so that who
 * does not wait at all, and looks again and again, sees its end. */
static int look_once(struct conclave *cluster, job_id_t id, struct conclave_job *job)
{
    struct message *reply = NULL;
    int code = library_get(cluster, id, false, &reply);
    if (code)
        return code;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    library_job(row, job);
    if (job_is_finished(row))
        code = result_state(cluster, row);
    else
        code = connection_fail(cluster, EXIT_TIMEOUT, "job %s continues", job->id);
    message_drop(&reply);
    return code;
}

static int wait_for(struct conclave *cluster, const char *id, uint64_t timeout_us,
                    const struct library_watch *watch, struct conclave_job *job)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    uint64_t wait_us = timeout_us < TIME_NEVER_US ? timeout_us : TIME_NEVER_US;
    submission->deadline_us = clock_now_us() + wait_us;
    submission->poll_us = watch ? watch->every_us : CLIENT_POLL_MS * MS_US;
    int code = library_id(cluster, id, &submission->job);
    *job = (struct conclave_job){0}; /* after the id was read: it may be the one in there */
    if (!code)
        code = settle(cluster, submission, watch, job);
    if (!code)
        code = result_state(cluster, submission_row(submission));
    else if (code == EXIT_TIMEOUT && !job->id[0])
        code = look_once(cluster, submission->job, job);
    message_drop(&submission->last);
    free(submission);
    return code;
}

int conclave_wait(struct conclave *cluster, const char *id, uint64_t timeout_us,
                  struct conclave_job *job)
{
    return wait_for(cluster, id, timeout_us, NULL, job);
}

int conclave_wait_watched(struct conclave *cluster, const char *id, uint64_t timeout_us,
                          int (*watch)(void *context, const struct conclave_job *job),
                          void *context, struct conclave_job *job)
{
    struct watching watching = {watch, context};
    const struct library_watch told = {tell, &watching, WATCH_MS * MS_US};
    return wait_for(cluster, id, timeout_us, &told, job);
}

int conclave_job_get(struct conclave *cluster, const char *id, struct conclave_job *job)
{
    struct message *reply = NULL;
    int code = get_row(cluster, id, &reply);
    *job = (struct conclave_job){0};
    if (!code)
        library_job(&reply->as.job.jobs.at[0], job);
    message_drop(&reply);
    return code;
}

int library_cancel(struct conclave *cluster, job_id_t job, struct message **row)
{
    char id[JOB_TEXT_MAX];
    struct message *request = message_new(MESSAGE_JOB_CANCEL);
    request->as.job_cancel.job = job;
    int code = ask_job(cluster, request, row);
    if (code || slice_equals((*row)->as.job.jobs.at[0].state, "cancelled"))
        return code;
    message_drop(row);
    return connection_fail(cluster, EXIT_FAILED,
                           "job %s has already finished and cannot be cancelled",
                           job_id_text(job, id));
}

int conclave_cancel(struct conclave *cluster, const char *id)
{
    struct message *row = NULL;
    job_id_t job;
    int code = library_id(cluster, id, &job);
    if (!code)
        code = library_cancel(cluster, job, &row);
    message_drop(&row);
    return code;
}

/* --- results --- */

/* Gets the row of a job that has a result. */
static int get_done(struct conclave *cluster, const char *id, struct message **reply)
{
    int code = get_row(cluster, id, reply);
    if (code)
        return code;
    const struct wire_job_row *row = &(*reply)->as.job.jobs.at[0];
    if (job_is_finished(row))
        code = result_state(cluster, row);
    else
        code = connection_fail(cluster, EXIT_UNREACHABLE, "job %s is not finished", id);
    if (!code && row->tasks.n)
        code = connection_fail(cluster, EXIT_USAGE,
                               "job %s runs commands; what they wrote is not one result", id);
    if (code)
        message_drop(reply);
    return code;
}

int conclave_result_read(struct conclave *cluster, const char *id, uint64_t offset, void *at,
                         size_t size, size_t *got)
{
    struct message *reply = NULL, *answer = NULL;
    struct slice bytes = {0};
    *got = 0;
    int code = get_done(cluster, id, &reply);
    if (code)
        return code;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    if (offset < row->digits && size)
        code = result_chunk(cluster, row, offset, &answer, &bytes);
    *got = bytes.len < size ? bytes.len : size;
    if (*got)
        memcpy(at, bytes.at, *got);
    message_drop(&answer);
    message_drop(&reply);
    return code;
}

struct taking {
    int (*take)(void *context, const void *bytes, size_t len);
    void *context;
    bool enough;
};

static int take_bytes(void *context, struct slice bytes)
{
    struct taking *taking = context;
    taking->enough = taking->take(taking->context, bytes.at, bytes.len) != 0;
    return taking->enough ? EXIT_FAILED : EXIT_OK;
}

int conclave_result_each(struct conclave *cluster, const char *id,
                         int (*take)(void *context, const void *bytes, size_t len), void *context)
{
    struct message *reply = NULL;
    struct taking taking = {take, context, false};
    int code = get_done(cluster, id, &reply);
    if (!code)
        code = result_each(cluster, &reply->as.job.jobs.at[0], take_bytes, &taking);
    message_drop(&reply);
    return taking.enough ? EXIT_OK : code;
}

struct filling {
    char *at;
    size_t len;
};

static int fill(void *context, struct slice bytes)
{
    struct filling *filling = context;
    slice_copy(filling->at + filling->len, bytes);
    filling->len += bytes.len;
    return EXIT_OK;
}

int conclave_result(struct conclave *cluster, const char *id, char **result, size_t *len)
{
    struct message *reply = NULL;
    *result = NULL;
    *len = 0;
    int code = get_done(cluster, id, &reply);
    if (code)
        return code;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    struct filling filling = {mem_new((size_t)row->digits + 1, 1), 0};
    code = row->text.len > row->digits
               ? connection_fail(cluster, EXIT_FAILED, "the result of job %s does not fit", id)
               : result_each(cluster, row, fill, &filling);
    message_drop(&reply);
    if (code) {
        free(filling.at);
        return code;
    }
    *result = filling.at;
    *len = filling.len;
    return EXIT_OK;
}
