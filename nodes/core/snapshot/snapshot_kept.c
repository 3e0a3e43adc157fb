/* Snapshots on the initiator's disk, and requests about them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/snapshot/snapshot_internal.h"
#include "nodes/core/raft/raft.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

void snapshot_refuse(struct snapshots *snapshots, uint64_t client, uint64_t request,
                     const char *code, const char *reason)
{
    if (!client)
        return;
    struct message *message = message_new(MESSAGE_ERROR);
    message->as.error.request = request;
    message->as.error.code = message_text(message, code);
    message->as.error.reason = message_text(message, reason);
    message->as.error.coordinator = snapshots->step->coordinator;
    outbox_reply(&snapshots->step->out, client, message);
}

static struct wire_snapshot_row row_of(struct message *message,
                                       const struct wire_snapshot_head *head)
{
    struct text missing = {0};
    struct wire_snapshot_row row = {.initiator = head->initiator,
                                    .incarnation = head->incarnation,
                                    .counter = head->counter,
                                    .complete = head->complete,
                                    .periodic = head->periodic,
                                    .time_ms = head->time_ms,
                                    .took_us = head->took_us,
                                    .bytes = head->bytes};
    for (size_t i = 0; i < head->nodes.n; i++) {
        const struct wire_cut_part *node = &head->nodes.at[i];
        row.nodes += !node->missing.len;
        if (node->missing.len && missing.len < 300)
            text_add(&missing, "%snode %u: %.*s", missing.len ? "; " : "", (unsigned)node->node,
                     (int)node->missing.len, (const char *)node->missing.at);
    }
    for (size_t i = 0; i < head->gaps.n && missing.len < 300; i++)
        text_add(&missing, "%schannel %u-%u", missing.len ? "; " : "",
                 (unsigned)head->gaps.at[i].from, (unsigned)head->gaps.at[i].to);
    row.missing = message_copy(message, (struct slice){(const uint8_t *)missing.at,
                                                       missing.len < 400 ? missing.len : 400});
    return row;
}

static void key_of(uint8_t key[9], uint64_t counter)
{
    key[0] = 's';
    bytes_put_be64(key + 1, counter);
}

static void forget(struct snapshots *snapshots, size_t at)
{
    uint8_t key[9];
    uint64_t counter = snapshots->kept[at]->as.snapshot_head.counter;
    key_of(key, counter);
    outbox_write_record(&snapshots->step->out, (struct slice){key, sizeof key}, NULL);
    sweep_job(snapshots->raft, counter);
    message_drop(&snapshots->kept[at]);
    memmove(snapshots->kept + at, snapshots->kept + at + 1,
            (--snapshots->n_kept - at) * sizeof *snapshots->kept);
}

/* The clock's own are fewer, and go before those that somebody asked for. */
static void forget_old(struct snapshots *snapshots)
{
    size_t periodic = 0, first = snapshots->n_kept;
    for (size_t i = snapshots->n_kept; i-- > 0;)
        if (snapshots->kept[i]->as.snapshot_head.periodic) {
            periodic++;
            first = i;
        }
    if (periodic > snapshots->step->config.snapshot_keep)
        forget(snapshots, first);
    if (snapshots->n_kept > SNAPSHOTS_KEPT_MAX)
        forget(snapshots, 0);
}

static void keep_head(struct snapshots *snapshots, struct message *head)
{
    if (snapshots->n_kept == snapshots->kept_size) {
        snapshots->kept_size = snapshots->kept_size ? 2 * snapshots->kept_size : 16;
        snapshots->kept = mem_grow(snapshots->kept, snapshots->kept_size, sizeof *snapshots->kept);
    }
    snapshots->kept[snapshots->n_kept++] = head;
}

static struct collection *find_keeping(const struct snapshots *snapshots, struct value_id id)
{
    struct collection *it = snapshots->collections;
    while (it && !(it->keeping && it->id.counter == id.job && id.op == SNAPSHOT_OP))
        it = it->next;
    return it;
}

bool snapshot_names(const struct snapshots *snapshots, struct value_id id)
{
    for (size_t i = 0; i < snapshots->n_kept; i++)
        if (snapshots->kept[i]->as.snapshot_head.counter == id.job && id.op == SNAPSHOT_OP)
            return true;
    return find_keeping(snapshots, id) != NULL;
}

void snapshot_value_failed(struct snapshots *snapshots, struct value_id id)
{
    struct collection *it = find_keeping(snapshots, id);
    if (!it)
        return;
    snapshot_refuse(snapshots, it->client, it->request, "not_kept",
                    "the snapshot could not be kept");
    collection_free(snapshots, it);
}

