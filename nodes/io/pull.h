/* pull.h - does for the transfer (nodes/core/values/transfer.h) what it asks for: questions go out
 * through the gate, chunks are hashed by the store thread. */
#ifndef CONCLAVE_IO_PULL_H
#define CONCLAVE_IO_PULL_H

#include "nodes/core/values/transfer.h"
#include "nodes/io/gate.h"
#include "nodes/io/store.h"

/* Zero-initialize, but for the first three (borrows). */
struct pull {
    struct transfer *transfer;
    struct store *store;
    struct gate *gate;
    struct map streams; /* by number -> struct hash_stream, the store thread's until its end */
};

/* Carries out all that the transfer wants, up to the next end of a fetch: true, in *end. */
bool pull_next(struct pull *pull, struct transfer_output *end);

/* After transfer_destroy(). */
void pull_clear(struct pull *pull);

#endif
