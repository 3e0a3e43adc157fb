#include "clients/ask/submission.h"

#include <inttypes.h>

#include "clients/ask/connection.h"
#include "clients/ask/job_row.h"
#include "shared/base/limits.h"

static void add_values(struct message *request, const struct submission *submission)
{
    struct wire_submit *body = &request->as.submit;
    body->inputs.at = message_room(request, submission->n_values, sizeof *body->inputs.at);
    for (; body->inputs.n < submission->n_values; body->inputs.n++)
        body->inputs.at[body->inputs.n].value = submission->values[body->inputs.n];
}

static void submit(struct submission *submission, struct client *client)
{
    struct message *request =
        message_new(submission->commands ? MESSAGE_SUBMIT_COMMANDS : MESSAGE_SUBMIT);
    struct wire_submit *body = &request->as.submit; /* both have the same fields */
    body->key = message_text(request, submission->key);
    body->kind = message_text(request, submission->spec.kind);
    body->spec = message_text(request, submission->spec.spec);
    if (submission->n_values)
        add_values(request, submission);
    if (submission->plan)
        body->plan = message_text(request, submission->plan);
    /* Once a coordinator has accepted the job, nothing but the deadline ends our interest in it. */
    enum client_need need = submission->job ? CLIENT_LASTING : CLIENT_PATIENT;
    client_start(client, request, need, 0, submission->deadline_us, submission);
}

static void wait_for_it(struct submission *submission, struct client *client)
{
    struct message *request = message_new(MESSAGE_JOB_GET);
    request->as.job_get.job = submission->job;
    request->as.job_get.wait_ms = submission->poll_us / MS_US;
    enum client_need need = submission->key[0] ? CLIENT_LASTING : CLIENT_PATIENT;
    client_start(client, request, need, submission->poll_us, submission->deadline_us, submission);
}

void submission_start(struct submission *submission, struct client *client)
{
    if (submission->key[0])
        submit(submission, client);
    else
        wait_for_it(submission, client);
}

const struct wire_job_row *submission_row(const struct submission *submission)
{
    return submission->last ? &submission->last->as.job.jobs.at[0] : NULL;
}

static void end(struct submission *submission, int exit_code, const char *reason)
{
    submission->ended = true;
    submission->exit_code = exit_code;
    text_add(&submission->reason, "%s", reason);
}

static void take_outcome(struct submission *submission, struct client *client, int outcome)
{
    char id[JOB_TEXT_MAX];
    const struct wire_job_row *row = submission_row(submission);
    if (outcome == ERR_TIMEOUT && row) {
        text_add(&submission->reason,
                 "job %s has not finished in time (%" PRIu64 " of %" PRIu64
                 " %s); `conclave job wait %s` continues to wait",
                 job_id_text(submission->job, id), row->done, row->total,
                 row->tasks.n ? "tasks" : "operations", id);
        end(submission, EXIT_TIMEOUT, "");
        return;
    }
    end(submission, outcome_code(outcome), client_reason(client));
}

static void take_error(struct submission *submission, struct client *client,
                       const struct message *reply)
{
    char room[TEXT_MAX];
    if (slice_equals(reply->as.error.code, "not_found") && submission->key[0])
        submit(submission, client);
    else
        end(submission, refusal_code(reply),
            text_escape(room, sizeof room, reply->as.error.reason));
}

static void take_job(struct submission *submission, struct client *client)
{
    const struct wire_job_row *row = submission_row(submission);
    bool asked = submission->key[0] != '\0';
    char label[JOBSPEC_LABEL_MAX], id[JOB_TEXT_MAX];
    submission->job = row->job;
    if (asked && (!slice_equals(row->kind, submission->spec.kind) ||
                  !slice_equals(row->spec, submission->spec.spec))) {
        text_add(&submission->reason, "the key belongs to another job: %s computes %s",
                 job_id_text(row->job, id), jobspec_label(row->kind, row->spec, label));
        end(submission, EXIT_USAGE, "");
    } else if (submission->no_wait || job_is_finished(row)) {
        end(submission, EXIT_OK, "");
    } else {
        wait_for_it(submission, client);
    }
}

void submission_take(struct submission *submission, struct client *client, struct client_call *call)
{
    struct message *reply = call->reply;
    if (call->outcome) {
        take_outcome(submission, client, call->outcome);
    } else if (reply->type == MESSAGE_ERROR) {
        take_error(submission, client, reply);
    } else if (reply->type != MESSAGE_JOB || reply->as.job.jobs.n != 1) {
        end(submission, EXIT_FAILED, "the answer is not about one job");
    } else {
        message_drop(&submission->last);
        submission->last = reply;
        call->reply = NULL;
        take_job(submission, client);
    }
    client_call_drop(&call);
}
