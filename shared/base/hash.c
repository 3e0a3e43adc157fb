#include "shared/base/hash.h"

#include <sodium.h>

void hash_bytes(const void *at, size_t len, uint8_t out[HASH_BYTES])
{
    crypto_hash_sha256(out, at, len);
}

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct hash_stream), "the state fits");

void hash_begin(struct hash_stream *stream)
{
    crypto_hash_sha256_init((crypto_hash_sha256_state *)stream->state);
}

void hash_add(struct hash_stream *stream, const void *at, size_t len)
{
    crypto_hash_sha256_update((crypto_hash_sha256_state *)stream->state, at, len);
}

void hash_end(struct hash_stream *stream, uint8_t out[HASH_BYTES])
{
    crypto_hash_sha256_final((crypto_hash_sha256_state *)stream->state, out);
}

char *hash_text(const uint8_t hash[HASH_BYTES], char at[HASH_TEXT_MAX])
{
    return sodium_bin2hex(at, HASH_TEXT_MAX, hash, HASH_BYTES);
}

void hash_random(void *at, size_t len)
{
    randombytes_buf(at, len);
}
