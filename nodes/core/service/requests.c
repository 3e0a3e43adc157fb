#include "nodes/core/service/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/founding.h"
#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/raft/journal.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/ledger/ledger_requests.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/service/reports.h"
#include "nodes/core/service/requests_internal.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/space.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define NO_MORE \
    "this node coordinates no more; whether the request took effect is unknown: ask again"

void requests_refuse(struct node *node, struct caller caller, const char *code, const char *reason)
{
    outbox_reply(&node->step.out, caller.client,
                 step_error(&node->step, caller.request, code, reason));
}

static void refuse_job(struct node *node, struct caller caller, job_id_t job)
{
    struct text reason = {0};
    char id[JOB_TEXT_MAX];
    text_add(&reason, "no job %s is known here", job_id_text(job, id));
    requests_refuse(node, caller, "not_found", reason.at);
}

static void reply_job(struct node *node, struct caller caller, const struct job *job, bool created)
{
    struct message *message = message_new(MESSAGE_JOB);
    message->as.job.request = caller.request;
    message->as.job.created = created;
    message->as.job.jobs.n = 1;
    message->as.job.jobs.at = message_room(message, 1, sizeof(struct wire_job_row));
    job_write_row(message, job, &message->as.job.jobs.at[0]);
    outbox_reply(&node->step.out, caller.client, message);
}

/* --- what waits to be applied --- */

/* The index of an entry, not yet applied, that submits a job or takes a snap with this key; 0:
 * there is none. */
log_index_t requests_pending_key(const struct node *node, enum message_type type, struct slice key)
{
    const struct raft *raft = &node->raft;
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

static size_t count_pending_jobs(const struct node *node)
{
    const struct raft *raft = &node->raft;
    size_t n = 0;
    for (log_index_t index = raft->journal.applied + 1; index <= raft->journal.last; index++) {
        const struct message *entry = journal_waiting(raft, index);
        n += entry && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED;
    }
    return n;
}

/* --- waiting --- */

bool requests_wait(struct node *node, struct waiter waiter)
{
    struct waiters *waiters = &node->waiters;
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
void requests_reply_progress(struct node *node, struct caller caller, bool found, uint64_t state,
                             uint64_t snapshot)
{
    struct message *message = message_new(MESSAGE_PROGRESS);
    message->as.progress = (struct wire_progress){.request = caller.request,
                                                  .found = found,
                                                  .state = state,
                                                  .snapshot = snapshot};
    outbox_reply(&node->step.out, caller.client, message);
}

static void reply_applied(struct node *node, const struct waiter *waiter, const struct job *job)
{
    struct caller caller = {waiter->client, waiter->request};
    uint64_t snapshot = node->state.progress.snapshots;
    if (waiter->kind == WAIT_SNAP)
        jobs_find_snap(&node->state.jobs, slice_of(waiter->key), &snapshot);
    if (waiter->kind == WAIT_SESSION)
        outbox_reply(&node->step.out, caller.client,
                     keys_session_reply(node->state.keys.newest, caller.request));
    else if (waiter->kind != WAIT_JOB)
        requests_reply_progress(node, caller, true,
                                progress_now(&node->state.progress, waiter->job), snapshot);
    else if (job)
        reply_job(node, caller, job, waiter->index != 0);
    else
        requests_refuse(node, caller, "unavailable", "the key was taken meanwhile: submit again");
}

void requests_applied(struct node *node, log_index_t index, const struct job *job)
{
    struct waiters *waiters = &node->waiters;
    for (size_t i = 0; i < waiters->n;) {
        bool ours = waiters->at[i].index == index;
        bool finished = job && job_is_finished(job) && waiters->at[i].kind == WAIT_JOB &&
                        waiters->at[i].job == job->id;
        if (!ours && !finished) {
            i++;
            continue;
        }
        struct waiter waiter = take_waiter(waiters, i);
        reply_applied(node, &waiter, job);
    }
}

void requests_step_down(struct node *node)
{
    struct reads *reads = &node->reads;
    while (node->waiters.n) {
        struct waiter waiter = take_waiter(&node->waiters, 0);
        requests_refuse(node, (struct caller){waiter.client, waiter.request}, "not_coordinator",
                        NO_MORE);
    }
    for (size_t i = 0; i < reads->n; i++) {
        uint64_t request = reads->at[i].message->as.request.request;
        requests_refuse(node, (struct caller){reads->at[i].client, request}, "not_coordinator",
                        NO_MORE);
        message_drop(&reads->at[i].message);
    }
    reads->n = 0;
}

void requests_tick(struct node *node)
{
    struct waiters *waiters = &node->waiters;
    for (size_t i = 0; i < waiters->n;) {
        if (waiters->at[i].index || node->step.now_us < waiters->at[i].deadline_us) {
            i++;
            continue;
        }
        struct waiter waiter = take_waiter(waiters, i);
        struct caller caller = {waiter.client, waiter.request};
        struct job *job = jobs_find(&node->state.jobs, waiter.job);
        if (job)
            reply_job(node, caller, job, false);
        else
            refuse_job(node, caller, waiter.job);
    }
}

uint64_t requests_deadline(const struct node *node)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < node->waiters.n; i++)
        if (!node->waiters.at[i].index && node->waiters.at[i].deadline_us < at)
            at = node->waiters.at[i].deadline_us;
    return at;
}

