/* task_row.h - what is told of a task when it has ended, in the values of its job: one row after
 * another, each a part (bytes.h).
 *
 * A row is a sequence of numbers, seven bits to a byte with the lowest first and the top bit set in
 * all but the last, and then the reason and the two outputs as parts: each output's SHA-256 and
 * what is kept of it. If there is a bundle its numbers follow, the SHA-256 of its list, its bytes
 * if it stands here, and the last line of stderr, as parts. A reader passes over what follows in a
 * row: a later release may say more. */
#ifndef CONCLAVE_BASE_TASK_ROW_H
#define CONCLAVE_BASE_TASK_ROW_H

#include "shared/base/hash.h"
#include "shared/base/types.h"

/* An output of a task. */
struct task_stream {
    uint64_t bytes;           /* that the task wrote; more than what is kept: it was cut */
    uint8_t hash[HASH_BYTES]; /* SHA-256 of what is kept; of an empty one: zeros */
    struct slice at;          /* what is kept; borrowed */
};

/* What the task has left beside these (shared/tasks/bundle.h). */
struct task_bundle {
    uint64_t len;                  /* 0: nothing */
    uint64_t op;                   /* names the first of its values; 0: it stands here */
    uint64_t head_len, files;      /* of the list of so many files that it begins with */
    uint8_t head_hash[HASH_BYTES]; /* its SHA-256 */
    uint64_t out_len, err_len;     /* of the streams: what is kept of them, and stands in there */
    struct slice at, err_line;     /* it; and the last line of that stderr; borrowed */
};

enum task_row_flags {
    TASK_ROW_LIMIT = 1,  /* the time limit ended it */
    TASK_ROW_COPIED = 2, /* two workers executed the last attempt ... */
    TASK_ROW_COPY = 4    /* ... and this is how the second one's ended */
};

/* One task, or tasks in a row of which all of this is the same. */
struct task_row {
    uint64_t first, count;
    uint64_t state; /* 1: done, 2: failed, 3: lost, 4: cancelled */
    uint64_t node, attempts;
    uint64_t exit, signal, flags; /* of enum task_row_flags */
    uint64_t started_ms;          /* since 1970 UTC; 0: it was not begun */
    uint64_t wall_us, cpu_us;     /* of a range: of all of it */
    uint64_t max_rss;             /* bytes */
    struct slice reason;          /* borrowed */
    struct task_stream out, err;
    struct task_bundle bundle;
};

/* The streams and the list have room in it, and what stands here is all of it. */
bool task_bundle_fits(const struct task_bundle *bundle);

/* The most bytes that task_row_write() takes for the row. */
size_t task_row_room(const struct task_row *row);

/* Writes the row with its length; returns how many bytes that took. */
size_t task_row_write(uint8_t *at, const struct task_row *row);

/* Takes the next row off `rest` (borrows its bytes); false: it is cut short, or no row. */
bool task_row_take(struct slice *rest, struct task_row *row);

#endif
