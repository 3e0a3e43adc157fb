/* chunks.h - chunks of stored values that clients have sent and have no answer to: each client has
 * a credit of VALUE_CHUNKS_CREDIT, whatever they are for and to whichever node they went.
 *
 * A chunk is 512 KiB: without a credit one client that sends and never reads would take all that
 * may wait for a node. A chunk that is sent again under its number is the same one, once it has
 * waited for as long as a client does. What a node that lives does not answer counts no more after
 * CHUNK_SILENT_US: it was dropped on the way. Pure: the time comes in. */
#ifndef CONCLAVE_BROKER_CHUNKS_H
#define CONCLAVE_BROKER_CHUNKS_H

#include <stdbool.h>

#include "shared/base/limits.h"
#include "shared/base/map.h"
#include "shared/base/types.h"

/* Much less than CLIENT_RETRY_MS, so that no client that waits is taken for one that does not; and
 * more than a segment takes until it is on the disks of a majority. */
#define CHUNK_AGAIN_US  (200 * MS_US)
#define CHUNK_SILENT_US (10 * SECOND_US)

/* Zero-initialize before the first use. */
struct chunks {
    struct map clients; /* hash of the routing id -> struct client_chunks; owned */
    uint64_t swept_us;
};

/* Counts a chunk that goes to the node; false, and it is not counted: the client's credit is used
 * up. */
bool chunks_add(struct chunks *chunks, struct slice client, uint64_t request, node_id_t node,
                uint64_t now_us);

/* The client's request is answered, or was not passed on; it may have been anything else. */
void chunks_take(struct chunks *chunks, struct slice client, uint64_t request);

/* What went to the node is not answered any more. */
void chunks_forget(struct chunks *chunks, node_id_t node, uint64_t now_us);

/* Lets time pass; call it now and then. */
void chunks_sweep(struct chunks *chunks, uint64_t now_us);

void chunks_clear(struct chunks *chunks);

#endif
