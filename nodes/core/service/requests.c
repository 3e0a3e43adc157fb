#include "nodes/core/service/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/service/reports.h"
#include "nodes/core/service/requests_internal.h"
#include "nodes/core/schedule/schedule.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define NO_MORE \
    "this node coordinates no more; whether the request took effect is unknown: ask again"

void requests_refuse(struct service *service, struct caller caller, const char *code,
                     const char *reason)
{
    outbox_reply(&service->step->out, caller.client,
                 step_error(service->step, caller.request, code, reason));
}

static void refuse_job(struct service *service, struct caller caller, job_id_t job)
{
    struct text reason = {0};
    char id[JOB_TEXT_MAX];
    text_add(&reason, "no job %s is known here", job_id_text(job, id));
    requests_refuse(service, caller, "not_found", reason.at);
}

static void reply_job(struct service *service, struct caller caller, const struct job *job,
                      bool created)
{
    struct message *message = message_new(MESSAGE_JOB);
    message->as.job.request = caller.request;
    message->as.job.created = created;
    message->as.job.jobs.n = 1;
    message->as.job.jobs.at = message_room(message, 1, sizeof(struct wire_job_row));
    report_job(service, message, job, &message->as.job.jobs.at[0]);
    outbox_reply(&service->step->out, caller.client, message);
}

/* --- what waits to be applied --- */

/* The index of an entry, not yet applied, that submits a job or takes a snap with this key; 0:
 * there is none. */
log_index_t requests_pending_key(const struct service *service, enum message_type type,
                                 struct slice key)
{
    const struct raft *raft = service->raft;
    for (log_index_t index = raft->journal.applied + 1; index <= raft->journal.last; index++) {
        const struct message *entry = journal_waiting(raft, index);
        if (!entry || entry->type != type)
            continue;
        struct slice other = type == MESSAGE_ENTRY_JOB_SUBMITTED
                                 ? entry->as.entry_job_submitted.key
                                 : entry->as.entry_progress_snapped.key;
        if (slice_same(other, key))
            return index;
    }
    return 0;
}

static size_t count_pending_jobs(const struct service *service)
{
    const struct raft *raft = service->raft;
    size_t n = 0;
    for (log_index_t index = raft->journal.applied + 1; index <= raft->journal.last; index++) {
        const struct message *entry = journal_waiting(raft, index);
        n += entry && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED;
    }
    return n;
}

/* --- waiting --- */

bool requests_wait(struct service *service, struct waiter waiter)
{
    struct waiters *waiters = &service->waiters;
    if (waiters->n == WAITERS_MAX)
        return false;
    if (waiters->n == waiters->size) {
        waiters->size = waiters->size ? waiters->size * 2 : 16;
        waiters->at = mem_grow(waiters->at, waiters->size, sizeof *waiters->at);
    }
    waiters->at[waiters->n++] = waiter;
    return true;
}

static struct waiter take_waiter(struct waiters *waiters, size_t i)
{
    struct waiter waiter = waiters->at[i];
    waiters->at[i] = waiters->at[--waiters->n];
    return waiter;
}

/* The answer to a progress request. */
void requests_reply_progress(struct service *service, struct caller caller, bool found,
                             uint64_t state, uint64_t snapshot)
{
    struct message *message = message_new(MESSAGE_PROGRESS);
    message->as.progress = (struct wire_progress){.request = caller.request,
                                                  .found = found,
                                                  .state = state,
                                                  .snapshot = snapshot};
    outbox_reply(&service->step->out, caller.client, message);
}

static void reply_applied(struct service *service, const struct waiter *waiter,
                          const struct job *job)
{
    struct caller caller = {waiter->client, waiter->request};
    uint64_t snapshot = service->state->progress.snapshots;
    if (waiter->kind == WAIT_SNAP)
        jobs_find_snap(&service->state->jobs, slice_of(waiter->key), &snapshot);
    if (waiter->kind == WAIT_SESSION)
        outbox_reply(&service->step->out, caller.client,
                     keys_session_reply(service->state->keys.newest, caller.request));
    else if (waiter->kind != WAIT_JOB)
        requests_reply_progress(service, caller, true,
                                progress_now(&service->state->progress, waiter->job), snapshot);
    else if (job)
        reply_job(service, caller, job, waiter->index != 0);
    else
        requests_refuse(service, caller, "unavailable",
                        "the key was taken meanwhile: submit again");
}

void requests_applied(struct service *service, log_index_t index, const struct job *job)
{
    struct waiters *waiters = &service->waiters;
    for (size_t i = 0; i < waiters->n;) {
        bool ours = waiters->at[i].index == index;
        bool finished = job && job_is_finished(job) && waiters->at[i].kind == WAIT_JOB &&
                        waiters->at[i].job == job->id;
        if (!ours && !finished) {
            i++;
            continue;
        }
        struct waiter waiter = take_waiter(waiters, i);
        reply_applied(service, &waiter, job);
    }
}

