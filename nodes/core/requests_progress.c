/* Requests about progress (first seed), and for sessions. */
#include <inttypes.h>

#include "nodes/core/jobs_internal.h"
#include "nodes/core/journal.h"
#include "nodes/core/keys_replicated.h"
#include "nodes/core/requests_internal.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* The greatest index that a client may set: the index of a node (first seed). */
static uint64_t index_max(const struct node *node)
{
    return node->config.progress_index_max ? node->config.progress_index_max : node->config.n_nodes;
}

/* False, and the caller is told, when there is no such node. What an earlier release has stored
 * under another number can be read. */
static bool is_index(struct node *node, struct caller caller, uint64_t index, bool stored)
{
    struct text reason = {0};
    if ((index >= 1 && index <= index_max(node)) || MUTANT(index_unbounded) ||
        (stored && progress_find(&node->progress, index)))
        return true;
    text_add(&reason, "there is no node %" PRIu64 ": the nodes of this cluster are 1 to %" PRIu64,
             index, index_max(node));
    requests_refuse(node, caller, "invalid", reason.at);
    return false;
}

void requests_progress_set(struct node *node, struct caller caller,
                           const struct wire_progress_set *set)
{
    if (!is_index(node, caller, set->index, false))
        return;
    if (!requests_may_propose(node, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SET);
    entry->as.entry_progress_set.index = set->index;
    entry->as.entry_progress_set.state = set->state;
    requests_wait(node, (struct waiter){.kind = WAIT_SET,
                                        .client = caller.client,
                                        .request = caller.request,
                                        .job = set->index,
                                        .index = journal_propose(node, entry)});
}

void requests_progress_snap(struct node *node, struct caller caller,
                            const struct wire_progress_snap *snap)
{
    uint64_t taken;
    if (!jobs_key_is_valid(snap->key)) {
        requests_refuse(node, caller, "invalid",
                        "a key is 1 to 64 printable characters without spaces");
        return;
    }
    if (jobs_find_snap(&node->jobs, snap->key, &taken)) {
        requests_reply_progress(node, caller, true, 0, taken);
        return;
    }
    if (requests_are_forgotten(node, caller, KEY_OF_SNAP, snap->key) ||
        !requests_may_propose(node, caller))
        return;
    struct waiter waiter = {.kind = WAIT_SNAP, .client = caller.client, .request = caller.request};
    jobs_copy_text(waiter.key, sizeof waiter.key, snap->key);
    waiter.index = journal_pending_key(node, MESSAGE_ENTRY_PROGRESS_SNAPPED, snap->key);
    if (!waiter.index) {
        struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SNAPPED);
        entry->as.entry_progress_snapped.key = message_copy(entry, snap->key);
        waiter.index = journal_propose(node, entry);
    }
    requests_wait(node, waiter);
}

void requests_open_session(struct node *node, struct caller caller)
{
    if (requests_may_propose(node, caller))
        requests_wait(node, (struct waiter){.kind = WAIT_SESSION,
                                            .client = caller.client,
                                            .request = caller.request,
                                            .index = keys_propose_session(node)});
}

void requests_progress_get(struct node *node, struct caller caller,
                           const struct wire_progress_get *get)
{
    uint64_t state = 0;
    struct text reason = {0};
    if (!is_index(node, caller, get->index, true))
        return;
    int error =
        get->past ? progress_get_state(&node->progress, get->index, get->snapshot, &state) : OK;
    if (error == ERR_STALE) {
        text_add(&reason, "snap %" PRIu64 " is forgotten: the oldest that can be read is %" PRIu64,
                 get->snapshot, progress_first_snap(&node->progress));
        requests_refuse(node, caller, "forgotten", reason.at);
        return;
    }
    if (!get->past)
        state = progress_now(&node->progress, get->index);
    requests_reply_progress(node, caller, !error, state, node->progress.snapshots);
}
