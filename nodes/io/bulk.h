/* bulk.h - a thread for what is large, so that the event loop does none of it: pieces of values
 * that come from peers are put into their place and hashed, and memory is given back.
 *
 * Not the store thread, which may wait for a disk, nor a compute thread, which may be inside one
 * multiplication for seconds.
 *
 * While it runs, large blobs have their bytes from here (LARGE_BYTES, blob_use()). A block that is
 * dropped, by whatever thread, is kept for the next blob of the loop, up to BULK_KEPT_BYTES;
 * others the thread gives back to the system. So the loop gives no memory back, and touches none
 * for the first time: both take a large value tens of milliseconds. */
#ifndef CONCLAVE_IO_BULK_H
#define CONCLAVE_IO_BULK_H

#include "nodes/work/mailbox.h"
#include "shared/base/blob.h"
#include "shared/base/hash.h"

struct bulk;

/* What was moved. */
struct bulk_report {
    struct mail mail; /* first: reports come as a list of these */
    uint64_t seq, len;
    bool last;
    uint8_t hash[HASH_BYTES]; /* of the stream, with its last piece */
};

/* Starts the thread. The first one of a process is where blobs have their memory from; its calling
 * thread is the loop's, which keeps blocks. */
struct bulk *bulk_start(void);

/* Keeps so many bytes of blocks at most, and never more than BULK_KEPT_BYTES. Before others run. */
void bulk_keep_at_most(struct bulk *bulk, uint64_t bytes);

/* Finishes what was asked for and ends the thread. Memory that is dropped from now on is given back
 * at once. */
void bulk_stop(struct bulk *bulk);

/* Frees all of a stopped one, when no other thread drops blobs any more. Nulls the pointer; accepts
 * NULL. */
void bulk_destroy(struct bulk **bulk);

/* Copies a piece into a blob at `offset`, and adds it to the stream (takes new references to both
 * blobs): one report. The stream comes from malloc and hash_begin(); with its last piece the thread
 * frees it. Without a piece, and `last`: the stream is of no use, and there is no report. */
void bulk_move(struct bulk *bulk, struct hash_stream *stream, struct blob *into, uint64_t offset,
               struct blob *piece, bool last, uint64_t seq);

/* Takes all reports, oldest first; NULL when there is none. Each is the caller's to free(). */
struct bulk_report *bulk_take(struct bulk *bulk);
struct bulk_report *bulk_next(const struct bulk_report *report);

/* Readable while bulk_take() has something. */
int bulk_fd(const struct bulk *bulk);

/* The loop has had no values for a while: blocks that are kept go back to the system. */
void bulk_give_back(struct bulk *bulk);

/* Bytes of blocks that are kept. */
size_t bulk_kept_bytes(void);

#endif
