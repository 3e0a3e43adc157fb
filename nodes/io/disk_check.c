/* Checksums of records. A start looks at every byte of the store twice (disk_verify.c, and whoever
 * reads it), so they go by words, four at a time: a block of forgotten keys, of which there are
 * ever more, costs some thirtieth of a millisecond where the bytes one by one took two thirds of
 * one.
 *
 * Each word changes its lane in a way that can be undone, so damage within one word is always seen,
 * and other damage but for one time in 2^64. */
#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/map.h"
#include "shared/base/random.h"

#define LANES      4
#define WORD_BYTES 8
#define LINE_BYTES (LANES * WORD_BYTES)
#define SHIFT      32 /* the upper half of a product has what the lower one lacks */

static void take_line(uint64_t lanes[LANES], const uint8_t line[LINE_BYTES])
{
    for (size_t i = 0; i < LANES; i++) {
        uint64_t mixed = (lanes[i] ^ bytes_get_le64(line + WORD_BYTES * i)) * RANDOM_GAMMA;
        lanes[i] = mixed ^ mixed >> SHIFT;
    }
}

uint64_t disk_check(uint64_t seed, const void *at, size_t len)
{
    const uint8_t *bytes = at;
    uint64_t lanes[LANES] = {seed, seed + 1, seed + 2, seed + 3}, sum = random_mix(seed ^ len);
    size_t left = len;
    for (; left >= LINE_BYTES; left -= LINE_BYTES, bytes += LINE_BYTES)
        take_line(lanes, bytes);
    if (left) {
        uint8_t line[LINE_BYTES] = {0};
        memcpy(line, bytes, left);
        take_line(lanes, line);
    }
    for (size_t i = 0; i < LANES; i++)
        sum = random_mix(sum ^ lanes[i]);
    return sum;
}

/* As all stores had it: by bytes. */
static uint64_t check_by_bytes(uint64_t seed, const void *at, size_t len)
{
    return map_hash(at, len) ^ (seed * RANDOM_GAMMA);
}

bool disk_check_holds(const uint8_t found[8], uint64_t seed, const void *at, size_t len)
{
    uint64_t sum = bytes_get_be64(found);
    return sum == disk_check(seed, at, len) || sum == check_by_bytes(seed, at, len);
}
