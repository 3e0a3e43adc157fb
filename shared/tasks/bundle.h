/* bundle.h - what a task has left that is not told with its outcome itself: outputs of more than
 * COMMAND_INLINE_MAX_BYTES, and collected files, one after another.
 *
 *   list of the files | standard output | standard error | file | file | ...
 *
 * A stream is in it only when it is long. A bundle of up to VALUE_INLINE_MAX_BYTES stands in the
 * row of the task's details (shared/base/task_row.h); a longer one is cut into values of
 * BUNDLE_PIECE_BYTES. The list has an item for each file: a part (bytes.h) of the length in 64
 * bits, the SHA-256, a byte that is 1 for what may be executed, and the path. What a node says is
 * not to be trusted: the path least of all. */
#ifndef CONCLAVE_TASKS_BUNDLE_H
#define CONCLAVE_TASKS_BUNDLE_H

#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/types.h"

/* An item, but for its path: with the length of the part. */
#define BUNDLE_ITEM_BYTES (4 + 8 + HASH_BYTES + 1)

struct bundle_file {
    struct slice path; /* borrowed */
    uint64_t len;
    uint8_t sha256[HASH_BYTES];
    bool executable;
};

/* Writes an item to `at`, where BUNDLE_ITEM_BYTES and the path have room; returns its length. */
size_t bundle_file_put(uint8_t *at, const struct bundle_file *file);

/* Takes the next item off `rest` (borrows its bytes); false: it is cut short. */
bool bundle_file_take(struct slice *rest, struct bundle_file *file);

/* Pieces of a bundle of that length, and how long each is, from 0. */
uint64_t bundle_pieces(uint64_t len);
uint64_t bundle_piece_bytes(uint64_t len, uint64_t piece);

#endif