void requests_clear(struct node *node)
{
    for (size_t i = 0; i < node->reads.n; i++)
        message_drop(&node->reads.at[i].message);
    free(node->reads.at);
    free(node->waiters.at);
    node->waiters = (struct waiters){0};
    node->reads = (struct reads){0};
}

/* --- submit --- */

/* False, and the caller is told, when nothing new can be taken in now. */
bool requests_may_propose(struct node *node, struct caller caller)
{
    struct text reason = {0};
    if (!space_suffices(&node->raft, &reason)) {
        requests_refuse(node, caller, "disk_full", reason.at);
        return false;
    }
    if (node->waiters.n < WAITERS_MAX)
        return true;
    requests_refuse(node, caller, "busy", "too many requests are waiting; try again later");
    return false;
}

/* Says why a submit is refused, before anything is done about it; NULL: it is not. */
static const char *check_submit(const struct node *node, const struct wire_submit *submit,
                                struct text *reason)
{
    uint64_t n = 0;
    char shown[JOB_SPEC_MAX];
    if (!step_key_is_valid(submit->key)) {
        text_add(reason, "a key is 1 to %d printable characters without spaces", JOB_KEY_MAX);
        return "invalid";
    }
    int error = jobs_parse_spec(submit->kind, submit->spec, &n);
    if (error == ERR_UNSUPPORTED) {
        text_add(reason, "unknown kind of job '%s'; known: factorial",
                 text_escape(shown, sizeof shown, submit->kind));
        return "invalid";
    }
    if (error) {
        text_add(reason, "factorial takes a whole number from 0 on, not '%s'",
                 text_escape(shown, sizeof shown, submit->spec));
        return "invalid";
    }
    uint64_t bytes = plan_result_bytes(n);
    if (bytes > node->step.config.result_max_bytes) {
        text_add(reason,
                 "factorial %" PRIu64 " is too costly: its result takes about %" PRIu64
                 " MiB, the limit is %" PRIu64 " MiB (--max-result)",
                 n, bytes / MIB_BYTES, node->step.config.result_max_bytes / MIB_BYTES);
        return "too_costly";
    }
    return NULL;
}

/* True, and the caller is told, when a key without an outcome may have had one. */
bool requests_are_forgotten(struct node *node, struct caller caller, enum key_use use,
                            struct slice key)
{
    if (!keys_is_forgotten(&node->state.keys, use, key))
        return false;
    requests_refuse(node, caller, "forgotten",
                    "this key was used and what came of it is forgotten; choose another key");
    return true;
}

static void submit(struct node *node, struct caller caller, const struct wire_submit *submit)
{
    struct text reason = {0};
    const char *code = check_submit(node, submit, &reason);
    if (code) {
        requests_refuse(node, caller, code, reason.at);
        return;
    }
    struct job *job = jobs_find_key(&node->state.jobs, submit->key);
    if (job) {
        reply_job(node, caller, job, false);
        return;
    }
    if (jobs_key_collides(&node->state.jobs, submit->key)) {
        requests_refuse(node, caller, "invalid", "this key cannot be used; choose another");
        return;
    }
    if (node->step.config.n_nodes == 1) {
        requests_refuse(
            node, caller, "invalid",
            "this cluster has one node: a coordinator computes nothing, and there is no worker");
        return;
    }
    if (requests_are_forgotten(node, caller, KEY_OF_JOB, submit->key))
        return;
    log_index_t index = requests_pending_key(node, MESSAGE_ENTRY_JOB_SUBMITTED, submit->key);
    bool many = !index && node->state.jobs.open + count_pending_jobs(node) >= JOBS_OPEN_MAX;
    if (many) {
        requests_refuse(node, caller, "busy", "too many jobs are waiting; try again later");
        return;
    }
    if (!requests_may_propose(node, caller))
        return;
    if (!index) {
        struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
        entry->as.entry_job_submitted = (struct wire_entry_job_submitted){
            .key = message_copy(entry, submit->key),
            .kind = message_copy(entry, submit->kind),
            .spec = message_copy(entry, submit->spec),
            .level = schedule_unit_level(&node->schedule, submit->spec),
            .time_ms = node->step.wall_ms,
        };
        index = journal_propose(&node->raft, entry);
    }
    requests_wait(node, (struct waiter){.client = caller.client,
                                        .request = caller.request,
                                        .index = index});
}

