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
    uint8_t *at; /* aligned for GMP limbs, unless they are a part of another blob or lent */
    size_t room; /* from blob_memory; 0: not */
    void (*release)(void *hint); /* of bytes that are not its own; NULL: they are */
    void *hint;
};

/* Where the bytes of large blobs come from, and go to, from any thread. */
struct blob_memory {
    size_t from;                 /* bytes; smaller ones come from malloc */
    void *(*alloc)(size_t size); /* never NULL */
    void (*free)(void *at, size_t size);
};

/* Before the first large blob, and for good (borrows). Without it all comes from malloc. */
void blob_use(const struct blob_memory *memory);

/* Returns a blob of `len` uninitialized bytes with one reference, to be filled before
 * it is shared. */
struct blob *blob_new(size_t len);

/* Returns a blob that copies `len` bytes from `at`. */
struct blob *blob_copy(const void *at, size_t len);

/* Returns a part of another one, without copying: holds a reference to the whole. */
struct blob *blob_part(struct blob *whole, size_t offset, size_t len);

/* Returns bytes of somebody else, which stay until the blob calls release(hint), from any thread.
 */
struct blob *blob_lend(void *at, size_t len, void (*release)(void *hint), void *hint);

/* Adds a reference and returns the same blob; NULL stays NULL. Any thread. */
struct blob *blob_ref(struct blob *blob);

/* Notes the SHA-256 of a large blob of its own bytes (over VALUE_INLINE_MAX_BYTES; of any other
 * one: does nothing), for blob_hash(). The owner's, when the bytes are complete and before any
 * other thread has them. */
void blob_set_hash(struct blob *blob, const uint8_t hash[HASH_BYTES]);

/* Writes the SHA-256: as noted, or else computed. Any thread. */
void blob_hash(const struct blob *blob, uint8_t hash[HASH_BYTES]);

/* Drops the reference and nulls the pointer; the last one frees. Accepts NULL. Any thread. */
void blob_drop(struct blob **blob);

#endif
