/* packed.h - integers of any size, one after another: what a stored value of the format "integers"
 * holds. Clients write it from what people type, and operators read it, without a number parser in
 * between.
 *
 * Each is a part (bytes.h): a byte, 1 for a negative one and else 0, and its magnitude as
 * little-endian bytes without leading zeros. So each integer has one form, and equal lists have
 * equal hashes; 0 is the byte 0 alone. */
#ifndef CONCLAVE_BASE_PACKED_H
#define CONCLAVE_BASE_PACKED_H

#include <stdbool.h>

#include "shared/base/bytes.h"

struct packed_integer {
    bool negative;
    struct slice magnitude; /* little-endian, its last byte is not 0; empty: the integer is 0 */
};

/* The bytes that an integer with a magnitude of so many bytes takes: what packed_put() writes. */
static inline size_t packed_bytes(size_t magnitude_bytes)
{
    return BYTES_LENGTH + 1 + magnitude_bytes;
}

/* Writes one to `at`, and returns how many bytes that were. The magnitude, which may have leading
 * zeros, is shorter than 2^32 - 1 bytes. */
size_t packed_put(uint8_t *at, bool negative, struct slice magnitude);

/* Takes the next one off `rest` (borrows its bytes); false, with `rest` as it was, when what is
 * there is not the one form of an integer. */
bool packed_take(struct slice *rest, struct packed_integer *out);

/* Counts them; false: something in it is no integer. */
bool packed_count(struct slice list, uint64_t *count);

#endif
