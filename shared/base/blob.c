#include "shared/base/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"

struct blob *blob_new(size_t len)
{
    size_t tail = len > VALUE_INLINE_MAX_BYTES ? HASH_BYTES : 0;
    struct blob *blob = malloc(sizeof *blob + (len ? len : 1) + tail);
    if (!blob)
        panic("out of memory for a value of %zu bytes", len);
    atomic_init(&blob->refs, 1);
    blob->hashed = false;
    blob->len = len;
    return blob;
}

struct blob *blob_copy(const void *at, size_t len)
{
    struct blob *blob = blob_new(len);
    if (len)
        memcpy(blob->at, at, len);
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_set_hash(struct blob *blob, const uint8_t hash[HASH_BYTES])
{
    if (blob->len <= VALUE_INLINE_MAX_BYTES)
        return;
    memcpy(blob->at + blob->len, hash, HASH_BYTES);
    blob->hashed = true;
}

void blob_hash(const struct blob *blob, uint8_t hash[HASH_BYTES])
{
    if (blob->hashed)
        memcpy(hash, blob->at + blob->len, HASH_BYTES);
    else
        hash_bytes(blob->at, blob->len, hash);
}

void blob_drop(struct blob **blob)
{
    struct blob *it = *blob;
    *blob = NULL;
    if (it && atomic_fetch_sub_explicit(&it->refs, 1, memory_order_acq_rel) == 1)
        free(it);
}
