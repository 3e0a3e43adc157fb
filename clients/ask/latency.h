/* latency.h - how long many calls took: percentiles from counts in buckets, each within 1/32 of its
 * value, so that the room needed does not grow with the calls. Pure. */
#ifndef CONCLAVE_CLIENTS_LATENCY_H
#define CONCLAVE_CLIENTS_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS   32 /* buckets for each doubling */
#define LATENCY_BUCKETS (LATENCY_STEPS * 40)

struct latency {
    uint64_t n, max_us;
    uint64_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t took_us);

/* Returns a time that `percent` (1..100) of the calls did not exceed, at most 1/32 above the least
 * such one; 0 without calls. */
uint64_t latency_percentile(const struct latency *latency, unsigned percent);

#endif
