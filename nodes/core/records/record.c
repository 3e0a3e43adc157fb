#include "nodes/core/records/record.h"
#include "shared/base/bytes.h"

#include <assert.h>
#include <string.h>

struct record_key record_key(enum record_table table)
{
    return (struct record_key){.at = {(uint8_t)table}, .len = 1};
}

static void append(struct record_key *key, const void *at, size_t len)
{
    assert(key->len + len <= sizeof key->at);
    if (len)
        memcpy(key->at + key->len, at, len);
    key->len += len;
}

void record_key_name(struct record_key *key, struct slice name)
{
    append(key, name.at, name.len);
}

void record_key_u32(struct record_key *key, uint32_t number)
{
    uint8_t bytes[8];
    bytes_put_be64(bytes, number);
    append(key, bytes + 4, 4);
}

void record_key_u64(struct record_key *key, uint64_t number)
{
    uint8_t bytes[8];
    bytes_put_be64(bytes, number);
    append(key, bytes, sizeof bytes);
}

static bool get(struct slice bytes, size_t offset, size_t len, uint64_t *out)
{
    *out = 0;
    if (bytes.len < offset + len)
        return false;
    for (size_t i = 0; i < len; i++)
        *out = *out << 8 | bytes.at[offset + i];
    return true;
}

bool record_u32(struct slice bytes, size_t offset, uint32_t *out)
{
    uint64_t number;
    bool there = get(bytes, offset, 4, &number);
    *out = (uint32_t)number;
    return there;
}

bool record_u64(struct slice bytes, size_t offset, uint64_t *out)
{
    return get(bytes, offset, 8, out);
}
