#include "nodes/core/state/keys_replicated.h"

#include "nodes/core/state/apply.h"
#include "nodes/core/state/state_table.h"
#include "nodes/core/step/step.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/base/session_key.h"

static void init(struct state *state)
{
    keys_init(&state->keys, &state->step->config.keys);
}

static void clear(struct state *state)
{
    keys_clear(&state->keys);
}

static void check_invariants(const struct state *state)
{
    keys_check_invariants(&state->keys);
}

/* --- entries --- */

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_SESSION_OPENED;
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    uint64_t evicted;
    if (entry->type == MESSAGE_ENTRY_SESSION_OPENED)
        keys_open(&state->keys, job_id_of(term, index), entry->as.entry_session_opened.token,
                  &evicted);
    else if (entry->type == MESSAGE_ENTRY_JOB_SUBMITTED && state_has_inputs(state, entry))
        keys_use(&state->keys, entry->as.entry_job_submitted.key);
    return NULL;
}

struct message *keys_session_reply(const struct key_session *session, uint64_t request)
{
    struct message *reply = message_new(MESSAGE_SESSION);
    reply->as.session =
        (struct wire_session){.request = request, .session = session->id, .token = session->token};
    return reply;
}

/* --- parts of a checkpoint --- */

/* Parts of hashes, packed full. */
struct hashes {
    struct checkpoint_sink *sink;
    struct message *message; /* NULL: none begun */
    uint8_t *at;
    size_t len;
};

static void flush(struct hashes *hashes)
{
    if (!hashes->message)
        return;
    hashes->message->as.image_forgotten.keys = (struct slice){hashes->at, hashes->len};
    checkpoint_sink_add(hashes->sink, hashes->message);
    hashes->message = NULL;
}

static void add_hash(void *context, uint64_t hash)
{
    struct hashes *hashes = context;
    if (!hashes->message) {
        hashes->message = message_new(MESSAGE_IMAGE_FORGOTTEN);
        hashes->at = message_room(hashes->message, FORGOTTEN_BYTES_MAX, 1);
        hashes->len = 0;
    }
    bytes_put_le64(hashes->at + hashes->len, hash);
    hashes->len += 8;
    if (hashes->len == FORGOTTEN_BYTES_MAX)
        flush(hashes);
}

static void add_sessions(struct checkpoint_sink *sink, const struct keys *keys)
{
    size_t per_part = FORGOTTEN_BYTES_MAX / KEY_SESSION_BYTES;
    for (const struct key_session *it = keys->oldest; it;) {
        struct message *message = message_new(MESSAGE_IMAGE_SESSIONS);
        uint8_t *bytes = message_room(message, per_part, KEY_SESSION_BYTES);
        size_t n = 0;
        for (; it && n < per_part; it = it->newer, n++)
            keys_pack_session(it, bytes + KEY_SESSION_BYTES * n);
        message->as.image_sessions.sessions = (struct slice){bytes, KEY_SESSION_BYTES * n};
        checkpoint_sink_add(sink, message);
    }
}

/* For a cluster that knows no sessions, and none of the finished jobs. */
static void save_latest(struct checkpoint_sink *sink, const struct state *state)
{
    const struct key_window *window = &state->keys.window;
    struct hashes hashes = {.sink = sink};
    key_window_each(window, window->n ? window->n - 1 : 0, add_hash, &hashes);
    flush(&hashes);
}

void keys_save_finished(struct checkpoint_sink *sink, struct row *const *rows, size_t n)
{
    struct hashes hashes = {.sink = sink};
    struct session_key ignored;
    for (size_t i = 0; i < n; i++) {
        const struct job *job = (const struct job *)rows[i];
        struct slice key = slice_of(job->key);
        if (job_is_finished(job) && !session_key_parse(key, &ignored))
            add_hash(&hashes, keys_hash(KEY_OF_JOB, key));
    }
    flush(&hashes);
}

