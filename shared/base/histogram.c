#include "shared/base/histogram.h"

#include "shared/base/bytes.h"

static const uint64_t bounds_us[] = {100,   250,   500,   1000,   2500,   5000,
                                     10000, 25000, 50000, 100000, 250000, 1000000};
_Static_assert(sizeof bounds_us / sizeof *bounds_us == HISTOGRAM_BUCKETS - 1, "one has no bound");

uint64_t histogram_bound_us(size_t bucket)
{
    return bucket < HISTOGRAM_BUCKETS - 1 ? bounds_us[bucket] : UINT64_MAX;
}

size_t histogram_bucket(uint64_t us)
{
    size_t bucket = 0;
    while (us > histogram_bound_us(bucket))
        bucket++;
    return bucket;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += histogram->counts[i];
    return sum;
}

void histogram_pack(const struct histogram *histogram, uint8_t at[HISTOGRAM_BYTES])
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        bytes_put_le64(at + 8 * i, histogram->counts[i]);
    bytes_put_le64(at + 8 * HISTOGRAM_BUCKETS, histogram->sum_us);
}

bool histogram_unpack(struct slice bytes, struct histogram *histogram)
{
    *histogram = (struct histogram){0};
    if (bytes.len != HISTOGRAM_BYTES)
        return false;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] = bytes_get_le64(bytes.at + 8 * i);
    histogram->sum_us = bytes_get_le64(bytes.at + 8 * HISTOGRAM_BUCKETS);
    return true;
}