void requests_step_down(struct service *service)
{
    struct reads *reads = &service->reads;
    while (service->waiters.n) {
        struct waiter waiter = take_waiter(&service->waiters, 0);
        requests_refuse(service, (struct caller){waiter.client, waiter.request}, "not_coordinator",
                        NO_MORE);
    }
    for (size_t i = 0; i < reads->n; i++) {
        uint64_t request = reads->at[i].message->as.request.request;
        requests_refuse(service, (struct caller){reads->at[i].client, request}, "not_coordinator",
                        NO_MORE);
        message_drop(&reads->at[i].message);
    }
    reads->n = 0;
}

void requests_tick(struct service *service)
{
    struct waiters *waiters = &service->waiters;
    for (size_t i = 0; i < waiters->n;) {
        if (waiters->at[i].index || service->step->now_us < waiters->at[i].deadline_us) {
            i++;
            continue;
        }
        struct waiter waiter = take_waiter(waiters, i);
        struct caller caller = {waiter.client, waiter.request};
        struct job *job = jobs_find(&service->state->jobs, waiter.job);
        if (job)
            reply_job(service, caller, job, false);
        else
            refuse_job(service, caller, waiter.job);
    }
}

uint64_t requests_deadline(const struct service *service)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < service->waiters.n; i++)
        if (!service->waiters.at[i].index && service->waiters.at[i].deadline_us < at)
            at = service->waiters.at[i].deadline_us;
    return at;
}

void requests_clear(struct service *service)
{
    for (size_t i = 0; i < service->reads.n; i++)
        message_drop(&service->reads.at[i].message);
    free(service->reads.at);
    free(service->waiters.at);
    service->waiters = (struct waiters){0};
    service->reads = (struct reads){0};
}

/* --- submit --- */

/* False, and the caller is told, when nothing new can be taken in now. */
bool requests_may_propose(struct service *service, struct caller caller)
{
    struct text reason = {0};
    if (!space_suffices(service->raft, &reason)) {
        requests_refuse(service, caller, "disk_full", reason.at);
        return false;
    }
    if (service->waiters.n < WAITERS_MAX)
        return true;
    requests_refuse(service, caller, "busy", "too many requests are waiting; try again later");
    return false;
}

/* Says why a submit is refused, before anything is done about it; NULL: it is not. */
static const char *check_submit(const struct service *service, const struct wire_submit *submit,
                                struct plan *plan, struct text *reason)
{
    if (!step_key_is_valid(submit->key)) {
        text_add(reason, "a key is 1 to %d printable characters without spaces", JOB_KEY_MAX);
        return "invalid";
    }
    if (plan_parse(plan, submit->kind, submit->spec, reason))
        return "invalid";
    uint64_t bytes = plan_cost(plan);
    if (bytes > service->step->config.result_max_bytes) {
        plan_name(plan, reason);
        text_add(reason,
                 " is too costly: its result takes about %" PRIu64 " MiB, the limit is %" PRIu64
                 " MiB (--max-result)",
                 bytes / MIB_BYTES, service->step->config.result_max_bytes / MIB_BYTES);
        return "too_costly";
    }
    return NULL;
}

/* True, and the caller is told, when a key without an outcome may have had one. */
bool requests_are_forgotten(struct service *service, struct caller caller, enum key_use use,
                            struct slice key)
{
    if (!keys_is_forgotten(&service->state->keys, use, key))
        return false;
    requests_refuse(service, caller, "forgotten",
                    "this key was used and what came of it is forgotten; choose another key");
    return true;
}

static void submit(struct service *service, struct caller caller, const struct wire_submit *submit)
{
    struct text reason = {0};
    struct plan plan;
    const char *code = check_submit(service, submit, &plan, &reason);
    if (code) {
        requests_refuse(service, caller, code, reason.at);
        return;
    }
    struct job *job = jobs_find_key(&service->state->jobs, submit->key);
    if (job) {
        reply_job(service, caller, job, false);
        return;
    }
    if (jobs_key_collides(&service->state->jobs, submit->key)) {
        requests_refuse(service, caller, "invalid", "this key cannot be used; choose another");
        return;
    }
    if (service->step->config.n_nodes == 1) {
        requests_refuse(
            service, caller, "invalid",
            "this cluster has one node: a coordinator computes nothing, and there is no worker");
        return;
    }
    if (requests_are_forgotten(service, caller, KEY_OF_JOB, submit->key))
        return;
    log_index_t index = requests_pending_key(service, MESSAGE_ENTRY_JOB_SUBMITTED, submit->key);
    bool many = !index && service->state->jobs.open + count_pending_jobs(service) >= JOBS_OPEN_MAX;
    if (many) {
        requests_refuse(service, caller, "busy", "too many jobs are waiting; try again later");
        return;
    }
    if (!requests_may_propose(service, caller))
        return;
    if (!index) {
        struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
        entry->as.entry_job_submitted = (struct wire_entry_job_submitted){
            .key = message_copy(entry, submit->key),
            .kind = message_copy(entry, submit->kind),
            .spec = message_copy(entry, submit->spec),
            .level = schedule_unit_level(service->schedule, &plan),
            .time_ms = service->step->wall_ms,
        };
        index = journal_propose(service->raft, entry);
    }
    requests_wait(service, (struct waiter){.client = caller.client,
                                           .request = caller.request,
                                           .index = index});
}

