#include "nodes/core/values/transfer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

enum fetch_state { FETCH_WAITING, FETCH_PULLING, FETCH_FED, FETCH_CHECKING };

enum source_state { SOURCE_NONE, SOURCE_UNTRIED, SOURCE_FAILED };

struct fetch {
    struct fetch *next;
    enum fetch_state state;
    value_users users; /* whose ends are to come; never none */
    struct value_id id;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    log_index_t index; /* of the latest entry that names it, as far as its users said */
    uint8_t sources[NODES_MAX + 1]; /* enum source_state, by node */
    node_id_t from;                 /* the source in use, or to be used */
    uint64_t seq;                   /* names its stream; 0: none was begun */
    struct blob *blob;
    uint64_t moved, received, asked; /* bytes from the start: in their place, come, asked for */
    uint64_t progress_us, asked_us;  /* when bytes came last, when they were asked for last */
};

struct transfer {
    struct transfer_config config;
    struct values *values;
    uint64_t last_seq, received_bytes;
    struct fetch *first, **end;
    size_t n_pulling;
    struct transfer_output *outputs; /* a queue: from `taken` to `n` */
    size_t n, taken, size;
};

struct transfer *transfer_new(const struct transfer_config *config, struct values *values)
{
    struct transfer *transfer = mem_new(1, sizeof *transfer);
    transfer->config = *config;
    if (!transfer->config.chunk_bytes)
        transfer->config.chunk_bytes = VALUE_CHUNK_BYTES;
    transfer->values = values;
    transfer->end = &transfer->first;
    return transfer;
}

/* --- outputs --- */

static struct transfer_output *put(struct transfer *transfer, enum transfer_output_kind kind)
{
    if (transfer->taken == transfer->n)
        transfer->taken = transfer->n = 0;
    if (transfer->n == transfer->size) {
        transfer->size = transfer->size ? 2 * transfer->size : 16;
        transfer->outputs = mem_grow(transfer->outputs, transfer->size, sizeof *transfer->outputs);
    }
    struct transfer_output *output = &transfer->outputs[transfer->n++];
    *output = (struct transfer_output){.kind = kind};
    return output;
}

bool transfer_next(struct transfer *transfer, struct transfer_output *out)
{
    if (transfer->taken == transfer->n)
        return false;
    *out = transfer->outputs[transfer->taken++];
    return true;
}

void transfer_output_clear(struct transfer_output *output)
{
    message_drop(&output->message);
    blob_drop(&output->blob);
    blob_drop(&output->piece);
}

struct event transfer_event(const struct transfer_output *end)
{
    return (struct event){
        .kind = end->ready ? EVENT_VALUE_READY : EVENT_VALUE_FAILED,
        .value = {.user = end->user, .id = end->id, .from = end->node, .used = end->used}};
}

static struct transfer_output *put_end(struct transfer *transfer, enum value_user user,
                                       struct value_id id, node_id_t from, bool ready)
{
    struct transfer_output *end = put(transfer, TRANSFER_END);
    end->user = user;
    end->id = id;
    end->node = from;
    end->ready = ready;
    return end;
}

/* --- the life of a fetch --- */

static void set_state(struct transfer *transfer, struct fetch *fetch, enum fetch_state state)
{
    transfer->n_pulling -= fetch->state == FETCH_PULLING;
    transfer->n_pulling += state == FETCH_PULLING;
    fetch->state = state;
}

/* What has come is of no use; its hash will belong to no fetch. */
static void abandon(struct transfer *transfer, struct fetch *fetch)
{
    if (fetch->seq && (fetch->state == FETCH_PULLING || fetch->state == FETCH_FED))
        put(transfer, TRANSFER_ABANDON)->seq = fetch->seq;
    fetch->seq = 0;
    fetch->moved = fetch->received = fetch->asked = 0;
    blob_drop(&fetch->blob);
}

static void remove_fetch(struct transfer *transfer, struct fetch *fetch)
{
    struct fetch **at = &transfer->first;
    while (*at != fetch)
        at = &(*at)->next;
    *at = fetch->next;
    if (!fetch->next)
        transfer->end = at;
    abandon(transfer, fetch);
    set_state(transfer, fetch, FETCH_WAITING);
    free(fetch);
}

