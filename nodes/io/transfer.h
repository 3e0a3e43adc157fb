/* transfer.h - pulling big values from peers over the value plane.
 *
 * A fetch: waiting -> pulling (a few chunks in flight; what does not come is asked for again from
 * where it stopped) -> checking (all bytes are here, the store thread finishes the hash) -> ready
 * or failed. Chunks are hashed by the store thread as they come, so the loop stays free and the
 * last chunk is soon followed by the answer. */
#ifndef CONCLAVE_IO_TRANSFER_H
#define CONCLAVE_IO_TRANSFER_H

#include "nodes/io/gate.h"
#include "nodes/io/store.h"
#include "nodes/io/values.h"

#define FETCH_WINDOW        4             /* chunks in flight: 2 MiB keep a fast link busy */
#define FETCHES_PULLING_MAX 8             /* at the same time; others wait in order */
#define FETCH_RETRY_US      (300 * MS_US) /* a chunk that has not come by then is asked for again */
#define FETCH_FAIL_US       (2 * SECOND_US) /* no progress for this long: it failed */

struct transfer;

/* Borrows all; a value longer than `len_max` bytes is refused. Caller destroys. */
struct transfer *transfer_new(node_id_t self, uint64_t len_max, struct values *values,
                              struct store *store, struct gate *gate);
void transfer_destroy(struct transfer **transfer);

/* Pulls a value; asked for again while it is pulled, it is pulled once. transfer_next() tells the
 * end. */
void transfer_fetch(struct transfer *transfer, struct value_id id, node_id_t from, uint64_t len,
                    const uint8_t hash[HASH_BYTES], uint64_t now_us);

/* Gives up fetching a value; op 0: all of the job; job 0: everything. Nobody is told. */
void transfer_cancel(struct transfer *transfer, struct value_id id);

/* Takes in a chunk. ERR_MALFORMED with one line in `why`: it is absurd and was dropped. */
int transfer_chunk(struct transfer *transfer, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why);

/* Takes in STORE_HASHED. */
void transfer_hashed(struct transfer *transfer, uint64_t seq, const uint8_t hash[HASH_BYTES]);

/* The connection to a peer is gone: what was pulled from it failed. */
void transfer_link_down(struct transfer *transfer, node_id_t peer);

/* Asks again for what has not come. */
void transfer_tick(struct transfer *transfer, uint64_t now_us);

/* When transfer_tick() is due; 0: transfer_next() has something. */
uint64_t transfer_deadline(const struct transfer *transfer);

/* Takes the next end of a fetch, true; the value is then in memory if *ready. */
bool transfer_next(struct transfer *transfer, struct value_id *id, node_id_t *from, bool *ready);

#endif
