/* reader.h - what a fuzzer's bytes say, taken one after another. An input that has ended says zero
 * for ever, so every prefix of an input is an input. */
#ifndef CONCLAVE_FUZZ_READER_H
#define CONCLAVE_FUZZ_READER_H

#include <string.h>

#include "shared/base/types.h"

/* The fuzzer's entry point, which a replay calls as libFuzzer does. */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct reader {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t reader_byte(struct reader *reader)
{
    if (!reader->left)
        return 0;
    reader->left--;
    return *reader->at++;
}

/* A number below `limit` (1..256). */
static inline unsigned reader_below(struct reader *reader, unsigned limit)
{
    return reader_byte(reader) % limit;
}

static inline uint64_t reader_u64(struct reader *reader)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | reader_byte(reader);
    return number;
}

/* Up to `len` of the next bytes (borrowed from the input). */
static inline struct slice reader_bytes(struct reader *reader, size_t len)
{
    struct slice bytes = {reader->at, len < reader->left ? len : reader->left};
    reader->at += bytes.len;
    reader->left -= bytes.len;
    return bytes;
}

#endif