/* --- the other requests --- */

static void job_get(struct service *service, struct caller caller, const struct wire_job_get *get)
{
    struct job *job = jobs_find(&service->state->jobs, get->job);
    if (!job) {
        refuse_job(service, caller, get->job);
        return;
    }
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = service->step->now_us + get->wait_ms * MS_US};
    if (!get->wait_ms || job_is_finished(job) || !requests_wait(service, waiter))
        reply_job(service, caller, job, false);
}

static void job_list(struct service *service, struct caller caller,
                     const struct wire_job_list *list)
{
    struct message *message = message_new(MESSAGE_JOB_PAGE);
    report_jobs(service, message, list->after, &message->as.job_page);
    message->as.job_page.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}

static void job_cancel(struct service *service, struct caller caller,
                       const struct wire_job_cancel *cancel)
{
    struct job *job = jobs_find(&service->state->jobs, cancel->job);
    if (!job) {
        refuse_job(service, caller, cancel->job);
        return;
    }
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = service->step->now_us + WAIT_MAX_MS * MS_US};
    if (job_is_finished(job) || !requests_wait(service, waiter)) {
        reply_job(service, caller, job, false);
        return;
    }
    if (schedule_end_is_pending(service->schedule, job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled =
        (struct wire_entry_job_cancelled){.job = job->id, .time_ms = service->step->wall_ms};
    journal_propose(service->raft, entry);
}

static void job_trace(struct service *service, struct caller caller,
                      const struct wire_job_trace *trace)
{
    struct job *job = jobs_find(&service->state->jobs, trace->job);
    if (!job) {
        refuse_job(service, caller, trace->job);
        return;
    }
    struct message *message = message_new(MESSAGE_TRACE_PAGE);
    if (!report_trace(service, message, job, trace->after, &message->as.trace_page)) {
        message_drop(&message);
        requests_refuse(
            service, caller, "not_kept",
            "the trace of this job is not kept: it has more than 4096 operations, or none was "
            "executed, or many jobs came after it");
        return;
    }
    message->as.trace_page.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}

static void job_explain(struct service *service, struct caller caller,
                        const struct wire_job_explain *explain)
{
    struct job *job = jobs_find(&service->state->jobs, explain->job);
    if (!job) {
        refuse_job(service, caller, explain->job);
        return;
    }
    struct text text = {0};
    report_explanation(service, job, &text);
    struct message *message = message_new(MESSAGE_EXPLANATION);
    message->as.explanation.request = caller.request;
    message->as.explanation.text = message_text(message, text.at);
    outbox_reply(&service->step->out, caller.client, message);
}

static void result_get(struct service *service, struct caller caller,
                       const struct wire_result_get *get)
{
    struct job *job = jobs_find(&service->state->jobs, get->job);
    if (!job) {
        refuse_job(service, caller, get->job);
        return;
    }
    if (job->state != JOB_DONE) {
        struct text reason = {0};
        text_add(&reason, "the job has no result: it is %s",
                 schedule_status(service->schedule, job).state);
        requests_refuse(service, caller, job_is_finished(job) ? "finished" : "unavailable",
                        reason.at);
        return;
    }
    if (get->offset > job->digits) {
        requests_refuse(service, caller, "invalid", "the offset is behind the last digit");
        return;
    }
    struct message *message = message_new(MESSAGE_RESULT_CHUNK);
    message->as.result_chunk = (struct wire_result_chunk){.request = caller.request,
                                                          .offset = get->offset,
                                                          .total = job->digits};
    if (job->text) {
        struct blob *rest = blob_copy(job->text->at + get->offset, job->text->len - get->offset);
        message_add_frame(message, rest);
        blob_drop(&rest);
        outbox_reply(&service->step->out, caller.client, message);
        return;
    }
    struct output *output = outbox_reply(&service->step->out, caller.client, message);
    output->reply.chunk = true;
    output->reply.id = (struct value_id){job->id, job_text_op(job)};
    output->reply.offset = get->offset;
    output->reply.len = job->digits - get->offset < VALUE_CHUNK_BYTES ? job->digits - get->offset
                                                                      : VALUE_CHUNK_BYTES;
}

static void status_get(struct service *service, struct caller caller)
{
    struct message *message = message_new(MESSAGE_STATUS);
    report_status(service, message, &message->as.status);
    message->as.status.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}

/* A status may be asked of any node; everything else is the coordinator's to answer. */
static bool may_answer(const struct service *service, const struct message *message)
{
    return raft_serves(service->raft) ||
           (message->type == MESSAGE_STATUS_GET && message->as.request.node);
}

static void answer(struct service *service, struct caller caller, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_SUBMIT:
        submit(service, caller, &message->as.submit);
        break;
    case MESSAGE_JOB_GET:
        job_get(service, caller, &message->as.job_get);
        break;
    case MESSAGE_JOB_LIST:
        job_list(service, caller, &message->as.job_list);
        break;
    case MESSAGE_JOB_CANCEL:
        job_cancel(service, caller, &message->as.job_cancel);
        break;
    case MESSAGE_JOB_TRACE:
        job_trace(service, caller, &message->as.job_trace);
        break;
    case MESSAGE_JOB_EXPLAIN:
        job_explain(service, caller, &message->as.job_explain);
        break;
    case MESSAGE_RESULT_GET:
        result_get(service, caller, &message->as.result_get);
        break;
    case MESSAGE_PROGRESS_SET:
        requests_progress_set(service, caller, &message->as.progress_set);
        break;
    case MESSAGE_PROGRESS_SNAP:
        requests_progress_snap(service, caller, &message->as.progress_snap);
        break;
    case MESSAGE_SESSION_OPEN:
        requests_open_session(service, caller);
        break;
    case MESSAGE_PROGRESS_GET:
        requests_progress_get(service, caller, &message->as.progress_get);
        break;
    case MESSAGE_STATUS_GET:
        status_get(service, caller);
        break;
    default:
        requests_refuse(service, caller, "invalid", "a node does not answer this request");
        break;
    }
}

