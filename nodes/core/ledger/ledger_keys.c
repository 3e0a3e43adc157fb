#include "nodes/core/ledger/ledger_keys.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/step/step.h"
#include "nodes/core/ledger/ledger_types.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define BATCHES    16 /* of the ring: so much of it is forgotten at once */
#define HEAD_BYTES 32 /* seq, request, outcome and balance before the key */

static struct map_key hash_of(struct slice key)
{
    return (struct map_key){map_hash(key.at, key.len), 0};
}

const struct ledger_key *ledger_key_find(const struct ledger_keys *keys, struct slice key)
{
    const struct ledger_key *found = map_get(&keys->map, hash_of(key));
    return found && slice_equals(key, found->key) ? found : NULL;
}

/* The place of a number in the ring, which grows until it is full; then the oldest key goes. */
static struct ledger_key *place(struct ledger_keys *keys, uint64_t seq)
{
    size_t slot = (size_t)(seq % keys->forgotten.limits.requests);
    if (slot >= keys->size) {
        size_t size = keys->size ? keys->size : 64;
        while (size <= slot)
            size *= 2;
        keys->ring = mem_grow(keys->ring, size, sizeof *keys->ring);
        memset(keys->ring + keys->size, 0, (size - keys->size) * sizeof *keys->ring);
        keys->size = size;
    }
    struct ledger_key *key = keys->ring[slot];
    if (!key)
        key = keys->ring[slot] = mem_new(1, sizeof *key);
    else if (map_get(&keys->map, hash_of(slice_of(key->key))) == key)
        map_remove(&keys->map, hash_of(slice_of(key->key)));
    *key = (struct ledger_key){.seq = seq};
    return key;
}

static struct ledger_key *put(struct ledger_keys *keys, uint64_t seq, struct slice text)
{
    struct ledger_key *key = place(keys, seq);
    slice_copy(key->key, text);
    map_put(&keys->map, hash_of(text), key);
    keys->last = seq > keys->last ? seq : keys->last;
    return key;
}

/* --- forgetting --- */

static void write_session(struct ledger *ledger, const struct key_session *session)
{
    uint8_t bytes[KEY_SESSION_BYTES];
    struct record_key name = record_key(RECORD_SESSION);
    record_key_u64(&name, session->id);
    keys_pack_session(session, bytes);
    record_write(&ledger->step->out, &name, bytes, sizeof bytes);
}

static struct record_key block_record(uint64_t number)
{
    struct record_key name = record_key(RECORD_BLOCK);
    record_key_u64(&name, number);
    return name;
}

static void write_block(struct ledger *ledger, uint64_t number, struct blob *packed)
{
    struct record_key name = block_record(number);
    outbox_write_record(&ledger->step->out, (struct slice){name.at, name.len}, packed);
}

/* What changed of the window since it had these blocks. */
static void write_window(struct ledger *ledger, uint64_t first, uint64_t open)
{
    const struct key_window *window = &ledger->keys.forgotten.window;
    for (; first < key_window_first(window); first++) {
        struct record_key name = block_record(first);
        record_forget(&ledger->step->out, &name);
    }
    for (size_t i = 0; i < window->n; i++)
        if (window->blocks[i].number >= open)
            write_block(ledger, window->blocks[i].number, window->blocks[i].packed);
    if (!window->n_open)
        return;
    struct blob *packed = key_window_pack_open(window);
    write_block(ledger, window->next, packed);
    blob_drop(&packed);
}

static const struct ledger_key *remembered(const struct ledger_keys *keys, uint64_t seq)
{
    size_t slot = (size_t)(seq % keys->forgotten.limits.requests);
    const struct ledger_key *key = slot < keys->size ? keys->ring[slot] : NULL;
    return key && key->seq == seq ? key : NULL;
}

static void forget_batch(struct ledger *ledger)
{
    struct ledger_keys *keys = &ledger->keys;
    const struct key_window *window = &keys->forgotten.window;
    const struct ledger_key *key;
    uint64_t first = key_window_first(window), open = window->next;
    uint64_t begin = keys->floor + 1, sequence;
    size_t before = key_window_count(window);
    keys->floor += (keys->forgotten.limits.requests + BATCHES - 1) / BATCHES;
    for (uint64_t seq = begin; seq <= keys->floor; seq++)
        if ((key = remembered(keys, seq)) && !MUTANT(ledger_key_lost))
            keys_forget(&keys->forgotten, KEY_OF_CHANGE, slice_of(key->key));
    for (uint64_t seq = begin; seq <= keys->floor; seq++) {
        const struct key_session *session = NULL;
        if ((key = remembered(keys, seq)))
            session = keys_session(&keys->forgotten, slice_of(key->key), &sequence);
        if (session && session->watermark == sequence) /* the last one of the batch */
            write_session(ledger, session);
    }
    if (key_window_count(window) != before || window->next != open)
        write_window(ledger, first, open);
    struct record_key name = record_key(RECORD_FLOOR);
    record_write_u64(&ledger->step->out, &name, keys->floor);
}

