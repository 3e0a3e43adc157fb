/* histogram.h - how long something took: counts in a few fixed buckets, and the sum, as Prometheus
 * has its histograms. Small enough for every heartbeat. Pure. */
#ifndef CONCLAVE_BASE_HISTOGRAM_H
#define CONCLAVE_BASE_HISTOGRAM_H

#include "shared/base/types.h"

/* From a fast flash disk (100 us) to one that is in trouble (1 s); the last one has no bound. A
 * message carries them in this order, so another number of them is another field. */
#define HISTOGRAM_BUCKETS 13

/* Zero-initialize before the first use. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS]; /* of each bucket, without those below */
    uint64_t sum_us;
};

/* The largest time of a bucket; UINT64_MAX: of the last. */
uint64_t histogram_bound_us(size_t bucket);

/* The bucket of a time. */
size_t histogram_bucket(uint64_t us);

/* Of all buckets. */
uint64_t histogram_count(const struct histogram *histogram);

/* As bytes of a message. Unpacking leaves `histogram` empty and returns false when the bytes are
 * none, as those of a release that knows no histograms. */
#define HISTOGRAM_BYTES (8 * (HISTOGRAM_BUCKETS + 1))
void histogram_pack(const struct histogram *histogram, uint8_t at[HISTOGRAM_BYTES]);
bool histogram_unpack(struct slice bytes, struct histogram *histogram);

#endif