/* --- the other requests --- */

static void job_get(struct node *node, struct caller caller, const struct wire_job_get *get)
{
    struct job *job = jobs_find(&node->state.jobs, get->job);
    if (!job) {
        refuse_job(node, caller, get->job);
        return;
    }
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = node->step.now_us + get->wait_ms * MS_US};
    if (!get->wait_ms || job_is_finished(job) || !requests_wait(node, waiter))
        reply_job(node, caller, job, false);
}

static void job_list(struct node *node, struct caller caller, const struct wire_job_list *list)
{
    struct message *message = message_new(MESSAGE_JOB_PAGE);
    report_jobs(message, &node->state.jobs, list->after, &message->as.job_page);
    message->as.job_page.request = caller.request;
    outbox_reply(&node->step.out, caller.client, message);
}

static void job_cancel(struct node *node, struct caller caller,
                       const struct wire_job_cancel *cancel)
{
    struct job *job = jobs_find(&node->state.jobs, cancel->job);
    if (!job) {
        refuse_job(node, caller, cancel->job);
        return;
    }
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = node->step.now_us + WAIT_MAX_MS * MS_US};
    if (job_is_finished(job) || !requests_wait(node, waiter)) {
        reply_job(node, caller, job, false);
        return;
    }
    if (schedule_end_is_pending(&node->schedule, job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled =
        (struct wire_entry_job_cancelled){.job = job->id, .time_ms = node->step.wall_ms};
    journal_propose(&node->raft, entry);
}

static void job_trace(struct node *node, struct caller caller, const struct wire_job_trace *trace)
{
    struct job *job = jobs_find(&node->state.jobs, trace->job);
    if (!job) {
        refuse_job(node, caller, trace->job);
        return;
    }
    job_open_trace(job);
    if (!job->trace) {
        requests_refuse(
            node, caller, "not_kept",
            "the trace of this job is not kept: it has more than 4096 operations, or none was "
            "executed, or many jobs came after it");
        return;
    }
    struct message *message = message_new(MESSAGE_TRACE_PAGE);
    report_trace(message, job, trace->after, &message->as.trace_page);
    message->as.trace_page.request = caller.request;
    outbox_reply(&node->step.out, caller.client, message);
}

static void job_explain(struct node *node, struct caller caller,
                        const struct wire_job_explain *explain)
{
    struct job *job = jobs_find(&node->state.jobs, explain->job);
    if (!job) {
        refuse_job(node, caller, explain->job);
        return;
    }
    struct text text = {0};
    report_explanation(node, job, &text);
    struct message *message = message_new(MESSAGE_EXPLANATION);
    message->as.explanation.request = caller.request;
    message->as.explanation.text = message_text(message, text.at);
    outbox_reply(&node->step.out, caller.client, message);
}

static void result_get(struct node *node, struct caller caller, const struct wire_result_get *get)
{
    struct job *job = jobs_find(&node->state.jobs, get->job);
    if (!job) {
        refuse_job(node, caller, get->job);
        return;
    }
    if (job->state != JOB_DONE) {
        struct text reason = {0};
        text_add(&reason, "the job has no result: it is %s", job_state_name(job->state));
        requests_refuse(node, caller, job_is_finished(job) ? "finished" : "unavailable", reason.at);
        return;
    }
    if (get->offset > job->digits) {
        requests_refuse(node, caller, "invalid", "the offset is behind the last digit");
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
        outbox_reply(&node->step.out, caller.client, message);
        return;
    }
    struct output *output = outbox_reply(&node->step.out, caller.client, message);
    output->reply.chunk = true;
    output->reply.id = (struct value_id){job->id, job_text_op(job)};
    output->reply.offset = get->offset;
    output->reply.len = job->digits - get->offset < VALUE_CHUNK_BYTES ? job->digits - get->offset
                                                                      : VALUE_CHUNK_BYTES;
}

static void status_get(struct node *node, struct caller caller)
{
    struct message *message = message_new(MESSAGE_STATUS);
    report_status(node, message, &message->as.status);
    message->as.status.request = caller.request;
    outbox_reply(&node->step.out, caller.client, message);
}

/* A status may be asked of any node; everything else is the coordinator's to answer. */
static bool may_answer(const struct node *node, const struct message *message)
{
    return node_serves(node) || (message->type == MESSAGE_STATUS_GET && message->as.request.node);
}

static void answer(struct node *node, struct caller caller, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_SUBMIT:
        submit(node, caller, &message->as.submit);
        break;
    case MESSAGE_JOB_GET:
        job_get(node, caller, &message->as.job_get);
        break;
    case MESSAGE_JOB_LIST:
        job_list(node, caller, &message->as.job_list);
        break;
    case MESSAGE_JOB_CANCEL:
        job_cancel(node, caller, &message->as.job_cancel);
        break;
    case MESSAGE_JOB_TRACE:
        job_trace(node, caller, &message->as.job_trace);
        break;
    case MESSAGE_JOB_EXPLAIN:
        job_explain(node, caller, &message->as.job_explain);
        break;
    case MESSAGE_RESULT_GET:
        result_get(node, caller, &message->as.result_get);
        break;
    case MESSAGE_PROGRESS_SET:
        requests_progress_set(node, caller, &message->as.progress_set);
        break;
    case MESSAGE_PROGRESS_SNAP:
        requests_progress_snap(node, caller, &message->as.progress_snap);
        break;
    case MESSAGE_SESSION_OPEN:
        requests_open_session(node, caller);
        break;
    case MESSAGE_PROGRESS_GET:
        requests_progress_get(node, caller, &message->as.progress_get);
        break;
    case MESSAGE_STATUS_GET:
        status_get(node, caller);
        break;
    default:
        requests_refuse(node, caller, "invalid", "a node does not answer this request");
        break;
    }
}