/* The next key's place is that of one whose key must be forgotten first. */
static void make_room(struct ledger *ledger)
{
    struct ledger_keys *keys = &ledger->keys;
    uint64_t kept = keys->forgotten.limits.requests;
    if (keys->last < kept)
        return;
    if (!keys->floor)
        keys->floor = keys->last - kept; /* a store that was written before there were blocks */
    if (keys->floor < keys->last + 1 - kept)
        forget_batch(ledger);
}

const struct key_session *ledger_open_session(struct ledger *ledger)
{
    struct keys *keys = &ledger->keys.forgotten;
    uint64_t evicted;
    const struct key_session *session =
        keys_open(keys, keys->last + 1, step_random(ledger->step, UINT64_MAX), &evicted);
    if (evicted) {
        struct record_key name = record_key(RECORD_SESSION);
        record_key_u64(&name, evicted);
        record_forget(&ledger->step->out, &name);
    }
    write_session(ledger, session);
    return session;
}

/* --- adding --- */

const struct ledger_key *ledger_key_add(struct ledger *ledger, struct slice text, uint64_t request,
                                        enum ledger_outcome outcome, uint64_t balance)
{
    struct ledger_keys *keys = &ledger->keys;
    make_room(ledger);
    keys_use(&keys->forgotten, text);
    struct ledger_key *key = put(keys, keys->last + 1, text);
    key->request = request;
    key->outcome = outcome;
    key->balance = balance;
    uint8_t bytes[HEAD_BYTES + KEY_STORED_MAX];
    bytes_put_be64(bytes, key->seq);
    bytes_put_be64(bytes + 8, request);
    bytes_put_be64(bytes + 16, outcome);
    bytes_put_be64(bytes + 24, balance);
    slice_copy(bytes + HEAD_BYTES, text);
    struct record_key name = record_key(RECORD_REQUEST);
    record_key_u32(&name, (uint32_t)(key->seq % keys->forgotten.limits.requests));
    record_write(&ledger->step->out, &name, bytes, HEAD_BYTES + text.len);
    return key;
}

/* --- from disk --- */

int ledger_restore_key(struct ledger_keys *keys, struct slice key, struct slice value)
{
    uint32_t slot;
    uint64_t seq, request, outcome, balance;
    if (key.len != 4 || !record_u32(key, 0, &slot) || !record_u64(value, 0, &seq) ||
        !record_u64(value, 8, &request) || !record_u64(value, 16, &outcome) ||
        !record_u64(value, 24, &balance) || outcome >= LEDGER_OUTCOMES ||
        seq % keys->forgotten.limits.requests != slot || !seq || balance > MONEY_MAX ||
        value.len > HEAD_BYTES + KEY_STORED_MAX || value.len == HEAD_BYTES)
        return ERR_CORRUPT;
    struct ledger_key *it =
        put(keys, seq, (struct slice){value.at + HEAD_BYTES, value.len - HEAD_BYTES});
    it->request = request;
    it->outcome = (enum ledger_outcome)outcome;
    it->balance = balance;
    return OK;
}

static int restore_block(struct key_window *window, const struct message *block,
                         struct blob *packed)
{
    const struct blob *frame = message_frame(block, 1);
    uint64_t number = block->as.image_key_block.number;
    bool open = frame && frame->len < 8 * window->block_hashes;
    if (!frame || window->n_open || (window->n && number != window->next))
        return ERR_CORRUPT;
    window->next = open ? number : number + 1;
    window->missing = !open;
    if (!open)
        return key_window_load(window, block, packed);
    return key_window_add_packed(window, (struct slice){frame->at, frame->len});
}

int ledger_restore_block(struct ledger_keys *keys, struct slice key, struct slice value)
{
    struct message *block;
    struct blob *packed = blob_copy(value.at, value.len);
    int error = key_window_unpack(key, packed, &block);
    if (!error)
        error = restore_block(&keys->forgotten.window, block, packed);
    message_drop(&block);
    blob_drop(&packed);
    return error ? ERR_CORRUPT : OK;
}

int ledger_restore_session(struct ledger_keys *keys, struct slice key, struct slice value)
{
    uint64_t id;
    if (key.len != 8 || !record_u64(key, 0, &id) || value.len != KEY_SESSION_BYTES)
        return ERR_CORRUPT;
    struct key_session session = keys_unpack_session(value.at);
    return session.id != id || keys_load_session(&keys->forgotten, session) ? ERR_CORRUPT : OK;
}

int ledger_restore_floor(struct ledger_keys *keys, struct slice key, struct slice value)
{
    return key.len || !record_u64(value, 0, &keys->floor) || keys->floor > keys->last ? ERR_CORRUPT
                                                                                      : OK;
}

void ledger_clear_keys(struct ledger_keys *keys)
{
    for (size_t i = 0; i < keys->size; i++)
        free(keys->ring[i]);
    free(keys->ring);
    map_clear(&keys->map);
    keys_clear(&keys->forgotten);
}
