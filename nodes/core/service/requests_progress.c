/* Requests about progress (first seed), and for sessions. */
#include <inttypes.h>

#include "nodes/core/state/state.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/service/requests_table.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* The greatest index that a client may set: the index of a node (first seed). */
static uint64_t index_max(const struct service *service)
{
    return service->step->config.progress_index_max ? service->step->config.progress_index_max
                                                    : service->step->config.n_nodes;
}

/* False, and the caller is told, when there is no such node. What an earlier release has stored
 * under another number can be read. */
static bool is_index(struct service *service, struct caller caller, uint64_t index, bool stored)
{
    struct text reason = {0};
    if ((index >= 1 && index <= index_max(service)) || MUTANT(index_unbounded) ||
        (stored && progress_find(&service->state->progress, index)))
        return true;
    text_add(&reason, "there is no node %" PRIu64 ": the nodes of this cluster are 1 to %" PRIu64,
             index, index_max(service));
    requests_refuse(service, caller, "invalid", reason.at);
    return false;
}

void requests_progress_set(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_progress_set *set = &request->as.progress_set;
    struct caller caller = caller_of(client, request);
    if (!is_index(service, caller, set->index, false))
        return;
    if (!requests_may_propose(service, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SET);
    entry->as.entry_progress_set.index = set->index;
    entry->as.entry_progress_set.state = set->state;
    requests_wait(service, (struct waiter){.kind = WAIT_SET,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .job = set->index,
                                           .index = raft_log_propose(service->raft, entry)});
}

void requests_progress_snap(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_progress_snap *snap = &request->as.progress_snap;
    struct caller caller = caller_of(client, request);
    uint64_t taken;
    if (!step_key_is_valid(snap->key)) {
        requests_refuse(service, caller, "invalid",
                        "a key is 1 to 64 printable characters without spaces");
        return;
    }
    if (snaps_find(&service->state->snaps, snap->key, &taken)) {
        requests_reply_progress(service, caller, true, 0, taken);
        return;
    }
    if (requests_are_forgotten(service, caller, KEY_OF_SNAP, snap->key) ||
        !requests_may_propose(service, caller))
        return;
    struct waiter waiter = {.kind = WAIT_SNAP, .client = caller.client, .request = caller.request};
    text_copy(waiter.key, sizeof waiter.key, snap->key);
    waiter.index = requests_pending_key(service, MESSAGE_ENTRY_PROGRESS_SNAPPED, snap->key);
    if (!waiter.index) {
        struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SNAPPED);
        entry->as.entry_progress_snapped.key = message_copy(entry, snap->key);
        waiter.index = raft_log_propose(service->raft, entry);
    }
    requests_wait(service, waiter);
}

void requests_open_session(struct service *service, uint64_t client, struct message *request)
{
    struct caller caller = caller_of(client, request);
    if (request->as.request.node) { /* one of that node's ledger */
        ledger_request_session(service->ledger, client, request);
        return;
    }
    if (!requests_may_propose(service, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_SESSION_OPENED);
    entry->as.entry_session_opened.token = step_random(service->step, UINT64_MAX);
    requests_wait(service, (struct waiter){.kind = WAIT_SESSION,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .index = raft_log_propose(service->raft, entry)});
}

void requests_progress_get(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_progress_get *get = &request->as.progress_get;
    struct caller caller = caller_of(client, request);
    uint64_t state = 0;
    struct text reason = {0};
    if (!is_index(service, caller, get->index, true))
        return;
    int error =
        get->past ? progress_get_state(&service->state->progress, get->index, get->snapshot, &state)
                  : OK;
    if (error == ERR_STALE) {
        text_add(&reason, "snap %" PRIu64 " is forgotten: the oldest that can be read is %" PRIu64,
                 get->snapshot, progress_first_snap(&service->state->progress));
        requests_refuse(service, caller, "forgotten", reason.at);
        return;
    }
    if (!get->past)
        state = progress_now(&service->state->progress, get->index);
    requests_reply_progress(service, caller, !error, state, service->state->progress.snapshots);
}
