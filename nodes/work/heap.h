/* heap.h - what the allocator of a node's program is told.
 *
 * The program is linked with mimalloc, whose threads have a heap each and take no locks: a thread
 * of low priority that has lost its processor keeps nobody waiting. In a program without it, such
 * as a test or one with sanitizers, these functions do nothing. */
#ifndef CONCLAVE_WORK_HEAP_H
#define CONCLAVE_WORK_HEAP_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/limits.h"

/* A thread that has had no values or results for so long gives back what they took: longer than the
 * last operations of a large job, in which most workers have nothing to do. */
#define HEAP_IDLE_US (20 * SECOND_US)

/* What other threads free of a thread's memory while they give theirs back is its own again when it
 * looks again: so much later, and as long as nothing comes each time after twice the pause. */
#define HEAP_AGAIN_US     (5 * SECOND_US)
#define HEAP_AGAIN_MAX_US (300 * SECOND_US) /* then it costs nothing that could be measured */

/* Before other threads are started. */
void heap_init(void);

/* Gives free memory of the calling thread back to the system; takes some milliseconds. */
void heap_give_back(void);

/* When a thread that waits for work gives back. Begins as {HEAP_NEVER}. */
#define HEAP_NEVER UINT64_MAX
struct heap_idle {
    uint64_t at_us;    /* to be woken then */
    uint64_t pause_us; /* between the last time that it gave back and the next; 0: it has not */
};

/* There was work. */
void heap_worked(struct heap_idle *idle, uint64_t now_us);

/* True when it is time to give back: HEAP_IDLE_US after the last work, and again and again. */
bool heap_is_idle(struct heap_idle *idle, uint64_t now_us);

/* For GMP and FLINT, whose temporaries are large and many: blocks from HEAP_LARGE_BYTES on are cut
 * from a range of the thread's own (pool.h), whose memory it keeps for its next ones, if it said
 * heap_keep() and so promises heap_give_back() before it ends. What does not fit, and what others
 * take, as FLINT's own threads, whose end nobody here sees, goes back at once. The sizes are those
 * that GMP tells; FLINT tells none, and has them noted. heap_init() installs all. */
void heap_keep(void);
void *heap_alloc(size_t size);
void *heap_resize(void *block, size_t old_size, size_t new_size);
void heap_free(void *block, size_t size);

/* Each thread's range is so long at most, and never longer than HEAP_KEPT_BYTES. Before other
 * threads are started. */
void heap_keep_at_most(size_t bytes);

/* Bytes that the calling thread has touched, and are free. */
size_t heap_kept_bytes(void);

/* Smaller ones the allocator keeps itself, and gives the same memory to values and to numbers: with
 * 256 KiB here 1000000! had a third more page faults, and took 5 % more processor time; with 4 MiB
 * the products of a larger job had twice as many. */
#define HEAP_LARGE_BITS  20
#define HEAP_LARGE_BYTES ((size_t)1 << HEAP_LARGE_BITS)
#define HEAP_KEPT_BYTES  (384 * MIB_BYTES) /* what a division of a value of 30 MB takes */

#endif
