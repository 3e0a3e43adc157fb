/* How many jobs one key may have open, and how many bytes of results it keeps: the coordinator
 * looks before it proposes, so no other node needs to know the bounds. */
#include <inttypes.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/requests_values.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/state/state.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* Jobs of that owner that are proposed and not applied yet. */
static size_t count_pending(const struct service *service, const char *owner)
{
    const struct raft *raft = service->raft;
    size_t n = 0;
    for (log_index_t index = raft->log.applied + 1; index <= raft->log.last; index++) {
        const struct message *entry = raft_log_waiting(raft, index);
        n += entry && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED &&
             slice_equals(entry->as.entry_job_submitted.owner, owner);
    }
    return MUTANT(quota_passes_pending) ? 0 : n;
}

bool requests_within_quota(struct service *service, struct caller caller)
{
    const struct node_config *config = &service->step->config;
    struct text reason = {0};
    if (!rights_are_bounded(service))
        return true;
    const char *name = rights_owner(service);
    const struct job_owner *has = job_owners_find(&service->state->jobs.owners, name);
    size_t open = (has ? has->open : 0) + count_pending(service, name);
    uint64_t bytes = has ? has->bytes + has->value_bytes : 0;
    if (config->quota_jobs && open >= config->quota_jobs)
        text_add(&reason,
                 "the key of %s has %zu open jobs, and may have %" PRIu64
                 " (--quota-jobs of the nodes): wait until one ends, or cancel one",
                 name, open, config->quota_jobs);
    else if (config->quota_bytes && bytes >= config->quota_bytes)
        text_add(&reason,
                 "the key of %s keeps %" PRIu64 " bytes of results%s, and may keep %" PRIu64
                 " (--quota-bytes of the nodes): forget jobs (`conclave job forget`)%s",
                 name, bytes, has->values ? " and stored values" : "", config->quota_bytes,
                 has->values ? ", or drop values (`conclave value rm`)" : "");
    else
        return true;
    requests_refuse(service, caller, "quota", reason.at);
    return false;
}

bool requests_value_within_quota(struct service *service, struct caller caller, uint64_t bytes,
                                 uint64_t pending_bytes)
{
    const struct node_config *config = &service->step->config;
    struct text reason = {0};
    if (!rights_are_bounded(service) || !config->quota_bytes)
        return true;
    const char *name = rights_owner(service);
    const struct job_owner *has = job_owners_find(&service->state->jobs.owners, name);
    uint64_t kept = pending_bytes + (has ? has->bytes + has->value_bytes : 0);
    if (kept <= config->quota_bytes && bytes <= config->quota_bytes - kept)
        return true;
    text_add(&reason,
             "the key of %s keeps %" PRIu64
             " bytes of results and stored values, and may keep %" PRIu64
             " (--quota-bytes of the nodes): %" PRIu64
             " more are too many; drop values (`conclave value rm`), or forget jobs",
             name, kept, config->quota_bytes, bytes);
    requests_refuse(service, caller, "quota", reason.at);
    return false;
}

/* --- what there is to see --- */

static void add_row(struct message *message, const char *name, const struct job_owner *has)
{
    struct wire_quota_page *page = &message->as.quota_page;
    page->keys.at[page->keys.n++] =
        (struct wire_quota_row){.name = message_text(message, name),
                                .open_jobs = has ? has->open : 0,
                                .kept_jobs = has ? has->jobs - has->open : 0,
                                .kept_bytes = has ? has->bytes : 0,
                                .values = has ? has->values : 0,
                                .value_bytes = has ? has->value_bytes : 0};
}

static void add_all(struct message *message, const struct job_owners *owners, struct slice after)
{
    struct wire_quota_page *page = &message->as.quota_page;
    char name[OWNER_MAX + 1];
    text_copy(name, sizeof name, after);
    size_t at = job_owners_after(owners, name);
    for (; at < owners->n && page->keys.n < QUOTA_PAGE_MAX; at++)
        add_row(message, owners->at[at]->name, owners->at[at]);
    page->more = at < owners->n;
}

void requests_quota_get(struct service *service, uint64_t client, struct message *request)
{
    const struct node_config *config = &service->step->config;
    const struct job_owners *owners = &service->state->jobs.owners;
    const char *name = rights_owner(service);
    struct message *message = message_new(MESSAGE_QUOTA_PAGE);
    struct wire_quota_page *page = &message->as.quota_page;
    page->request = caller_of(client, request).request;
    page->jobs_max = config->insecure ? 0 : config->quota_jobs;
    page->bytes_max = config->insecure ? 0 : config->quota_bytes;
    page->bounded = rights_are_bounded(service);
    page->keys.at = message_room(message, QUOTA_PAGE_MAX, sizeof *page->keys.at);
    if (rights_see_all(service))
        add_all(message, owners, request->as.quota_get.after);
    else if (slice_equals(request->as.quota_get.after, ""))
        add_row(message, name, job_owners_find(owners, name));
    outbox_reply(&service->step->out, client, message);
}
