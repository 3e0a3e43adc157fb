/* large.h - memory in large pieces, straight from the system.
 *
 * Touching 64 MiB for the first time takes 80 ms in pages of 4 KiB, and giving them back 9 ms; in
 * pages of 2 MiB, which the system is asked for here, it is 9 ms and 0.3 ms. */
#ifndef CONCLAVE_BASE_LARGE_H
#define CONCLAVE_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/limits.h"

/* From here on: two pages of 2 MiB. Below, what is rounded up would be much of it. */
#define LARGE_BYTES ((size_t)4 * MIB_BYTES)

/* Some pages: for fewer a system call costs as much as it saves. */
#define LARGE_TOUCH_BYTES ((size_t)(64 * KIB_BYTES))

/* Returns so many bytes, zero, aligned to a page; panics when there are none. Nothing of it is
 * touched. Large pages are for what a thread other than an event loop fills: one alone may take ten
 * milliseconds where the system has to find it. Caller unmaps. */
void *large_map(size_t size, bool large_pages);

/* Part of it, in whole pages, or all; in pieces, so that no other thread that wants the lock of the
 * address space waits for all of it.
 */
void large_unmap(void *at, size_t size);

/* All of a range is read, or written, at once now: the system maps its pages in one call, where
 * touching them one by one costs a fault each (on a virtual machine 3 us: for half a MiB five times
 * what copying it costs). Does nothing below LARGE_TOUCH_BYTES, or on a system that cannot; what is
 * wrong with a page shows when it is touched. */
void large_will_read(const void *at, size_t size);
void large_will_write(void *at, size_t size);

#endif
