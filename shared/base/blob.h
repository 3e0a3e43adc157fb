/* blob.h - immutable bytes with a reference count: values on their way between threads, messages
 * and tables. */
#ifndef CONCLAVE_BASE_BLOB_H
#define CONCLAVE_BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/hash.h"

struct blob {
    _Atomic uint32_t refs;
    bool hashed; /* its SHA-256 lies after the bytes */
    size_t len;
    _Alignas(16) uint8_t at[]; /* aligned for GMP limbs */
};

/* Returns a blob of `len` uninitialized bytes with one reference, to be filled before
 * it is shared. */
struct blob *blob_new(size_t len);

/* Returns a blob that copies `len` bytes from `at`. */
struct blob *blob_copy(const void *at, size_t len);

/* Adds a reference and returns the same blob; NULL stays NULL. Any thread. */
struct blob *blob_ref(struct blob *blob);

/* Notes the SHA-256 of a large blob (over VALUE_INLINE_MAX_BYTES; of a smaller one: does nothing),
 * for blob_hash(). The owner's, when the bytes are complete and before any other
 * thread has them. */
void blob_set_hash(struct blob *blob, const uint8_t hash[HASH_BYTES]);

/* Writes the SHA-256: as noted, or else computed. Any thread. */
void blob_hash(const struct blob *blob, uint8_t hash[HASH_BYTES]);

/* Drops the reference and nulls the pointer; the last one frees. Accepts NULL. Any thread. */
void blob_drop(struct blob **blob);

#endif
