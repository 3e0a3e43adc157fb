/* pull.h - does for the transfer (nodes/core/values/transfer.h) what it asks for: questions go out
 * through the gate, chunks are put into their place and hashed by the thread for bulk. */
#ifndef CONCLAVE_IO_PULL_H
#define CONCLAVE_IO_PULL_H

#include "nodes/core/values/transfer.h"
#include "nodes/io/bulk.h"
#include "nodes/io/gate.h"

/* Zero-initialize, but for the first three (borrows). */
struct pull {
    struct transfer *transfer;
    struct bulk *bulk;
    struct gate *gate;
    struct map streams; /* by number -> struct hash_stream, the bulk thread's until its end */
};

/* Carries out all that the transfer wants, up to the next end of a fetch: true, in *end. */
bool pull_next(struct pull *pull, struct transfer_output *end);

/* Tells the transfer what the thread has done. */
void pull_take_moved(struct pull *pull, uint64_t now_us);

/* After transfer_destroy(). */
void pull_clear(struct pull *pull);

#endif