void transfer_destroy(struct transfer **transfer)
{
    struct transfer *it = *transfer;
    struct transfer_output output;
    *transfer = NULL;
    if (!it)
        return;
    while (it->first)
        remove_fetch(it, it->first);
    while (transfer_next(it, &output))
        transfer_output_clear(&output);
    free(it->outputs);
    free(it);
}

static struct fetch *find(const struct transfer *transfer, struct value_id id)
{
    for (struct fetch *fetch = transfer->first; fetch; fetch = fetch->next)
        if (value_id_same(fetch->id, id))
            return fetch;
    return NULL;
}

static void ask(struct transfer *transfer, struct fetch *fetch, uint64_t now_us)
{
    uint64_t chunk = transfer->config.chunk_bytes;
    uint64_t window_end = fetch->moved + FETCH_WINDOW * chunk;
    if (MUTANT(chunks_unbounded))
        window_end = fetch->received + FETCH_WINDOW * chunk;
    while (fetch->asked < fetch->len && fetch->asked < window_end) {
        uint64_t rest = fetch->len - fetch->asked;
        struct transfer_output *output = put(transfer, TRANSFER_ASK);
        output->node = fetch->from;
        output->id = fetch->id;
        output->message = message_new(MESSAGE_VALUE_GET);
        output->message->as.value_get = (struct wire_value_get){.src = transfer->config.self,
                                                                .job = fetch->id.job,
                                                                .op = fetch->id.op,
                                                                .index = fetch->index,
                                                                .offset = fetch->asked,
                                                                .len = rest < chunk ? rest : chunk};
        fetch->asked += output->message->as.value_get.len;
        fetch->asked_us = now_us;
    }
}

static void pull(struct transfer *transfer, struct fetch *fetch, uint64_t now_us)
{
    set_state(transfer, fetch, FETCH_PULLING);
    fetch->blob = blob_new((size_t)fetch->len);
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

/* Each of its users gets its end. */
static void end_fetch(struct transfer *transfer, struct fetch *fetch, bool ready, bool used)
{
    for (int user = 0; user < VALUE_USERS; user++)
        if (fetch->users & value_user_bit((enum value_user)user))
            put_end(transfer, (enum value_user)user, fetch->id, fetch->from, ready)->used = used;
    remove_fetch(transfer, fetch);
}

/* The source in use has failed: on to the next one, from the beginning, so that the hash tells of
 * one source alone. */
static void fail_source(struct transfer *transfer, struct fetch *fetch)
{
    fetch->sources[fetch->from] = SOURCE_FAILED;
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        if (fetch->sources[id] != SOURCE_UNTRIED)
            continue;
        abandon(transfer, fetch);
        set_state(transfer, fetch, FETCH_WAITING);
        fetch->from = id;
        return;
    }
    end_fetch(transfer, fetch, false, false);
}

static void add_source(struct fetch *fetch, node_id_t from)
{
    if (fetch->from != from && !MUTANT(second_source_ignored))
        fetch->sources[from] = SOURCE_UNTRIED;
}

void transfer_fetch(struct transfer *transfer, const struct fetch_order *order, uint64_t now_us)
{
    struct fetch *fetch = find(transfer, order->id);
    bool sound = order->len && order->len <= transfer->config.len_max && order->from >= 1 &&
                 order->from <= NODES_MAX && order->from != transfer->config.self;
    bool other =
        fetch && (fetch->len != order->len || memcmp(fetch->hash, order->hash, HASH_BYTES) != 0);
    if (fetch && !other && sound) {
        fetch->users |= value_user_bit(order->user);
        add_source(fetch, order->from);
        if (order->index > fetch->index)
            fetch->index = order->index;
        return;
    }
    if (fetch && fetch->users & value_user_bit(order->user))
        return; /* the end of what it asked for first is still to come */
    if (!fetch && values_hold(transfer->values, order->id, order->user)) {
        put_end(transfer, order->user, order->id, order->from, true);
        return;
    }
    if (!sound || other) {
        put_end(transfer, order->user, order->id, order->from, false);
        return;
    }
    fetch = mem_new(1, sizeof *fetch);
    *fetch = (struct fetch){.users = value_user_bit(order->user),
                            .id = order->id,
                            .from = order->from,
                            .len = order->len,
                            .index = order->index};
    memcpy(fetch->hash, order->hash, HASH_BYTES);
    *transfer->end = fetch;
    transfer->end = &fetch->next;
    pull_waiting(transfer, now_us);
}