void snapshot_value_kept(struct snapshots *snapshots, struct value_id id)
{
    struct collection *it = find_keeping(snapshots, id);
    if (!it)
        return;
    uint8_t key[9];
    const struct wire_snapshot_head *head = &it->head->as.snapshot_head;
    key_of(key, id.job);
    struct blob *packed = codec_pack(it->head);
    outbox_write_record(&snapshots->step->out, (struct slice){key, sizeof key}, packed);
    blob_drop(&packed);
    if (it->client) {
        struct message *message = message_new(MESSAGE_SNAPSHOT);
        message->as.snapshot.request = it->request;
        message->as.snapshot.heads.n = 1;
        message->as.snapshot.heads.at = message_room(message, 1, sizeof(struct wire_snapshot_row));
        message->as.snapshot.heads.at[0] = row_of(message, head);
        outbox_reply_durable(&snapshots->step->out, it->client, message);
    }
    step_event(snapshots->step, head->complete ? "snapshot" : "snapshot_partial",
               snapshots->step->config.id, JOB_NONE,
               "node %u took snapshot %" PRIu64 " in %" PRIu64 " us%s", snapshots->step->config.id,
               id.job, head->took_us, head->complete ? "" : ", partial");
    keep_head(snapshots, message_ref(it->head));
    collection_free(snapshots, it);
    forget_old(snapshots);
}

int snapshot_restore(struct snapshots *snapshots, struct slice packed)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(packed, &message, &why))
        return ERR_CORRUPT;
    uint64_t last = snapshots->counter;
    if (message->type != MESSAGE_SNAPSHOT_HEAD || message->as.snapshot_head.counter <= last) {
        message_drop(&message);
        return ERR_CORRUPT;
    }
    snapshots->counter = message->as.snapshot_head.counter;
    keep_head(snapshots, message);
    return OK;
}

void snapshot_request_list(struct snapshots *snapshots, uint64_t client, struct message *request)
{
    const struct wire_snapshot_list *list = &request->as.snapshot_list;
    struct message *message = message_new(MESSAGE_SNAPSHOT_PAGE);
    struct wire_snapshot_page *page = &message->as.snapshot_page;
    page->request = list->request;
    page->heads.at = message_room(message, SNAPSHOT_PAGE_MAX, sizeof *page->heads.at);
    for (size_t i = 0; i < snapshots->n_kept; i++) {
        const struct wire_snapshot_head *head = &snapshots->kept[i]->as.snapshot_head;
        if (head->counter <= list->after)
            continue;
        page->more = page->heads.n == SNAPSHOT_PAGE_MAX;
        if (page->more)
            break;
        page->heads.at[page->heads.n++] = row_of(message, head);
    }
    outbox_reply(&snapshots->step->out, client, message);
}

void snapshot_request_get(struct snapshots *snapshots, uint64_t client, struct message *request)
{
    const struct wire_snapshot_get *get = &request->as.snapshot_get;
    const struct wire_snapshot_head *head = NULL;
    for (size_t i = 0; i < snapshots->n_kept; i++) {
        const struct wire_snapshot_head *it = &snapshots->kept[i]->as.snapshot_head;
        if (it->counter == get->counter && it->incarnation == get->incarnation)
            head = it;
    }
    if (!head) {
        snapshot_refuse(snapshots, client, get->request, "not_found",
                        "this node has no such snapshot");
        return;
    }
    if (get->offset > head->bytes) {
        snapshot_refuse(snapshots, client, get->request, "invalid",
                        "the offset is after the last byte");
        return;
    }
    struct message *message = message_new(MESSAGE_SNAPSHOT_CHUNK);
    message->as.snapshot_chunk = (struct wire_snapshot_chunk){.request = get->request,
                                                              .offset = get->offset,
                                                              .total = head->bytes};
    outbox_reply_chunk(&snapshots->step->out, client, message,
                       (struct value_id){head->counter, SNAPSHOT_OP}, get->offset, head->bytes,
                       VALUE_CHUNK_BYTES / 2);
}

/* What the state has released since the cut is still there for a while, and longer while it is
 * read: sweep_pin(). */
void snapshot_request_value(struct snapshots *snapshots, uint64_t client, struct message *request)
{
    const struct wire_snapshot_value *get = &request->as.snapshot_value;
    struct value_id id = {get->job, get->op};
    if (!job_id_has_term(id.job) || !sweep_keeps(snapshots->raft, id)) {
        snapshot_refuse(snapshots, client, get->request, "not_kept", "the value is not here");
        return;
    }
    if (get->offset >= get->len) {
        snapshot_refuse(snapshots, client, get->request, "invalid",
                        "the offset is after the last byte");
        return;
    }
    sweep_pin(snapshots->raft);
    struct message *message = message_new(MESSAGE_SNAPSHOT_CHUNK);
    message->as.snapshot_chunk = (struct wire_snapshot_chunk){get->request, get->offset, get->len};
    outbox_reply_chunk(&snapshots->step->out, client, message, id, get->offset, get->len,
                       VALUE_CHUNK_BYTES / 2);
}

void snapshot_request_take(struct snapshots *snapshots, uint64_t client, struct message *request)
{
    snapshot_take(snapshots, client, request->as.request.request);
}

void snapshot_kept_clear(struct snapshots *snapshots)
{
    for (size_t i = 0; i < snapshots->n_kept; i++)
        message_drop(&snapshots->kept[i]);
    free(snapshots->kept);
}
