#include "nodes/io/transfer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

enum fetch_state { FETCH_WAITING, FETCH_PULLING, FETCH_CHECKING, FETCH_READY, FETCH_FAILED };

struct fetch {
    struct fetch *next;
    enum fetch_state state;
    struct value_id id;
    node_id_t from;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    uint64_t seq;               /* names its hash among all; 0: no stream was begun */
    struct hash_stream *stream; /* the store thread's; only handed on here */
    struct blob *blob;
    uint64_t received, asked;       /* bytes from the start */
    uint64_t progress_us, asked_us; /* when bytes came last, when they were asked for last */
};

struct transfer {
    node_id_t self;
    uint64_t len_max, last_seq;
    struct values *values;
    struct store *store;
    struct gate *gate;
    struct fetch *first, **end;
    size_t n_pulling;
};

struct transfer *transfer_new(node_id_t self, uint64_t len_max, struct values *values,
                              struct store *store, struct gate *gate)
{
    struct transfer *transfer = mem_new(1, sizeof *transfer);
    *transfer = (struct transfer){
        .self = self, .len_max = len_max, .values = values, .store = store, .gate = gate};
    transfer->end = &transfer->first;
    return transfer;
}

/* --- the life of a fetch --- */

static void set_state(struct transfer *transfer, struct fetch *fetch, enum fetch_state state)
{
    transfer->n_pulling -= fetch->state == FETCH_PULLING;
    transfer->n_pulling += state == FETCH_PULLING;
    fetch->state = state;
}

/* Ends the stream at the store thread; its hash will belong to no fetch. */
static void abandon_stream(struct transfer *transfer, struct fetch *fetch)
{
    if (fetch->stream)
        store_hash(transfer->store, fetch->stream, NULL, 0, 0, true, 0);
    fetch->stream = NULL;
}

static void fail(struct transfer *transfer, struct fetch *fetch)
{
    abandon_stream(transfer, fetch);
    fetch->seq = 0;
    blob_drop(&fetch->blob);
    set_state(transfer, fetch, FETCH_FAILED);
}

static void remove_fetch(struct transfer *transfer, struct fetch **at)
{
    struct fetch *fetch = *at;
    *at = fetch->next;
    if (!fetch->next)
        transfer->end = at;
    abandon_stream(transfer, fetch);
    set_state(transfer, fetch, FETCH_FAILED);
    blob_drop(&fetch->blob);
    free(fetch);
}

void transfer_destroy(struct transfer **transfer)
{
    struct transfer *it = *transfer;
    *transfer = NULL;
    if (!it)
        return;
    while (it->first)
        remove_fetch(it, &it->first);
    free(it);
}

static struct fetch *find(const struct transfer *transfer, struct value_id id)
{
    for (struct fetch *fetch = transfer->first; fetch; fetch = fetch->next)
        if (fetch->id.job == id.job && fetch->id.op == id.op)
            return fetch;
    return NULL;
}

static void ask(struct transfer *transfer, struct fetch *fetch, uint64_t now_us)
{
    uint64_t window_end = fetch->received + FETCH_WINDOW * VALUE_CHUNK_BYTES;
    while (fetch->asked < fetch->len && fetch->asked < window_end) {
        uint64_t rest = fetch->len - fetch->asked;
        struct message *message = message_new(MESSAGE_VALUE_GET);
        message->as.value_get =
            (struct wire_value_get){.src = transfer->self,
                                    .job = fetch->id.job,
                                    .op = fetch->id.op,
                                    .offset = fetch->asked,
                                    .len = rest < VALUE_CHUNK_BYTES ? rest : VALUE_CHUNK_BYTES};
        gate_send(transfer->gate, PLANE_VALUE, fetch->from, message, 0);
        fetch->asked += message->as.value_get.len;
        fetch->asked_us = now_us;
        message_drop(&message);
    }
}

static void pull(struct transfer *transfer, struct fetch *fetch, uint64_t now_us)
{
    set_state(transfer, fetch, FETCH_PULLING);
    fetch->blob = blob_new((size_t)fetch->len);
    fetch->stream = mem_new(1, sizeof *fetch->stream);
    hash_begin(fetch->stream);
    fetch->seq = ++transfer->last_seq;
    fetch->progress_us = now_us;
    ask(transfer, fetch, now_us);
}

static void pull_waiting(struct transfer *transfer, uint64_t now_us)
{
    for (struct fetch *fetch = transfer->first; fetch && transfer->n_pulling < FETCHES_PULLING_MAX;
         fetch = fetch->next)
        if (fetch->state == FETCH_WAITING)
            pull(transfer, fetch, now_us);
}

void transfer_fetch(struct transfer *transfer, struct value_id id, node_id_t from, uint64_t len,
                    const uint8_t hash[HASH_BYTES], uint64_t now_us)
{
    if (find(transfer, id))
        return;
    struct fetch *fetch = mem_new(1, sizeof *fetch);
    *fetch = (struct fetch){.id = id, .from = from, .len = len};
    memcpy(fetch->hash, hash, HASH_BYTES);
    *transfer->end = fetch;
    transfer->end = &fetch->next;
    if (values_get(transfer->values, id))
        fetch->state = FETCH_READY;
    else if (!len || len > transfer->len_max)
        fetch->state = FETCH_FAILED;
    else
        pull_waiting(transfer, now_us);
}

