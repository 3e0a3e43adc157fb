#include "nodes/io/serve.h"

#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

/* Who asked for what the store thread reads. */
struct reading {
    struct reading *next; /* among those that wait for a repair */
    struct value_id id;
    uint64_t len, deadline_us;
    node_id_t peer; /* NODE_NONE: a client */
    uint64_t offset;
    uint64_t client, after_seq;
    struct message *message; /* owned reference */
};

struct serve {
    node_id_t self;
    const struct values *values;
    struct store *store;
    struct gate *gate;
    size_t n_reads;
    struct reading *lame; /* their value could not be read: it is being repaired */
};

struct serve *serve_new(node_id_t self, const struct values *values, struct store *store,
                        struct gate *gate)
{
    struct serve *serve = mem_new(1, sizeof *serve);
    *serve = (struct serve){.self = self, .values = values, .store = store, .gate = gate};
    return serve;
}

void serve_destroy(struct serve **serve)
{
    while (*serve && (*serve)->lame) {
        struct reading *reading = (*serve)->lame;
        (*serve)->lame = reading->next;
        message_drop(&reading->message);
        free(reading);
    }
    free(*serve);
    *serve = NULL;
}

/* Not a copy: what is sent is read by ZeroMQ's thread. */
static struct blob *piece(struct blob *value, uint64_t offset, uint64_t len)
{
    uint64_t rest = value->len - offset;
    return blob_part(value, (size_t)offset, (size_t)(len < rest ? len : rest));
}

/* --- peers --- */

static void send_chunk(struct serve *serve, node_id_t to, struct value_id id, uint64_t offset,
                       uint64_t total, struct blob *bytes, bool used)
{
    struct message *message = message_new(MESSAGE_VALUE_CHUNK);
    message->as.value_chunk = (struct wire_value_chunk){.src = serve->self,
                                                        .job = id.job,
                                                        .op = id.op,
                                                        .offset = offset,
                                                        .total = total,
                                                        .found = bytes != NULL,
                                                        .used = used};
    if (bytes)
        message_add_frame(message, bytes);
    gate_send(serve->gate, PLANE_VALUE, to, message, 0);
    message_drop(&message);
}

static void read_from_disk(struct serve *serve, struct value_id id, uint64_t len,
                           struct reading reading)
{
    struct reading *cookie = mem_new(1, sizeof *cookie);
    *cookie = reading;
    cookie->id = id;
    cookie->len = len;
    serve->n_reads++;
    store_read(serve->store, id, reading.offset, len, cookie);
}

int serve_peer(struct serve *serve, node_id_t to, const struct wire_value_get *get, bool used,
               struct text *why)
{
    struct value_id id = {get->job, get->op};
    struct blob *value = values_get(serve->values, id);
    if (!get->len || (value && get->offset >= value->len)) {
        text_add(why, "value_get of %" PRIu64 " bytes at %" PRIu64 " of %zu", get->len, get->offset,
                 value ? value->len : 0);
        return ERR_MALFORMED;
    }
    if (used) {
        send_chunk(serve, to, id, get->offset, 0, NULL, true);
    } else if (value) {
        struct blob *bytes = piece(value, get->offset, get->len);
        send_chunk(serve, to, id, get->offset, value->len, bytes, false);
        blob_drop(&bytes);
    } else if (serve->n_reads < READS_MAX) {
        read_from_disk(serve, id, get->len, (struct reading){.peer = to, .offset = get->offset});
    }
    return OK;
}

/* --- clients --- */

static void refuse(struct serve *serve, uint64_t client, const struct message *answer,
                   const char *reason, uint64_t after_seq)
{
    struct message *message = message_new(MESSAGE_ERROR);
    message->as.error.request = answer->as.result_chunk.request;
    message->as.error.code = message_text(message, "not_kept");
    message->as.error.reason = message_text(message, reason);
    gate_reply(serve->gate, client, message, after_seq);
    message_drop(&message);
}

void serve_client(struct serve *serve, uint64_t client, struct message *message, struct value_id id,
                  uint64_t offset, uint64_t len, uint64_t after_seq)
{
    struct blob *value = values_get(serve->values, id);
    if (value && offset <= value->len) {
        struct blob *bytes = piece(value, offset, len);
        message_add_frame(message, bytes);
        blob_drop(&bytes);
        gate_reply(serve->gate, client, message, after_seq);
    } else if (serve->n_reads < 2 * READS_MAX) {
        read_from_disk(serve, id, len,
                       (struct reading){.offset = offset,
                                        .client = client,
                                        .after_seq = after_seq,
                                        .message = message_ref(message)});
    } else {
        refuse(serve, client, message, "too many results are being read at once; ask again",
               after_seq);
    }
}

static void refuse_reading(struct serve *serve, struct reading *reading, const char *why)
{
    char reason[128];
    text_format(reason, sizeof reason, "the result cannot be read from disk: %s", why);
    refuse(serve, reading->client, reading->message, reason, reading->after_seq);
    message_drop(&reading->message);
    free(reading);
    serve->n_reads--;
}

void serve_repaired(struct serve *serve, struct value_id id)
{
    for (struct reading **at = &serve->lame; *at;) {
        struct reading *reading = *at;
        if (reading->id.job != id.job || reading->id.op != id.op) {
            at = &reading->next;
            continue;
        }
        *at = reading->next;
        store_read(serve->store, id, reading->offset, reading->len, reading);
    }
}

void serve_tick(struct serve *serve, uint64_t now_us)
{
    for (struct reading **at = &serve->lame; *at;) {
        struct reading *reading = *at;
        if (now_us < reading->deadline_us) {
            at = &reading->next;
            continue;
        }
        *at = reading->next;
        refuse_reading(serve, reading, "it is damaged, and no other node has it");
    }
}

void serve_read(struct serve *serve, struct store_report *report, uint64_t now_us)
{
    struct reading *reading = report->cookie;
    if (!reading->peer && store_report_is_lost(report) && !reading->deadline_us && now_us) {
        reading->deadline_us = now_us + SERVE_REPAIR_US;
        reading->next = serve->lame;
        serve->lame = reading;
        return;
    }
    if (!reading->peer && !report->blob) {
        refuse_reading(serve, reading, error_text(report->error));
        return;
    }
    serve->n_reads--;
    if (reading->peer) {
        send_chunk(serve, reading->peer, report->id, reading->offset, report->total, report->blob,
                   false);
    } else {
        message_add_frame(reading->message, report->blob);
        gate_reply(serve->gate, reading->client, reading->message, reading->after_seq);
    }
    message_drop(&reading->message);
    free(reading);
}
