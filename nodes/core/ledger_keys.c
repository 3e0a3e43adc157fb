#include "nodes/core/ledger_keys.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/record.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

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
    size_t slot = (size_t)(seq % LEDGER_KEYS_MAX);
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
    memcpy(key->key, text.at, text.len);
    map_put(&keys->map, hash_of(text), key);
    keys->last = seq > keys->last ? seq : keys->last;
    return key;
}

const struct ledger_key *ledger_key_add(struct node *node, struct slice text, uint64_t request,
                                        enum ledger_outcome outcome, uint64_t balance)
{
    struct ledger_keys *keys = &node->ledger.keys;
    struct ledger_key *key = put(keys, keys->last + 1, text);
    key->request = request;
    key->outcome = outcome;
    key->balance = balance;
    uint8_t bytes[HEAD_BYTES + JOB_KEY_MAX];
    record_put_u64(bytes, key->seq);
    record_put_u64(bytes + 8, request);
    record_put_u64(bytes + 16, outcome);
    record_put_u64(bytes + 24, balance);
    memcpy(bytes + HEAD_BYTES, text.at, text.len);
    struct record_key name = record_key(RECORD_REQUEST);
    record_key_u32(&name, (uint32_t)(key->seq % LEDGER_KEYS_MAX));
    record_write(&node->out, &name, bytes, HEAD_BYTES + text.len);
    return key;
}

int ledger_restore_key(struct ledger_keys *keys, struct slice key, struct slice value)
{
    uint32_t slot;
    uint64_t seq, request, outcome, balance;
    if (key.len != 4 || !record_u32(key, 0, &slot) || !record_u64(value, 0, &seq) ||
        !record_u64(value, 8, &request) || !record_u64(value, 16, &outcome) ||
        !record_u64(value, 24, &balance) || outcome >= LEDGER_OUTCOMES ||
        seq % LEDGER_KEYS_MAX != slot || !seq || balance > MONEY_MAX ||
        value.len > HEAD_BYTES + JOB_KEY_MAX || value.len == HEAD_BYTES)
        return ERR_CORRUPT;
    struct ledger_key *it =
        put(keys, seq, (struct slice){value.at + HEAD_BYTES, value.len - HEAD_BYTES});
    it->request = request;
    it->outcome = (enum ledger_outcome)outcome;
    it->balance = balance;
    return OK;
}

void ledger_clear_keys(struct ledger_keys *keys)
{
    for (size_t i = 0; i < keys->size; i++)
        free(keys->ring[i]);
    free(keys->ring);
    map_clear(&keys->map);
    *keys = (struct ledger_keys){0};
}
