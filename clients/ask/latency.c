#include "clients/ask/latency.h"

#include <stddef.h>

/* Below LATENCY_STEPS every value has a bucket; above, every doubling has as many. */
static size_t bucket_of(uint64_t us)
{
    unsigned shift = 0;
    while (us >> shift >= 2 * LATENCY_STEPS)
        shift++;
    size_t bucket = (size_t)shift * LATENCY_STEPS + (size_t)(us >> shift);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * LATENCY_STEPS)
        return bucket;
    size_t shift = bucket / LATENCY_STEPS - 1;
    uint64_t step = LATENCY_STEPS + bucket % LATENCY_STEPS;
    return ((step + 1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t took_us)
{
    latency->n++;
    latency->max_us = took_us > latency->max_us ? took_us : latency->max_us;
    latency->counts[bucket_of(took_us)]++;
}

uint64_t latency_percentile(const struct latency *latency, unsigned percent)
{
    uint64_t wanted = (latency->n * percent + 99) / 100, seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS && wanted; i++) {
        seen += latency->counts[i];
        if (seen >= wanted)
            return bucket_end(i) < latency->max_us ? bucket_end(i) : latency->max_us;
    }
    return latency->max_us;
}
