/* Requests about stored values: what clients upload, list, read and have dropped. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/requests_values.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/state/state.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* --- rows --- */

void requests_write_value(const struct service *service, struct message *message,
                          const struct stored_value *value, struct wire_value_row *row)
{
    size_t shown = value->n_jobs < VALUE_JOBS_SHOWN ? value->n_jobs : VALUE_JOBS_SHOWN;
    *row = (struct wire_value_row){.value = value->id,
                                   .sha256 = message_copy(message, (struct slice){value->sha256,
                                                                                  HASH_BYTES}),
                                   .len = value->len,
                                   .format = message_text(message, value->format),
                                   .name = message_text(message, value->name),
                                   .owner = message_text(message, value->owner),
                                   .whole = value->whole,
                                   .segments = value->n_segments,
                                   .bytes = value->bytes,
                                   .items = value->items,
                                   .age_ms = stored_value_age_ms(&service->state->stored, value)};
    row->jobs.at = message_room(message, shown + 1, sizeof *row->jobs.at);
    for (; row->jobs.n < shown; row->jobs.n++)
        row->jobs.at[row->jobs.n].job = value->jobs[row->jobs.n];
}

static struct message *make_reply(const struct service *service, struct caller caller,
                                  const struct stored_value *value, bool created)
{
    struct message *message = message_new(MESSAGE_VALUE);
    message->as.value.request = caller.request;
    message->as.value.created = created;
    message->as.value.values.n = 1;
    message->as.value.values.at = message_room(message, 1, sizeof(struct wire_value_row));
    requests_write_value(service, message, value, &message->as.value.values.at[0]);
    return message;
}

static void reply_value(struct service *service, struct caller caller,
                        const struct stored_value *value, bool created)
{
    outbox_reply(&service->step->out, caller.client, make_reply(service, caller, value, created));
}

/* --- which --- */

static void refuse_unknown(struct service *service, struct caller caller, job_id_t id)
{
    struct text reason = {0};
    char shown[JOB_TEXT_MAX];
    text_add(&reason, "there is no stored value %s", job_id_text(id, shown));
    requests_refuse(service, caller, "not_found", reason.at);
}

struct stored_value *requests_see_value(const struct service *service, job_id_t id)
{
    struct stored_value *value = stored_values_find(&service->state->stored, id);
    return value && rights_see_owner(service, value->owner) ? value : NULL;
}

static struct stored_value *find_value(struct service *service, struct caller caller, job_id_t id)
{
    struct stored_value *value = requests_see_value(service, id);
    if (!value)
        refuse_unknown(service, caller, id);
    return value;
}

/* --- beginning --- */

/* An entry, not yet applied, that begins the same value; 0: there is none. What all of them, and
 * those of that owner, will add. */
struct pending {
    log_index_t same;
    size_t n;
    uint64_t bytes;
};

static struct pending count_pending(const struct service *service,
                                    const struct wire_value_begin *begin, struct slice owner)
{
    const struct raft *raft = service->raft;
    struct pending pending = {0};
    for (log_index_t index = raft->log.applied + 1; index <= raft->log.last; index++) {
        const struct message *entry = raft_log_waiting(raft, index);
        if (!entry || entry->type != MESSAGE_ENTRY_VALUE_BEGUN)
            continue;
        const struct wire_entry_value_begun *begun = &entry->as.entry_value_begun;
        pending.n++;
        if (!slice_same(begun->owner, owner))
            continue;
        pending.bytes += begun->len;
        if (slice_same(begun->sha256, begin->sha256) && slice_same(begun->format, begin->format))
            pending.same = index;
    }
    return pending;
}

/* What is a program may be run: whoever may not have commands run has no use for it. */
static bool may_store(struct service *service, struct caller caller, struct slice format)
{
    const struct asker *asker = service->asker;
    struct text reason = {0};
    if (slice_equals(format, "operator") &&
        (service->step->config.insecure ||
         (asker && !role_suffices(asker->role, ROLE_commands) && !MUTANT(commands_for_all)))) {
        requests_refuse(service, caller, "forbidden",
                        service->step->config.insecure
                            ? "this cluster has no keys (--insecure), and without keys no commands "
                              "are run"
                            : "operators are programs that are run: that needs a key of the role "
                              "commands");
        return false;
    }
    if (!slice_equals(format, "operator") && !slice_equals(format, "parts"))
        return true;
    const char *code = requests_unknown_to_some(service, ENTRY_LEVEL_REDUCE, "reduce", &reason);
    if (code)
        requests_refuse(service, caller, code, reason.at);
    return !code;
}

