/* large.h - memory in large pieces, straight from the system.
 *
 * Touching 64 MiB for the first time takes 80 ms in pages of 4 KiB, and giving them back 9 ms; in
 * pages of 2 MiB, which the system is asked for here, it is 9 ms and 0.3 ms.
 *
 * Mapping takes the lock of the address space. A compute thread may hold that, clearing a page of
 * 2 MiB, and lose its processor meanwhile: an event loop that mapped a block stood still for 23 ms
 * once in ten jobs of 10000000!, and for 80 ms in one of 30000000!. So blocks come from a range
 * that is reserved once, and neither taking one nor giving it back maps anything. */
#ifndef CONCLAVE_BASE_LARGE_H
#define CONCLAVE_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/limits.h"

/* From here on: two pages of 2 MiB. Below, what is rounded up would be much of it. */
#define LARGE_BYTES ((size_t)4 * MIB_BYTES)

/* Blocks have one of four sizes between two powers of two, so that they fit again. */
#define LARGE_STEPS   4
#define LARGE_CLASSES ((size_t)64 * LARGE_STEPS)

/* Some pages: for fewer a system call costs as much as it saves. */
#define LARGE_TOUCH_BYTES ((size_t)(64 * KIB_BYTES))

/* The size of the block for so many bytes, at least one, and the number of its class. */
size_t large_round(size_t size, size_t *class);

/* Returns a block of so many bytes (large_round()), zero, aligned to a page; panics when there is
 * none. Nothing of it is touched. It has large pages, for a thread other than an event loop to
 * fill: one alone may take ten milliseconds where the system has to find it. From any thread; waits
 * for no other. Caller gives it back, whole. */
void *large_take(size_t size);
void *large_try(size_t size); /* NULL in place of a panic */
void large_give(void *at, size_t size);

/* A part of a block, of whole small pages, goes back to the system and is zero when it is touched
 * again. */
void large_clear(void *at, size_t size);

/* The same with small pages, always mapped: of any size, for what an event loop fills bit by bit.
 * Caller unmaps it, or parts of it, in whole pages. Both go back in pieces, so that no other thread
 * that wants the lock of the address space waits for all of it. */
void *large_map(size_t size);
void large_unmap(void *at, size_t size);

/* All of a range is read, or written, at once now: the system maps its pages in one call, where
 * touching them one by one costs a fault each (on a virtual machine 3 us: for half a MiB five times
 * what copying it costs). Does nothing below LARGE_TOUCH_BYTES, or on a system that cannot; what is
 * wrong with a page shows when it is touched. */
void large_will_read(const void *at, size_t size);
void large_will_write(void *at, size_t size);

#endif
