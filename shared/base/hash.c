#include "shared/base/hash.h"

#include <nettle/sha2.h>
#include <sodium.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct hash_stream), "the state fits");
_Static_assert(SHA256_DIGEST_SIZE == HASH_BYTES, "a hash is a whole digest");

static struct sha256_ctx *state_of(struct hash_stream *stream)
{
    return (struct sha256_ctx *)(void *)stream->state;
}

void hash_bytes(const void *at, size_t len, uint8_t out[HASH_BYTES])
{
    struct hash_stream stream;
    hash_begin(&stream);
    hash_add(&stream, at, len);
    hash_end(&stream, out);
}

void hash_begin(struct hash_stream *stream)
{
    sha256_init(state_of(stream));
}

void hash_add(struct hash_stream *stream, const void *at, size_t len)
{
    sha256_update(state_of(stream), len, at);
}

void hash_end(struct hash_stream *stream, uint8_t out[HASH_BYTES])
{
    sha256_digest(state_of(stream), HASH_BYTES, out);
}

char *hash_text(const uint8_t hash[HASH_BYTES], char at[HASH_TEXT_MAX])
{
    return sodium_bin2hex(at, HASH_TEXT_MAX, hash, HASH_BYTES);
}

void hash_random(void *at, size_t len)
{
    randombytes_buf(at, len);
}