static bool knows_values(struct service *service, struct caller caller)
{
    struct text reason = {0};
    const char *code =
        requests_unknown_to_some(service, ENTRY_LEVEL_VALUES, "stored values", &reason);
    if (code)
        requests_refuse(service, caller, code, reason.at);
    return !code;
}

static bool is_in_order(struct service *service, struct caller caller,
                        const struct wire_value_begin *begin)
{
    const char *wrong = NULL;
    if (begin->sha256.len != HASH_BYTES)
        wrong = "a SHA-256 has 32 bytes";
    else if (!stored_format_is_known(begin->format))
        wrong = "a stored value has the format bytes, integers, tasks, parts or operator";
    if (wrong)
        requests_refuse(service, caller, "invalid", wrong);
    return !wrong;
}

static bool fits(struct service *service, struct caller caller,
                 const struct wire_value_begin *begin, const struct pending *pending)
{
    if (service->state->stored.n + pending->n >= VALUES_MAX) {
        struct text reason = {0};
        text_add(&reason, "the cluster has %d stored values, and may have no more: drop some",
                 VALUES_MAX);
        requests_refuse(service, caller, "too_many", reason.at);
        return false;
    }
    return requests_value_within_quota(service, caller, begin->len, pending->bytes);
}

static log_index_t propose_begun(struct service *service, const struct wire_value_begin *begin,
                                 struct slice owner)
{
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    entry->as.entry_value_begun =
        (struct wire_entry_value_begun){.owner = message_copy(entry, owner),
                                        .sha256 = message_copy(entry, begin->sha256),
                                        .len = begin->len,
                                        .format = message_copy(entry, begin->format),
                                        .name = message_copy(entry, begin->name),
                                        .time_ms = service->step->wall_ms};
    return raft_log_propose(service->raft, entry);
}

void requests_value_begin(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_value_begin *begin = &request->as.value_begin;
    struct caller caller = caller_of(client, request);
    struct slice owner = slice_of(rights_owner(service));
    if (!is_in_order(service, caller, begin) || !knows_values(service, caller) ||
        !may_store(service, caller, begin->format))
        return;
    const struct stored_values *stored = &service->state->stored;
    const struct stored_value *value =
        stored_values_find_same(stored, owner, begin->sha256, begin->format);
    if (value && value->len != begin->len) {
        requests_refuse(service, caller, "invalid",
                        "a value with this SHA-256 is there, and has another length");
        return;
    }
    if (value && !stored_value_age_ms(stored, value)) {
        reply_value(service, caller, value, false);
        return;
    }
    struct pending pending = count_pending(service, begin, owner);
    if (!value && !pending.same && !fits(service, caller, begin, &pending))
        return;
    if (!requests_may_propose(service, caller))
        return;
    log_index_t index = pending.same ? pending.same : propose_begun(service, begin, owner);
    requests_wait(service,
                  (struct waiter){.kind = WAIT_VALUE,
                                  .client = caller.client,
                                  .request = caller.request,
                                  .job = value ? value->id : job_id_of(service->step->term, index),
                                  .created = !value && !pending.same,
                                  .index = index});
}

/* --- chunks --- */

