/* bytes.h - numbers as bytes, and parts after their lengths: what disk, wire and files have in
 * common. */
#ifndef CONCLAVE_BASE_BYTES_H
#define CONCLAVE_BASE_BYTES_H

#include <endian.h>
#include <string.h>

#include "shared/base/types.h"

/* One load or store each: loops over their bytes stay loops at -O2, and millions of hashes are read
 * so at a start. */

/* Little-endian: numbers inside messages. */
static inline void bytes_put_le64(uint8_t at[8], uint64_t number)
{
    number = htole64(number);
    memcpy(at, &number, sizeof number);
}

static inline uint64_t bytes_get_le64(const uint8_t at[8])
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return le64toh(number);
}

/* Big-endian: keys of the disk, whose order is then that of the numbers. */
static inline void bytes_put_be64(uint8_t at[8], uint64_t number)
{
    number = htobe64(number);
    memcpy(at, &number, sizeof number);
}

static inline uint64_t bytes_get_be64(const uint8_t at[8])
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return be64toh(number);
}

/* --- parts, one after another, each after its length in 32 bits, little-endian --- */

#define BYTES_LENGTH 4 /* of the length */

static inline void bytes_put_length(uint8_t *at, size_t len)
{
    for (int byte = 0; byte < BYTES_LENGTH; byte++)
        at[byte] = (uint8_t)(len >> 8 * byte);
}

/* Writes a part to `at`, where BYTES_LENGTH + len bytes are free; returns that sum. */
static inline size_t bytes_put_part(uint8_t *at, const void *part, size_t len)
{
    bytes_put_length(at, len);
    if (len)
        memcpy(at + BYTES_LENGTH, part, len);
    return BYTES_LENGTH + len;
}

/* Takes the next part off `rest`; false, and `rest` as it was, when it is cut short. */
static inline bool bytes_take_part(struct slice *rest, struct slice *part)
{
    size_t len = 0;
    for (size_t byte = 0; byte < BYTES_LENGTH && byte < rest->len; byte++)
        len |= (size_t)rest->at[byte] << 8 * byte;
    if (rest->len < BYTES_LENGTH || rest->len - BYTES_LENGTH < len)
        return false;
    *part = (struct slice){rest->at + BYTES_LENGTH, len};
    *rest = (struct slice){part->at + len, rest->len - BYTES_LENGTH - len};
    return true;
}

#endif