void keys_save(struct checkpoint_sink *sink, const struct state *state)
{
    const struct key_window *window = &state->keys.window;
    struct hashes open = {.sink = sink};
    if (sink->use == CHECKPOINT_OPEN) {
        save_latest(sink, state);
        return;
    }
    if (window->next) { /* else no block was ever sealed */
        struct message *head = message_new(MESSAGE_IMAGE_KEYS);
        head->as.image_keys = (struct wire_image_keys){.next = window->next, .sealed = window->n};
        checkpoint_sink_add(sink, head);
    }
    if (!MUTANT(image_loses_window))
        key_window_each(window, window->n, add_hash, &open);
    flush(&open);
    add_sessions(sink, &state->keys);
}

struct checkpoint *keys_blocks(const struct state *state)
{
    struct checkpoint *blocks = checkpoint_new(0, 0);
    for (size_t i = 0; i < state->keys.window.n; i++)
        checkpoint_add(blocks, state->keys.window.blocks[i].packed);
    return blocks;
}

/* --- records --- */

static struct record_key record_of(uint64_t number)
{
    struct record_key key = record_key(RECORD_FORGOTTEN);
    record_key_u64(&key, number);
    return key;
}

static void forget_records(struct state *state, uint64_t end)
{
    for (; state->keys_stored_first < end; state->keys_stored_first++) {
        struct record_key key = record_of(state->keys_stored_first);
        record_forget(&state->step->out, &key);
    }
}

void keys_store_blocks(struct state *state, const struct checkpoint *checkpoint)
{
    uint64_t first = checkpoint->next_block - checkpoint->n_blocks;
    forget_records(state, first < state->keys_stored_next ? first : state->keys_stored_next);
    for (size_t i = 0; i < checkpoint->n_blocks; i++) {
        struct record_key key = record_of(first + i);
        if (first + i >= state->keys_stored_next)
            outbox_write_record(&state->step->out, (struct slice){key.at, key.len},
                                checkpoint->parts[checkpoint->n - checkpoint->n_blocks + i]);
    }
    state->keys_stored_first = first;
    state->keys_stored_next = checkpoint->next_block;
}

void keys_forget_blocks(struct state *state)
{
    forget_records(state, state->keys_stored_next);
    state->keys_stored_first = state->keys_stored_next = 0;
}

int keys_restore_block(struct state *state, struct slice key, struct slice packed)
{
    struct message *block;
    struct blob *whole = blob_copy(packed.at, packed.len);
    int error = key_window_unpack(key, whole, &block);
    if (!error) {
        uint64_t number = block->as.image_key_block.number;
        error = key_window_load(&state->keys.window, block, whole);
        if (!state->keys_stored_next)
            state->keys_stored_first = number;
        state->keys_stored_next = number + 1;
    }
    message_drop(&block);
    blob_drop(&whole);
    return error ? ERR_CORRUPT : OK;
}

/* --- loading --- */

static int load_sessions(struct keys *keys, struct slice sessions)
{
    int error = sessions.len % KEY_SESSION_BYTES ? ERR_MALFORMED : OK;
    for (size_t i = 0; i < sessions.len && !error; i += KEY_SESSION_BYTES)
        error = keys_load_session(keys, keys_unpack_session(sessions.at + i));
    return error;
}

static int load_block(struct keys *keys, const struct message *message, struct slice packed)
{
    struct blob *whole = blob_copy(packed.at, packed.len);
    int error = key_window_load(&keys->window, message, whole);
    blob_drop(&whole);
    return error;
}

