#include "shared/base/hash.h"

#include <sodium.h>

void hash_bytes(const void *at, size_t len, uint8_t out[HASH_BYTES])
{
    crypto_hash_sha256(out, at, len);
}

char *hash_text(const uint8_t hash[HASH_BYTES], char at[HASH_TEXT_MAX])
{
    return sodium_bin2hex(at, HASH_TEXT_MAX, hash, HASH_BYTES);
}

void hash_random(void *at, size_t len)
{
    randombytes_buf(at, len);
}
