#include "nodes/core/service/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/service/audit.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/service/signatures.h"
#include "nodes/core/state/state.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/requests_values.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define NO_MORE \
    "this node is no longer coordinator; whether the request took effect is unknown: ask again"

void requests_refuse(struct service *service, struct caller caller, const char *code,
                     const char *reason)
{
    outbox_reply(&service->step->out, caller.client,
                 step_error(service->step, caller.request, code, reason));
}

/* --- what waits to be applied --- */

/* The index of an entry, not yet applied, that submits a job or takes a snap with this key; 0:
 * there is none. */
log_index_t requests_pending_key(const struct service *service, enum message_type type,
                                 struct slice key)
{
    const struct raft *raft = service->raft;
    for (log_index_t index = raft->log.applied + 1; index <= raft->log.last; index++) {
        const struct message *entry = raft_log_waiting(raft, index);
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
    if (service->asker)
        waiter.asker = *service->asker;
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

static void reply_applied(struct service *service, struct waiter *waiter, const struct job *job)
{
    struct caller caller = {waiter->client, waiter->request};
    service->asker = &waiter->asker;
    uint64_t snapshot = service->state->progress.snapshots;
    if (waiter->kind == WAIT_SNAP)
        snaps_find(&service->state->snaps, slice_of(waiter->key), &snapshot);
    if (waiter->kind == WAIT_SESSION)
        outbox_reply(&service->step->out, caller.client,
                     keys_session_reply(service->state->keys.newest, caller.request));
    else if (waiter->kind == WAIT_FORGET)
        requests_reply_forgotten(service, caller);
    else if (waiter->kind == WAIT_ACCESS)
        requests_access_applied(service, caller, waiter->job);
    else if (waiter->kind == WAIT_VALUE || waiter->kind == WAIT_DROP)
        requests_value_applied(service, waiter);
    else if (waiter->kind != WAIT_JOB)
        requests_reply_progress(service, caller, true,
                                progress_now(&service->state->progress, waiter->job), snapshot);
    else if (job && rights_see_job(service, job))
        requests_reply_job(service, caller, job, waiter->index != 0);
    else
        requests_refuse(service, caller, "unavailable",
                        "the key was taken, or a stored value dropped, meanwhile: submit again");
    service->asker = NULL;
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

void requests_segments(struct service *service)
{
    struct waiters *waiters = &service->waiters;
    for (size_t i = 0; service->segments && i < waiters->n;) {
        if (waiters->at[i].kind != WAIT_SEGMENT ||
            !requests_answer_segment(service, &waiters->at[i])) {
            i++;
            continue;
        }
        take_waiter(waiters, i);
        service->segments--;
    }
}

void requests_step_down(struct service *service)
{
    struct reads *reads = &service->reads;
    while (service->waiters.n) {
        struct waiter waiter = take_waiter(&service->waiters, 0);
        requests_refuse(service, (struct caller){waiter.client, waiter.request}, "not_coordinator",
                        NO_MORE);
        message_drop(&waiter.reply);
    }
    service->segments = 0;
    for (size_t i = reads->first; i < reads->n; i++) {
        uint64_t request = reads->at[i].message->as.request.request;
        requests_refuse(service, (struct caller){reads->at[i].client, request}, "not_coordinator",
                        NO_MORE);
        message_drop(&reads->at[i].message);
    }
    reads->first = reads->n = 0;
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
        service->asker = &waiter.asker;
        if (job)
            requests_reply_job(service, caller, job, false);
        else
            requests_refuse_job(service, caller, waiter.job);
        service->asker = NULL;
    }
}

static bool reads_are_confirmed(const struct service *service)
{
    const struct reads *reads = &service->reads;
    return reads->first < reads->n &&
           reads->at[reads->first].round <= replication_confirmed(service->raft);
}

uint64_t requests_deadline(const struct service *service)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < service->waiters.n; i++)
        if (!service->waiters.at[i].index && service->waiters.at[i].deadline_us < at)
            at = service->waiters.at[i].deadline_us;
    return reads_are_confirmed(service) ? service->step->now_us : at;
}

void requests_clear(struct service *service)
{
    for (size_t i = service->reads.first; i < service->reads.n; i++)
        message_drop(&service->reads.at[i].message);
    free(service->reads.at);
    for (size_t i = 0; i < service->waiters.n; i++)
        message_drop(&service->waiters.at[i].reply);
    free(service->waiters.at);
    service->waiters = (struct waiters){0};
    service->reads = (struct reads){0};
}

/* --- what requests have in common --- */

/* False, and the caller is told, when nothing new can be taken in now. */
void requests_reply_chunk(struct service *service, uint64_t client, struct message *message,
                          struct value_id id, uint64_t offset, uint64_t len)
{
    outbox_reply_chunk(&service->step->out, client, message, id, offset, len, VALUE_CHUNK_BYTES);
}

const char *requests_unknown_to_some(const struct service *service, uint64_t level,
                                     const char *what, struct text *reason)
{
    node_id_t without;
    if (members_know_entries(service->raft, level, &without))
        return NULL;
    if (without)
        text_add(reason, "node %u is of an earlier release and does not know %s: upgrade it first",
                 (unsigned)without, what);
    else
        text_add(reason, "it is not known yet whether all nodes know %s; ask again", what);
    return without ? "invalid" : "unavailable";
}

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

