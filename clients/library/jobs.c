/* jobs.c - jobs of libconclave: the same way from submit to end that the command line goes. */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/job_row.h"
#include "clients/ask/submission.h"
#include "clients/library/library.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

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
    text_copy(out->kind, sizeof out->kind, row->kind);
    text_copy(out->state, sizeof out->state, row->state);
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

static int get_row(struct conclave *cluster, const char *id, struct message **reply)
{
    job_id_t job;
    int code = library_id(cluster, id, &job);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_JOB_GET);
    request->as.job_get.job = job;
    return ask_job(cluster, request, reply);
}

/* --- on their way --- */

static int settle(struct conclave *cluster, struct submission *submission, struct conclave_job *job)
{
    struct client *client = connection_client(cluster);
    int error = OK;
    submission_start(submission, client);
    while (!submission->ended && !error) {
        error = client_work_for(client, submission, UINT64_MAX);
        struct client_call *call = error ? NULL : client_finished_for(client, submission);
        if (call)
            submission_take(submission, client, call);
    }
    client_abandon(client, submission);
    const struct wire_job_row *row = submission_row(submission);
    if (row)
        library_job(row, job);
    if (error)
        return connection_explain(cluster, error);
    if (submission->exit_code)
        return connection_fail(cluster, submission->exit_code, "%s", submission->reason.at);
    return EXIT_OK;
}

int conclave_submit(struct conclave *cluster, const char *kind, const char *spec, const char *key,
                    struct conclave_job *job)
{
    if (strlen(kind) > JOB_KIND_MAX || strlen(spec) > JOB_SPEC_MAX)
        return connection_fail(cluster, EXIT_USAGE,
                               "a kind has at most %d bytes, and its argument %d", JOB_KIND_MAX,
                               JOB_SPEC_MAX);
    struct submission *submission = mem_new(1, sizeof *submission);
    *job = (struct conclave_job){0};
    submission->no_wait = true;
    submission->deadline_us = connection_deadline_us(cluster);
    text_format(submission->spec.kind, sizeof submission->spec.kind, "%s", kind);
    text_format(submission->spec.spec, sizeof submission->spec.spec, "%s", spec);
    int code = library_key(cluster, key, submission->key);
    if (!code)
        code = settle(cluster, submission, job);
    message_drop(&submission->last);
    free(submission);
    return code;
}

static int state_code(struct conclave *cluster, const struct conclave_job *job)
{
    if (!strcmp(job->state, "done"))
        return EXIT_OK;
    if (!strcmp(job->state, "cancelled"))
        return connection_fail(cluster, EXIT_CANCELLED, "job %s was cancelled", job->id);
    return connection_fail(cluster, EXIT_FAILED, "job %s failed: %s", job->id, job->error);
}

int conclave_wait(struct conclave *cluster, const char *id, uint64_t timeout_us,
                  struct conclave_job *job)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    uint64_t wait_us = timeout_us < TIME_NEVER_US ? timeout_us : TIME_NEVER_US;
    submission->deadline_us = clock_now_us() + wait_us;
    submission->poll_us = CLIENT_POLL_MS * MS_US;
    int code = library_id(cluster, id, &submission->job);
    *job = (struct conclave_job){0}; /* after the id was read: it may be the one in there */
    if (!code)
        code = settle(cluster, submission, job);
    if (!code)
        code = state_code(cluster, job);
    message_drop(&submission->last);
    free(submission);
    return code;
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

int conclave_cancel(struct conclave *cluster, const char *id)
{
    struct message *request = message_new(MESSAGE_JOB_CANCEL), *reply = NULL;
    int code = library_id(cluster, id, &request->as.job_cancel.job);
    if (code) {
        message_drop(&request);
        return code;
    }
    code = ask_job(cluster, request, &reply);
    if (!code && !slice_equals(reply->as.job.jobs.at[0].state, "cancelled"))
        code = connection_fail(cluster, EXIT_FAILED,
                               "job %s is finished already; it cannot be cancelled", id);
    message_drop(&reply);
    return code;
}

/* --- results --- */

static int read_some(struct conclave *cluster, job_id_t job, uint64_t offset, void *at, size_t size,
                     size_t *got)
{
    struct message *request = message_new(MESSAGE_RESULT_GET), *reply = NULL;
    request->as.result_get.job = job;
    request->as.result_get.offset = offset;
    *got = 0;
    int code = connection_ask(cluster, request, MESSAGE_RESULT_CHUNK, &reply);
    if (code)
        return code;
    const struct wire_result_chunk *chunk = &reply->as.result_chunk;
    const struct blob *bytes = message_frame(reply, 1);
    if (chunk->offset != offset || (offset < chunk->total && (!bytes || !bytes->len)) ||
        (bytes && bytes->len > chunk->total - offset))
        code = connection_fail(cluster, EXIT_FAILED, "a part of the result does not fit");
    else if (bytes) {
        *got = bytes->len < size ? bytes->len : size;
        memcpy(at, bytes->at, *got);
    }
    message_drop(&reply);
    return code;
}

int conclave_result_read(struct conclave *cluster, const char *id, uint64_t offset, void *at,
                         size_t size, size_t *got)
{
    struct message *reply = NULL;
    *got = 0;
    int code = get_row(cluster, id, &reply);
    if (code)
        return code;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    struct conclave_job job;
    library_job(row, &job);
    if (job_is_finished(row) && !slice_equals(row->state, "done"))
        code = state_code(cluster, &job);
    else if (!job_is_finished(row))
        code = connection_fail(cluster, EXIT_UNREACHABLE, "job %s is not finished", id);
    else if (row->tasks.n)
        code = connection_fail(cluster, EXIT_USAGE,
                               "job %s runs commands; what they wrote is not one result", id);
    else if (offset < row->digits && size)
        code = read_some(cluster, row->job, offset, at, size, got);
    message_drop(&reply);
    return code;
}

int conclave_result(struct conclave *cluster, const char *id, char **result, size_t *len)
{
    struct message *reply = NULL;
    uint8_t hash[HASH_BYTES];
    *result = NULL;
    *len = 0;
    int code = get_row(cluster, id, &reply);
    if (code)
        return code;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    size_t size = (size_t)row->digits, at = 0, got = 1;
    char *text = mem_new(size + 1, 1);
    code = conclave_result_read(cluster, id, 0, text, 0, &got); /* is there one? */
    while (!code && at < size) {
        code = read_some(cluster, row->job, at, text + at, size - at, &got);
        at += got;
    }
    hash_bytes(text, size, hash);
    if (!code && row->sha256.len && !slice_same(row->sha256, (struct slice){hash, HASH_BYTES}))
        code = connection_fail(cluster, EXIT_FAILED,
                               "the result of job %s differs from its SHA-256", id);
    message_drop(&reply);
    if (code) {
        free(text);
        return code;
    }
    *result = text;
    *len = size;
    return EXIT_OK;
}
