/* limits_held.h - the limits of values that a worker holds: a part of limits.h, which includes it.
 */
#ifndef CONCLAVE_BASE_LIMITS_HELD_H
#define CONCLAVE_BASE_LIMITS_HELD_H

/* In memory; beyond, those needed latest go to disk, and where that has no room the worker is
 * throttled. */
#define MEMORY_LIMIT_DEFAULT_BYTES (1024 * MIB_BYTES)
/* Beside them free blocks are kept for the next values, and by each compute thread for the next
 * numbers: one part in so many of the limit. With the default that is as much as ever is kept. */
#define HEAP_KEPT_SHARE 4
#define BULK_KEPT_SHARE 16
/* When there is too much, one part in so many goes besides: not with each result is it looked what
 * is needed latest. */
#define SPILL_SHARE 8
/* A disk that had no room is tried again so much later. */
#define SPILL_RETRY_US SECOND_US
/* So much of a disk is left for logs, checkpoints and values that are kept: a spilled value could
 * be made again, these could not. */
#define SPILL_SPARE_BYTES (64 * MIB_BYTES)
/* Written or read at once, between two writes of the log: some milliseconds. */
#define SPILL_SLICE_BYTES (4 * MIB_BYTES)

#endif