/* What only reads must not be answered by a coordinator that was replaced without noticing: a
 * majority confirms first (R11, R13). */
static bool is_read(const struct node *node, const struct message *message)
{
    return !MUTANT(unconfirmed_reads) && node_serves(node) && message->type != MESSAGE_SUBMIT &&
           message->type != MESSAGE_PROGRESS_SET && message->type != MESSAGE_PROGRESS_SNAP &&
           message->type != MESSAGE_SESSION_OPEN;
}

static void confirm_first(struct node *node, uint64_t client, struct message *message)
{
    struct reads *reads = &node->reads;
    if (reads->n == reads->size) {
        reads->size = reads->size ? 2 * reads->size : 16;
        reads->at = mem_grow(reads->at, reads->size, sizeof *reads->at);
    }
    reads->at[reads->n++] =
        (struct read){client, replication_confirm(&node->raft), message_ref(message)};
}

void requests_confirmed(struct node *node)
{
    struct reads *reads = &node->reads;
    size_t done = 0;
    uint64_t confirmed = reads->n ? replication_confirmed(&node->raft) : 0;
    while (done < reads->n && reads->at[done].round <= confirmed) {
        struct read *read = &reads->at[done++];
        answer(node, (struct caller){read->client, read->message->as.request.request},
               read->message);
        message_drop(&read->message);
    }
    if (done)
        memmove(reads->at, reads->at + done, (reads->n - done) * sizeof *reads->at);
    reads->n -= done;
}

void requests_handle(struct node *node, uint64_t client, struct message *message)
{
    struct caller caller = {client, message->as.request.request};
    uint64_t target = message->as.request.node;
    if (target && target != node->step.config.id) {
        requests_refuse(node, caller, "invalid", "the request is meant for another node");
        return;
    }
    if (founding_request(&node->raft, client, message) ||
        ledger_requests_handle(&node->ledger, client, message) ||
        snapshot_requests_handle(&node->snapshots, client, message))
        return;
    if (!may_answer(node, message)) {
        requests_refuse(node, caller, "not_coordinator",
                        node_is_coordinator(node) ? "this node is about to coordinate; ask again"
                                                  : "this node is not the coordinator");
        return;
    }
    if (node->waiters.n >= WAITERS_MAX || node->reads.n >= WAITERS_MAX)
        requests_refuse(node, caller, "busy", "too many requests are waiting; try again later");
    else if (is_read(node, message))
        confirm_first(node, client, message);
    else
        answer(node, caller, message);
}