static void reply_taken(struct service *service, struct caller caller, job_id_t value,
                        uint64_t segment, uint64_t offset)
{
    struct message *message = message_new(MESSAGE_VALUE_CHUNK_TAKEN);
    message->as.value_chunk_taken = (struct wire_value_chunk_taken){.request = caller.request,
                                                                    .value = value,
                                                                    .segment = segment,
                                                                    .offset = offset};
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_value_put(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_value_put *put = &request->as.value_put;
    struct caller caller = caller_of(client, request);
    struct text why = {0};
    const struct stored_value *value = find_value(service, caller, put->value);
    if (!value || !requests_may_propose(service, caller))
        return;
    switch (uploads_put(service->uploads, value, request, &why)) {
    case UPLOAD_TAKEN:
        reply_taken(service, caller, put->value, put->segment, put->offset);
        break;
    case UPLOAD_WAITS:
        service->segments += requests_wait(service, (struct waiter){.kind = WAIT_SEGMENT,
                                                                    .client = caller.client,
                                                                    .request = caller.request,
                                                                    .job = put->value,
                                                                    .segment = put->segment,
                                                                    .offset = put->offset,
                                                                    .deadline_us = UINT64_MAX});
        break;
    case UPLOAD_UNKNOWN:
        requests_refuse(service, caller, "unknown", why.at);
        break;
    case UPLOAD_BUSY:
        requests_refuse(service, caller, "busy", why.at);
        break;
    case UPLOAD_INVALID:
        requests_refuse(service, caller, "invalid", why.at);
        break;
    }
}

bool requests_answer_segment(struct service *service, const struct waiter *waiter)
{
    struct caller caller = {waiter->client, waiter->request};
    switch (uploads_status(service->uploads, waiter->job, waiter->segment)) {
    case UPLOAD_TAKEN:
        reply_taken(service, caller, waiter->job, waiter->segment, waiter->offset);
        return true;
    case UPLOAD_INVALID:
        requests_refuse(service, caller, "invalid",
                        "the segment has other bytes than its SHA-256 says: send it again");
        return true;
    case UPLOAD_UNKNOWN:
    case UPLOAD_BUSY:
        requests_refuse(service, caller, "unknown",
                        "the segment was given up: begin the value again");
        return true;
    case UPLOAD_WAITS:
        break;
    }
    return false;
}

/* --- the end --- */

void requests_value_end(struct service *service, uint64_t client, struct message *request)
{
    struct caller caller = caller_of(client, request);
    struct text reason = {0};
    const struct stored_value *value = find_value(service, caller, request->as.value_end.value);
    if (!value)
        return;
    if (value->whole) {
        reply_value(service, caller, value, false);
        return;
    }
    if (value->bytes != value->len) {
        text_add(&reason,
                 "%" PRIu64 " of the value's %" PRIu64
                 " bytes are there: begin it again, and continue after them",
                 value->bytes, value->len);
        requests_refuse(service, caller, "unknown", reason.at);
        return;
    }
    if (!requests_may_propose(service, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    entry->as.entry_value_whole.value = value->id;
    requests_wait(service, (struct waiter){.kind = WAIT_VALUE,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .job = value->id,
                                           .index = raft_log_propose(service->raft, entry)});
}

/* --- dropping --- */

/* Names the jobs that keep it; false: none does. */
static bool refuse_named(struct service *service, struct caller caller,
                         const struct stored_value *value)
{
    struct text reason = {0};
    char id[JOB_TEXT_MAX];
    if (!value->n_jobs)
        return false;
    text_add(&reason,
             "the stored value %s is kept while jobs name it: ", job_id_text(value->id, id));
    for (size_t i = 0; i < value->n_jobs && i < VALUE_JOBS_SHOWN; i++)
        text_add(&reason, "%s%s", i ? ", " : "", job_id_text(value->jobs[i], id));
    if (value->n_jobs > VALUE_JOBS_SHOWN)
        text_add(&reason, " and %zu more", value->n_jobs - VALUE_JOBS_SHOWN);
    text_add(&reason, " (`conclave job forget`)");
    requests_refuse(service, caller, "in_use", reason.at);
    return true;
}

void requests_value_drop(struct service *service, uint64_t client, struct message *request)
{
    struct caller caller = caller_of(client, request);
    struct stored_value *value = find_value(service, caller, request->as.value_drop.value);
    if (!value || (!stored_value_has_operator(value) && refuse_named(service, caller, value)) ||
        !requests_may_propose(service, caller))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_DROPPED);
    struct wire_entry_value_dropped *dropped = &entry->as.entry_value_dropped;
    dropped->values.n = 1;
    dropped->values.at = message_room(entry, 1, sizeof *dropped->values.at);
    dropped->values.at[0].value = value->id;
    requests_wait(service, (struct waiter){.kind = WAIT_DROP,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .job = value->id,
                                           .reply = make_reply(service, caller, value, false),
                                           .index = raft_log_propose(service->raft, entry)});
}

/* The entry that a waiter waited for is applied. */
void requests_value_applied(struct service *service, struct waiter *waiter)
{
    struct caller caller = {waiter->client, waiter->request};
    const struct stored_value *value = stored_values_find(&service->state->stored, waiter->job);
    if (waiter->kind == WAIT_VALUE && value) {
        reply_value(service, caller, value, waiter->created);
    } else if (waiter->kind == WAIT_VALUE) {
        requests_refuse(service, caller, "unknown", "the value was dropped meanwhile: begin again");
    } else if (!value || (slice_equals(slice_of(value->format), "operator") && !value->name[0])) {
        outbox_reply(&service->step->out, caller.client, waiter->reply);
        waiter->reply = NULL;
    } else if (!refuse_named(service, caller, value)) {
        requests_refuse(service, caller, "unavailable", "the value is still there: ask again");
    }
    message_drop(&waiter->reply);
}

/* --- reading --- */

static bool has_prefix(const struct stored_value *value, struct slice prefix)
{
    char hex[HASH_TEXT_MAX];
    return slice_begins(slice_of(hash_text(value->sha256, hex)), prefix);
}

void requests_value_list(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_value_list *list = &request->as.value_list;
    const struct stored_values *stored = &service->state->stored;
    struct message *message = message_new(MESSAGE_VALUE_PAGE);
    struct wire_value_page *page = &message->as.value_page;
    page->request = caller_of(client, request).request;
    page->values.at = message_room(message, VALUE_PAGE_MAX, sizeof *page->values.at);
    size_t at = stored_values_after(stored, list->after);
    for (; at < stored->n && page->values.n < VALUE_PAGE_MAX; at++) {
        const struct stored_value *value = stored->at[at];
        page->after = value->id;
        if (rights_see_owner(service, value->owner) && has_prefix(value, list->prefix))
            requests_write_value(service, message, value, &page->values.at[page->values.n++]);
    }
    page->more = at < stored->n;
    outbox_reply(&service->step->out, client, message);
}

/* The segment that holds the byte at *offset, which becomes one within it. */
static const struct stored_segment *segment_at(const struct stored_value *value, uint64_t *offset)
{
    size_t i = 0;
    while (*offset >= value->segments[i].len)
        *offset -= value->segments[i++].len;
    return &value->segments[i];
}

void requests_value_read(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_value_read *read = &request->as.value_read;
    struct caller caller = caller_of(client, request);
    const struct stored_value *value = find_value(service, caller, read->value);
    if (!value)
        return;
    if (!value->whole || read->offset > value->len) {
        requests_refuse(service, caller, value->whole ? "invalid" : "unavailable",
                        value->whole
                            ? "the offset is after the last byte"
                            : "the value is not complete: its upload continues, or was abandoned");
        return;
    }
    struct message *message = message_new(MESSAGE_VALUE_BYTES);
    message->as.value_bytes = (struct wire_value_bytes){.request = caller.request,
                                                        .value = value->id,
                                                        .offset = read->offset,
                                                        .total = value->len};
    struct output *output = outbox_reply(&service->step->out, caller.client, message);
    uint64_t offset = read->offset,
             most = read->len < VALUE_CHUNK_BYTES ? read->len : VALUE_CHUNK_BYTES;
    if (offset == value->len || !most) {
        struct blob *nothing = blob_new(0);
        message_add_frame(message, nothing);
        blob_drop(&nothing);
        return;
    }
    const struct stored_segment *segment = segment_at(value, &offset);
    output->reply.chunk = true;
    output->reply.id = (struct value_id){value->id, segment->op};
    output->reply.offset = offset;
    output->reply.len = most < segment->len - offset ? most : segment->len - offset;
}
