/* blob.h - immutable bytes with a reference count: values on their way between threads, messages
 * and tables. */
#ifndef CONCLAVE_BASE_BLOB_H
#define CONCLAVE_BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
    _Atomic uint32_t refs;
    size_t len;
    _Alignas(16) uint8_t at[]; /* aligned for GMP limbs */
};

/* Returns a blob of `len` uninitialized bytes with one reference, to be filled before it is shared.
 */
struct blob *blob_new(size_t len);

/* Returns a blob that copies `len` bytes from `at`. */
struct blob *blob_copy(const void *at, size_t len);

/* Adds a reference and returns the same blob; NULL stays NULL. Any thread. */
struct blob *blob_ref(struct blob *blob);

/* Drops the reference and nulls the pointer; the last one frees. Accepts NULL. Any thread. */
void blob_drop(struct blob **blob);

#endif