void transfer_cancel(struct transfer *transfer, struct value_id id)
{
    for (struct fetch **at = &transfer->first; *at;) {
        const struct fetch *fetch = *at;
        bool meant = !id.job || (fetch->id.job == id.job && (!id.op || fetch->id.op == id.op));
        if (meant)
            remove_fetch(transfer, at);
        else
            at = &(*at)->next;
    }
}

/* --- chunks --- */

int transfer_chunk(struct transfer *transfer, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why)
{
    const struct wire_value_chunk *chunk = &message->as.value_chunk;
    struct fetch *fetch = find(transfer, (struct value_id){chunk->job, chunk->op});
    if (!fetch || fetch->state != FETCH_PULLING || fetch->from != from)
        return OK; /* late: it was asked for twice, or is not wanted any more */
    if (!chunk->found) {
        fail(transfer, fetch);
        return OK;
    }
    const struct blob *bytes = message_frame(message, 1);
    if (chunk->total != fetch->len || !bytes || message->n_frames != 1 ||
        bytes->len > VALUE_CHUNK_BYTES || chunk->offset > fetch->len || !bytes->len ||
        bytes->len > fetch->len - chunk->offset) {
        text_add(why, "value_chunk of %" PRIu64 " bytes at %" PRIu64 " for a value of %" PRIu64,
                 chunk->total, chunk->offset, fetch->len);
        return ERR_MALFORMED;
    }
    if (chunk->offset != fetch->received)
        return OK; /* twice, or behind a lost one, which is asked for again */
    memcpy(fetch->blob->at + chunk->offset, bytes->at, bytes->len);
    fetch->received += bytes->len;
    fetch->progress_us = fetch->asked_us = now_us;
    bool last = fetch->received == fetch->len;
    store_hash(transfer->store, fetch->stream, fetch->blob, chunk->offset, bytes->len, last,
               fetch->seq);
    if (last) {
        fetch->stream = NULL; /* the store thread frees it */
        set_state(transfer, fetch, FETCH_CHECKING);
        pull_waiting(transfer, now_us);
    } else {
        ask(transfer, fetch, now_us);
    }
    return OK;
}

void transfer_hashed(struct transfer *transfer, uint64_t seq, const uint8_t hash[HASH_BYTES])
{
    for (struct fetch *fetch = transfer->first; seq && fetch; fetch = fetch->next) {
        if (fetch->seq != seq || fetch->state != FETCH_CHECKING)
            continue;
        if (memcmp(hash, fetch->hash, HASH_BYTES) != 0) {
            fail(transfer, fetch);
            return;
        }
        blob_set_hash(fetch->blob, hash);
        values_put(transfer->values, fetch->id, fetch->blob);
        set_state(transfer, fetch, FETCH_READY);
        return;
    }
}

/* --- time and ends --- */

void transfer_link_down(struct transfer *transfer, node_id_t peer)
{
    for (struct fetch *fetch = transfer->first; fetch; fetch = fetch->next)
        if (fetch->from == peer && (fetch->state == FETCH_WAITING || fetch->state == FETCH_PULLING))
            fail(transfer, fetch);
}

void transfer_tick(struct transfer *transfer, uint64_t now_us)
{
    for (struct fetch *fetch = transfer->first; fetch; fetch = fetch->next) {
        if (fetch->state != FETCH_PULLING)
            continue;
        if (now_us >= fetch->progress_us + FETCH_FAIL_US) {
            fail(transfer, fetch);
        } else if (now_us >= fetch->asked_us + FETCH_RETRY_US) {
            fetch->asked = fetch->received;
            ask(transfer, fetch, now_us);
        }
    }
    pull_waiting(transfer, now_us);
}

uint64_t transfer_deadline(const struct transfer *transfer)
{
    uint64_t at = UINT64_MAX;
    for (const struct fetch *fetch = transfer->first; fetch; fetch = fetch->next)
        if (fetch->state == FETCH_READY || fetch->state == FETCH_FAILED)
            return 0;
        else if (fetch->state == FETCH_PULLING && fetch->asked_us + FETCH_RETRY_US < at)
            at = fetch->asked_us + FETCH_RETRY_US;
    return at;
}

bool transfer_next(struct transfer *transfer, struct value_id *id, node_id_t *from, bool *ready)
{
    for (struct fetch **at = &transfer->first; *at; at = &(*at)->next) {
        const struct fetch *fetch = *at;
        if (fetch->state != FETCH_READY && fetch->state != FETCH_FAILED)
            continue;
        *id = fetch->id;
        *from = fetch->from;
        *ready = fetch->state == FETCH_READY;
        remove_fetch(transfer, at);
        return true;
    }
    return false;
}
