/* urgency.h - how soon a thread that has something to do gets a processor.
 *
 * A thread that asks the kernel for short turns (Linux 6.12, EEVDF) is let in before others that
 * have longer ones, and gets no more of the processor than they do. An event loop wants just that:
 * beside 24 busy threads on two processors one waited up to 220 ms, and 37 ms with short turns.
 * Elsewhere these functions do nothing. */
#ifndef CONCLAVE_BASE_URGENCY_H
#define CONCLAVE_BASE_URGENCY_H

#include <stdbool.h>

/* The calling thread takes short turns, and so do those that it makes from now on: ZeroMQ's. */
void urgency_high(void);

/* As any other thread: for one that computes or writes. */
void urgency_normal(void);

/* True when the calling thread takes short turns. */
bool urgency_is_high(void);

#endif