/* True, and the caller is told, when a key without an outcome may have had one. */
bool requests_are_forgotten(struct service *service, struct caller caller, enum key_use use,
                            struct slice key)
{
    if (!keys_is_forgotten(&service->state->keys, use, key))
        return false;
    requests_refuse(service, caller, "forgotten",
                    "this key was used and its outcome is forgotten; choose another key");
    return true;
}

/* --- the door --- */

static void confirm_first(struct service *service, uint64_t client, struct message *message)
{
    struct reads *reads = &service->reads;
    if (reads->n == reads->size && reads->first &&
        2 * reads->first >= reads->n) { /* half of it is answered */
        reads->n -= reads->first;
        memmove(reads->at, reads->at + reads->first, reads->n * sizeof *reads->at);
        reads->first = 0;
    }
    if (reads->n == reads->size) {
        reads->size = reads->size ? 2 * reads->size : 16;
        reads->at = mem_grow(reads->at, reads->size, sizeof *reads->at);
    }
    reads->at[reads->n++] =
        (struct read){.client = client,
                      .round = replication_confirm(service->raft),
                      .asker = service->asker ? *service->asker : (struct asker){0},
                      .message = message_ref(message)};
}

void requests_confirmed(struct service *service)
{
    struct reads *reads = &service->reads;
    size_t waiting = reads->n - reads->first;
    uint64_t confirmed = waiting ? replication_confirmed(service->raft) : 0;
    size_t slice = MUTANT(reads_at_once) ? waiting : READS_SLICE_MAX;
    for (size_t done = 0;
         done < slice && reads->first < reads->n && reads->at[reads->first].round <= confirmed;
         done++) {
        struct read *read = &reads->at[reads->first++];
        service->asker = &read->asker;
        request_row(read->message->type)->answer(service, read->client, read->message);
        service->asker = NULL;
        message_drop(&read->message);
    }
    if (reads->first == reads->n)
        reads->first = reads->n = 0;
}

/* The coordinator answers, unless the request names a node that may: then that node does. */
static void handle_coordinators(struct service *service, const struct request_row *row,
                                uint64_t client, struct message *message)
{
    struct caller caller = caller_of(client, message);
    bool named = row->by == BY_COORDINATOR_OR_NAMED && message->as.request.node;
    /* What is read must not be answered by a coordinator that was replaced without noticing: a
     * majority confirms first (R11, R13). */
    bool confirm = row->use & READ && raft_serves(service->raft) && !MUTANT(unconfirmed_reads);
    if (!named && !raft_serves(service->raft))
        requests_refuse(service, caller, "not_coordinator",
                        step_coordinates(service->step)
                            ? "this node is becoming the coordinator; ask again"
                            : "this node is not the coordinator");
    else if ((!named && service->waiters.n >= WAITERS_MAX) ||
             (confirm && service->reads.n - service->reads.first >= REQUEST_CLIENTS_MAX))
        requests_refuse(service, caller, "busy", "too many requests are waiting; try again later");
    else if (confirm)
        confirm_first(service, client, message);
    else
        row->answer(service, client, message);
}

static void refuse_asker(struct service *service, struct caller caller, const char *code,
                         const char *why)
{
    struct message *error = step_error(service->step, caller.request, code, why);
    if (!strcmp(code, "unsigned"))
        signatures_tell(service, error);
    outbox_reply(&service->step->out, caller.client, error);
}

/* Whether the asker may; else it is answered, counted and told. Who asks what it is to sign has
 * done nothing wrong. */
static bool check_rights(struct service *service, const struct request_row *row,
                         struct caller caller, const struct message *message)
{
    struct text reason = {0};
    const char *code = "forbidden", *why = reason.at;
    if (rights_suffice(service, row, &reason) && signatures_suffice(service, row, &code, &why))
        return true;
    bool asked = !strcmp(code, "unsigned") && service->asker->proof == PROOF_ASKED;
    service->step->forbidden += !asked;
    if (!asked)
        audit_refused(service, message, code);
    refuse_asker(service, caller, code, why);
    return false;
}

static void handle(struct service *service, uint64_t client, struct message *message)
{
    struct caller caller = caller_of(client, message);
    const struct request_row *row = request_row(message->type);
    uint64_t target = message->as.request.node;
    if (target && target != service->step->config.id) {
        requests_refuse(service, caller, "invalid", "the request is meant for another node");
    } else if (!row || row->by == BY_BROKER) {
        requests_refuse(service, caller, "invalid", "a node does not answer this request");
    } else if (!check_rights(service, row, caller, message)) {
        return;
    } else if (row->by == BY_NAMED && !target) {
        requests_refuse(service, caller, "invalid",
                        "every node has a ledger of its own: name the node");
    } else {
        audit_asked(service, client, row, message);
        rights_scope_key(service, message);
        if (row->by == BY_ANY || row->by == BY_NAMED)
            row->answer(service, client, message);
        else
            handle_coordinators(service, row, client, message);
    }
}

void requests_handle(struct service *service, uint64_t client, struct message *message,
                     const struct asker *asker)
{
    service->asker = asker;
    handle(service, client, message);
    service->asker = NULL;
}

void requests_take(struct service *service, const struct event *event)
{
    requests_handle(service, event->request.client, event->request.message, event->request.asker);
}