int keys_load_part(struct keys *keys, const struct message *message, struct slice packed)
{
    switch (message->type) {
    case MESSAGE_IMAGE_KEYS:
        return key_window_begin(&keys->window, message->as.image_keys.next,
                                message->as.image_keys.sealed);
    case MESSAGE_IMAGE_KEY_BLOCK:
        return load_block(keys, message, packed);
    case MESSAGE_IMAGE_FORGOTTEN:
        return key_window_add_packed(&keys->window, message->as.image_forgotten.keys);
    case MESSAGE_IMAGE_SESSIONS:
        return load_sessions(keys, message->as.image_sessions.sessions);
    default:
        return ERR_MALFORMED;
    }
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    return keys_load_part(&state->keys, part, packed);
}

/* --- comparing --- */

static const struct member key_session_fields[] = {
    FIELD(key_session, id, bytes),        FIELD(key_session, token, bytes),
    FIELD(key_session, watermark, bytes), DERIVED(key_session, older),
    DERIVED(key_session, newer),
};

/* In the order of their last use, which says who is evicted. */
static uint64_t digest_sessions(const void *owner, const struct member *field)
{
    uint64_t hash = 0;
    (void)field;
    for (const struct key_session *it = ((const struct keys *)owner)->oldest; it; it = it->newer)
        hash = random_fold(hash, digest_fields(FIELDS_OF(key_session), it));
    return hash;
}

static const struct member key_block_fields[] = {
    FIELD(key_block, number, bytes),
    FIELD(key_block, packed, blob),
    DERIVED(key_block, hashes),
    DERIVED(key_block, filter),
};

static uint64_t digest_blocks(const void *owner, const struct member *field)
{
    const struct key_window *window = owner;
    (void)field;
    return digest_array(FIELDS_OF(key_block), window->blocks, window->n);
}

/* They are sorted when the block is sealed: their order does not matter. */
static uint64_t digest_open(const void *owner, const struct member *field)
{
    const struct key_window *window = owner;
    uint64_t sum = window->n_open;
    (void)field;
    for (size_t i = 0; i < window->n_open; i++)
        sum += random_fold(0, window->open[i]);
    return sum;
}

static const struct member key_window_fields[] = {
    OWN(key_window, block_hashes),
    OWN(key_window, blocks_max),
    FIELD(key_window, blocks, blocks),
    FIELD(key_window, n, bytes),
    OWN(key_window, size),
    OWN(key_window, filtered),
    OWN(key_window, missing),
    FIELD(key_window, next, bytes),
    FIELD(key_window, open, open),
    FIELD(key_window, n_open, bytes),
    DERIVED(key_window, by_open),
};

static uint64_t digest_window(const void *owner, const struct member *field)
{
    return digest_fields(FIELDS_OF(key_window), member_at(owner, field));
}

static const struct member keys_fields[] = {
    OWN(keys, limits),     FIELD(keys, window, window),
    DERIVED(keys, by_id),  FIELD(keys, oldest, sessions),
    DERIVED(keys, newest), OWN(keys, last), /* a ledger's: it numbers its sessions */
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(keys), &state->keys);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    const struct key_window *one = &a->keys.window, *other = &b->keys.window;
    const struct key_session *left = a->keys.oldest, *right = b->keys.oldest;
    while (left || right) {
        compare_fields(to, FIELDS_OF(key_session), left, right);
        left = left ? left->newer : NULL;
        right = right ? right->newer : NULL;
    }
    compare_arrays(to, FIELDS_OF(key_block), one->blocks, one->n, other->blocks, other->n);
    compare_fields(to, FIELDS_OF(key_window), one, other);
    compare_fields(to, FIELDS_OF(keys), &a->keys, &b->keys);
}

/* --- the table --- */

const struct state_table state_keys = {
    .name = "keys",
    .init = init,
    .clear = clear,
    .check_invariants = check_invariants,
    .check = check,
    .apply = apply,
    .save_all = keys_save,
    .parts = {MESSAGE_IMAGE_KEYS, MESSAGE_IMAGE_KEY_BLOCK, MESSAGE_IMAGE_FORGOTTEN,
              MESSAGE_IMAGE_SESSIONS},
    .load = load,
    .digest = digest,
    .compare = compare,
};