/* What only reads must not be answered by a coordinator that was replaced without noticing: a
 * majority confirms first (R11, R13). */
static bool is_read(const struct service *service, const struct message *message)
{
    return !MUTANT(unconfirmed_reads) && raft_serves(service->raft) &&
           message->type != MESSAGE_SUBMIT && message->type != MESSAGE_PROGRESS_SET &&
           message->type != MESSAGE_PROGRESS_SNAP && message->type != MESSAGE_SESSION_OPEN;
}

static void confirm_first(struct service *service, uint64_t client, struct message *message)
{
    struct reads *reads = &service->reads;
    if (reads->n == reads->size) {
        reads->size = reads->size ? 2 * reads->size : 16;
        reads->at = mem_grow(reads->at, reads->size, sizeof *reads->at);
    }
    reads->at[reads->n++] =
        (struct read){client, replication_confirm(service->raft), message_ref(message)};
}

void requests_confirmed(struct service *service)
{
    struct reads *reads = &service->reads;
    size_t done = 0;
    uint64_t confirmed = reads->n ? replication_confirmed(service->raft) : 0;
    while (done < reads->n && reads->at[done].round <= confirmed) {
        struct read *read = &reads->at[done++];
        answer(service, (struct caller){read->client, read->message->as.request.request},
               read->message);
        message_drop(&read->message);
    }
    if (done)
        memmove(reads->at, reads->at + done, (reads->n - done) * sizeof *reads->at);
    reads->n -= done;
}

void requests_handle(struct service *service, uint64_t client, struct message *message)
{
    struct caller caller = {client, message->as.request.request};
    uint64_t target = message->as.request.node;
    if (target && target != service->step->config.id) {
        requests_refuse(service, caller, "invalid", "the request is meant for another node");
        return;
    }
    if (founding_request(service->raft, client, message) ||
        ledger_requests_handle(service->ledger, client, message) ||
        snapshot_requests_handle(service->snapshots, client, message))
        return;
    if (!may_answer(service, message)) {
        requests_refuse(service, caller, "not_coordinator",
                        step_coordinates(service->step)
                            ? "this node is about to coordinate; ask again"
                            : "this node is not the coordinator");
        return;
    }
    if (service->waiters.n >= WAITERS_MAX || service->reads.n >= WAITERS_MAX)
        requests_refuse(service, caller, "busy", "too many requests are waiting; try again later");
    else if (is_read(service, message))
        confirm_first(service, client, message);
    else
        answer(service, caller, message);
}
