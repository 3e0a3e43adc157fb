/* gather.h - when a loop should take in what has come: not at once when many wait. */
#ifndef CONCLAVE_BASE_GATHER_H
#define CONCLAVE_BASE_GATHER_H

#include "shared/base/types.h"

/* A turn of a loop begins no sooner after the one before than so long for each client that waits
 * for its answer: what comes meanwhile is taken in together, and answered by fewer and fuller
 * messages. A job has some ten turns of the coordinator one after another, so this alone lets
 * 10,000 jobs/s pass, however many wait. A lone client does not notice. The most is far below any
 * timeout. */
#define GATHER_CLIENT_US 10
#define GATHER_MAX_US    2500

/* When the next turn should begin at the earliest, if the last one has begun at `began_us` and so
 * many wait for answers. */
static inline uint64_t gather_until_us(uint64_t began_us, uint64_t waiting)
{
    uint64_t us = waiting * GATHER_CLIENT_US;
    return began_us + (us < GATHER_MAX_US ? us : GATHER_MAX_US);
}

/* Waits until then, by clock_now_us(). */
void gather_wait(uint64_t began_us, uint64_t waiting);

#endif
