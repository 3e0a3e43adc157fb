/* hash.h - SHA-256, by nettle, which uses the processor's instructions for it: of values on the
 * value plane and of results. */
#ifndef CONCLAVE_BASE_HASH_H
#define CONCLAVE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES    32
#define HASH_TEXT_MAX (2 * HASH_BYTES + 1)

void hash_bytes(const void *at, size_t len, uint8_t out[HASH_BYTES]);

/* The same over bytes that come one after another: begin, add any number of times, end. */
struct hash_stream {
    _Alignas(16) uint8_t state[128];
};

void hash_begin(struct hash_stream *stream);
void hash_add(struct hash_stream *stream, const void *at, size_t len);
void hash_end(struct hash_stream *stream, uint8_t out[HASH_BYTES]);

/* Writes the hash as lower-case hexadecimal; returns `at`. */
char *hash_text(const uint8_t hash[HASH_BYTES], char at[HASH_TEXT_MAX]);

/* Fills `at` with unpredictable bytes: incarnation nonces, keys, random seeds. */
void hash_random(void *at, size_t len);

#endif
