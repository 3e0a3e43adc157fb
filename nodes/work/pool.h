/* pool.h - a range of memory of one thread, from which its large blocks are cut.
 *
 * A block is the first place from the beginning that is long enough. So blocks of many sizes, one
 * after another, touch no more memory than the most that was taken at a time, where blocks that are
 * kept by their sizes touch the sum of all sizes. That is worth much where memory is touched for
 * the first time: the system clears it, and a machine that is a virtual one may have to be given it
 * first, at 0.4 GB/s instead of 10 (docs/performance.md).
 *
 * Source: D. Knuth, "The Art of Computer Programming" 1, 2.5 (first fit, by address). */
#ifndef CONCLAVE_WORK_POOL_H
#define CONCLAVE_WORK_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/limits.h"

/* Blocks that a pool has at most: an operation has some ten large ones at a time. */
#define POOL_BLOCKS 64

/* Blocks begin at multiples: of a page, and of what vector instructions like. */
#define POOL_STEP ((size_t)4 * KIB_BYTES)

struct pool {
    struct pool *next; /* of its owner */
    char *at;          /* owned, of large_try() */
    size_t size;
    size_t touched; /* from its beginning, since it last gave back */
    size_t taken;   /* in blocks now */
    size_t n;
    struct pool_block {
        size_t from, end;
    } blocks[POOL_BLOCKS]; /* by place */
};

/* Reserves a block's size of large_round(), of which nothing is touched; NULL: it cannot be had.
 * Caller ends it when it has no block. */
struct pool *pool_new(size_t size);
void pool_end(struct pool *it);

/* NULL: there is no place for so many bytes, at least one. */
void *pool_take(struct pool *it, size_t size);

bool pool_has(const struct pool *it, const void *block);

/* Ends a block that it has. */
void pool_give(struct pool *it, void *block);

/* Makes a block that it has as long as that, where it is; false: there is no place. */
bool pool_resize(struct pool *it, void *block, size_t size);

/* Gives what is free back to the system. */
void pool_clear(struct pool *it);

#endif
