/* heap.h - what the allocator of a node's program is told.
 *
 * The program is linked with mimalloc, whose threads have a heap each and take no locks: a thread
 * of low priority that has lost its processor keeps nobody waiting. In a program without it, such
 * as a test or one with sanitizers, these functions do nothing. */
#ifndef CONCLAVE_WORK_HEAP_H
#define CONCLAVE_WORK_HEAP_H

#include <stdint.h>

#include "shared/base/limits.h"

/* A thread that has had no values or results for so long gives back what they took. */
#define HEAP_IDLE_US (3 * SECOND_US)

/* Before other threads are started. */
void heap_init(void);

/* Gives free memory of the calling thread back to the system; takes some milliseconds. */
void heap_give_back(void);

#endif