/* Ends that nobody has taken yet are cancelled as well: each request has one end. */
static void drop_ends(struct transfer *transfer, enum value_user user, struct value_id id)
{
    size_t left = transfer->taken;
    for (size_t i = transfer->taken; i < transfer->n; i++) {
        const struct transfer_output *output = &transfer->outputs[i];
        if (output->kind != TRANSFER_END || output->user != user || !value_id_fits(output->id, id))
            transfer->outputs[left++] = *output;
    }
    transfer->n = left;
}

void transfer_drop(struct transfer *transfer, enum value_user user, struct value_id id,
                   uint64_t now_us)
{
    for (struct fetch *next, *fetch = transfer->first; fetch; fetch = next) {
        next = fetch->next;
        if (!value_id_fits(fetch->id, id))
            continue;
        fetch->users &= ~value_user_bit(user);
        if (!fetch->users || MUTANT(cancel_for_others))
            remove_fetch(transfer, fetch);
    }
    drop_ends(transfer, user, id);
    values_drop(transfer->values, user, id);
    pull_waiting(transfer, now_us);
}

node_id_t transfer_source(const struct transfer *transfer, struct value_id id)
{
    const struct fetch *fetch = find(transfer, id);
    return fetch && fetch->state != FETCH_WAITING ? fetch->from : NODE_NONE;
}

bool transfer_is_wanted(const struct transfer *transfer, enum value_user user, struct value_id id)
{
    const struct fetch *fetch = find(transfer, id);
    if (fetch && fetch->users & value_user_bit(user))
        return true;
    for (size_t i = transfer->taken; i < transfer->n; i++) {
        const struct transfer_output *output = &transfer->outputs[i];
        if (output->kind == TRANSFER_END && output->user == user && value_id_fits(output->id, id))
            return true;
    }
    return false;
}

/* --- chunks --- */

static void take_bytes(struct transfer *transfer, struct fetch *fetch, uint64_t offset,
                       struct blob *bytes, uint64_t now_us)
{
    fetch->received += bytes->len;
    transfer->received_bytes += bytes->len;
    fetch->progress_us = fetch->asked_us = now_us;
    struct transfer_output *output = put(transfer, TRANSFER_MOVE);
    output->seq = fetch->seq;
    output->blob = blob_ref(fetch->blob);
    output->piece = blob_ref(bytes);
    output->offset = offset;
    output->last = fetch->received == fetch->len;
    if (output->last) {
        set_state(transfer, fetch, FETCH_CHECKING);
        pull_waiting(transfer, now_us);
    }
}

static struct fetch *begin_fed(struct transfer *transfer, const struct feed_order *order)
{
    struct fetch *fetch = mem_new(1, sizeof *fetch);
    *fetch = (struct fetch){.state = FETCH_FED,
                            .users = value_user_bit(order->user),
                            .id = order->id,
                            .from = transfer->config.self,
                            .len = order->len,
                            .seq = ++transfer->last_seq,
                            .blob = blob_new((size_t)order->len)};
    memcpy(fetch->hash, order->hash, HASH_BYTES);
    *transfer->end = fetch;
    transfer->end = &fetch->next;
    return fetch;
}

void transfer_feed(struct transfer *transfer, const struct feed_order *order, uint64_t now_us)
{
    struct fetch *fetch = find(transfer, order->id);
    bool sound = order->len && order->len <= transfer->config.len_max;
    if (!fetch && sound && !order->offset)
        fetch = begin_fed(transfer, order);
    if (!fetch) {
        put_end(transfer, order->user, order->id, transfer->config.self, false);
        return;
    }
    if (fetch->state == FETCH_FED && order->offset == fetch->received &&
        order->piece->len <= fetch->len - fetch->received)
        take_bytes(transfer, fetch, order->offset, order->piece, now_us);
    else if (fetch->state == FETCH_FED)
        end_fetch(transfer, fetch, false, false);
}

