#include "shared/base/blob.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/large.h"
#include "shared/base/limits.h"

#define ALIGN 16 /* of the bytes behind the head */
#define HEAD  ((sizeof(struct blob) + ALIGN - 1) / ALIGN * ALIGN)

static const struct blob_memory *memory;

void blob_use(const struct blob_memory *with)
{
    memory = with;
}

/* With room for so many bytes behind its head. */
static struct blob *make(size_t room, size_t len)
{
    struct blob *blob = malloc(HEAD + room);
    if (!blob)
        panic("out of memory for a value of %zu bytes", len);
    *blob = (struct blob){.len = len, .at = (uint8_t *)blob + HEAD};
    atomic_init(&blob->refs, 1);
    return blob;
}

struct blob *blob_new(size_t len)
{
    size_t tail = len > VALUE_INLINE_MAX_BYTES ? HASH_BYTES : 0;
    if (!memory || len < memory->from)
        return make((len ? len : 1) + tail, len);
    struct blob *blob = make(0, len);
    blob->room = len + tail;
    blob->at = memory->alloc(blob->room);
    return blob;
}

struct blob *blob_copy(const void *at, size_t len)
{
    struct blob *blob = blob_new(len);
    large_will_write(blob->at, len);
    if (len)
        memcpy(blob->at, at, len);
    return blob;
}

struct blob *blob_lend(void *at, size_t len, void (*release)(void *hint), void *hint)
{
    struct blob *blob = make(0, len);
    blob->at = at;
    blob->release = release;
    blob->hint = hint;
    return blob;
}

static void release_whole(void *hint)
{
    struct blob *whole = hint;
    blob_drop(&whole);
}

struct blob *blob_part(struct blob *whole, size_t offset, size_t len)
{
    assert(offset <= whole->len && len <= whole->len - offset);
    return blob_lend(whole->at + offset, len, release_whole, blob_ref(whole));
}

struct blob *blob_ref(struct blob *blob)
{
    if (blob)
        atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_set_hash(struct blob *blob, const uint8_t hash[HASH_BYTES])
{
    if (blob->len <= VALUE_INLINE_MAX_BYTES || blob->release)
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
    if (!it || atomic_fetch_sub_explicit(&it->refs, 1, memory_order_acq_rel) > 1)
        return;
    if (it->release)
        it->release(it->hint);
    if (it->room)
        memory->free(it->at, it->room);
    free(it);
}
