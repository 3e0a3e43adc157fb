/* Requests about the list of keys that are allowed. What it says is judged where it is read, at
 * the doors: here it is bytes with a version. */
#include <inttypes.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

static struct slice bytes_of(const struct access_list *list)
{
    return list->bytes ? (struct slice){list->bytes->at, list->bytes->len} : (struct slice){0};
}

static void reply_access(struct service *service, struct caller caller, bool whole)
{
    const struct access_list *list = &service->state->access_list;
    struct message *message = message_new(MESSAGE_ACCESS);
    message->as.access.request = caller.request;
    message->as.access.version = list->version;
    if (whole)
        message->as.access.list = message_copy(message, bytes_of(list));
    outbox_reply(&service->step->out, caller.client, message);
}

/* Any node: who asks compares what comes with what a majority says that it has. */
void requests_access_get(struct service *service, uint64_t client, struct message *request)
{
    reply_access(service, caller_of(client, request), true);
}

void requests_access_set(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_access_set *set = &request->as.access_set;
    const struct access_list *list = &service->state->access_list;
    struct caller caller = caller_of(client, request);
    struct text reason = {0};
    if (set->version == list->version && slice_same(set->list, bytes_of(list))) {
        reply_access(service, caller, false); /* asked again */
        return;
    }
    if (set->version <= list->version) {
        text_add(&reason,
                 "the cluster has version %" PRIu64 " of the list of keys already; what was to "
                 "become version %" PRIu64 " is to be based on it",
                 list->version, set->version);
        requests_refuse(service, caller, "stale", reason.at);
        return;
    }
    /* Whoever has a key is of a release that knows lists: who claims another must not keep out the
     * list that takes its key away. */
    const char *code = NULL;
    if (service->step->config.insecure)
        code = requests_unknown_to_some(service, ENTRY_LEVEL_ACCESS, "lists of keys", &reason);
    if (code) {
        requests_refuse(service, caller, code, reason.at);
        return;
    }
    if (!requests_may_propose(service, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_ACCESS_CHANGED);
    entry->as.entry_access_changed.version = set->version;
    entry->as.entry_access_changed.list = message_copy(entry, set->list);
    requests_wait(service, (struct waiter){.kind = WAIT_ACCESS,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .job = set->version,
                                           .index = raft_log_propose(service->raft, entry)});
}

void requests_access_applied(struct service *service, struct caller caller, uint64_t version)
{
    if (service->state->access_list.version == version)
        reply_access(service, caller, false);
    else
        requests_refuse(service, caller, "stale",
                        "another list of keys came first; this one is to be based on it");
}