void transfer_moved(struct transfer *transfer, uint64_t seq, uint64_t len, uint64_t now_us)
{
    struct fetch *fetch = transfer->first;
    while (fetch && (fetch->seq != seq || fetch->state != FETCH_PULLING))
        fetch = fetch->next;
    if (!seq || !fetch)
        return;
    fetch->moved += len;
    fetch->progress_us = now_us;
    ask(transfer, fetch, now_us);
}

int transfer_chunk(struct transfer *transfer, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why)
{
    const struct wire_value_chunk *chunk = &message->as.value_chunk;
    struct fetch *fetch = find(transfer, (struct value_id){chunk->job, chunk->op});
    if (!fetch || fetch->state != FETCH_PULLING || fetch->from != from)
        return OK; /* late: it was asked for twice, or is not wanted any more */
    if (!chunk->found && chunk->used && fetch->index) {
        end_fetch(transfer, fetch, false, true);
        pull_waiting(transfer, now_us);
        return OK;
    }
    if (!chunk->found) {
        fail_source(transfer, fetch);
        pull_waiting(transfer, now_us);
        return OK;
    }
    struct blob *bytes = message_frame(message, 1);
    if (chunk->total != fetch->len || !bytes || message->n_frames != 1 ||
        bytes->len > VALUE_CHUNK_BYTES || chunk->offset > fetch->len || !bytes->len ||
        bytes->len > fetch->len - chunk->offset) {
        text_add(why, "value_chunk of %" PRIu64 " bytes at %" PRIu64 " for a value of %" PRIu64,
                 chunk->total, chunk->offset, fetch->len);
        return ERR_MALFORMED;
    }
    if (chunk->offset == fetch->received) /* else twice, or after a lost one, asked for again */
        take_bytes(transfer, fetch, chunk->offset, bytes, now_us);
    return OK;
}

void transfer_hashed(struct transfer *transfer, uint64_t seq, const uint8_t hash[HASH_BYTES],
                     uint64_t now_us)
{
    struct fetch *fetch = transfer->first;
    while (seq && fetch && (fetch->seq != seq || fetch->state != FETCH_CHECKING))
        fetch = fetch->next;
    if (!seq || !fetch)
        return;
    if (memcmp(hash, fetch->hash, HASH_BYTES) == 0) {
        blob_set_hash(fetch->blob, hash);
        values_put(transfer->values, fetch->id, fetch->blob, fetch->users);
        end_fetch(transfer, fetch, true, false);
    } else {
        fail_source(transfer, fetch);
        pull_waiting(transfer, now_us);
    }
}

/* --- time and ends --- */

void transfer_link_down(struct transfer *transfer, node_id_t peer, uint64_t now_us)
{
    for (struct fetch *next, *fetch = transfer->first; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->sources[peer] == SOURCE_UNTRIED)
            fetch->sources[peer] = SOURCE_FAILED;
        if (fetch->from == peer && fetch->state != FETCH_CHECKING)
            fail_source(transfer, fetch);
    }
    pull_waiting(transfer, now_us);
}

uint64_t transfer_received(const struct transfer *transfer)
{
    return transfer->received_bytes;
}

void transfer_tick(struct transfer *transfer, uint64_t now_us)
{
    for (struct fetch *next, *fetch = transfer->first; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->state != FETCH_PULLING)
            continue;
        if (now_us >= fetch->progress_us + FETCH_FAIL_US) {
            fail_source(transfer, fetch);
        } else if (now_us >= fetch->asked_us + FETCH_RETRY_US) {
            fetch->asked = fetch->received;
            fetch->asked_us = now_us;
            ask(transfer, fetch, now_us);
        }
    }
    pull_waiting(transfer, now_us);
}

uint64_t transfer_deadline(const struct transfer *transfer)
{
    uint64_t at = UINT64_MAX;
    if (transfer->taken < transfer->n)
        return 0;
    for (const struct fetch *fetch = transfer->first; fetch; fetch = fetch->next) {
        if (fetch->state != FETCH_PULLING)
            continue;
        uint64_t retry_us = fetch->asked_us + FETCH_RETRY_US,
                 fail_us = fetch->progress_us + FETCH_FAIL_US;
        at = retry_us < at ? retry_us : at;
        at = fail_us < at ? fail_us : at;
    }
    return at;
}
