/* transfer.h - pulling big values from peers over the value plane: a pure state machine.
 *
 *   waiting --> pulling --> checking --> ready
 *                  |___________|_______> pulling from the next source, or failed
 *   fed --> checking --> ready, or failed (its pieces come from the core: transfer_feed())
 *
 * A fetch of a value is shared: whoever wants it (enum value_user) joins the one that is under way,
 * and each gets exactly one end of its own: TRANSFER_END, ready or failed, or the end of its own
 * cancel. Nobody cancels, redirects or swallows another's. A source that another user names is an
 * alternative: a fetch fails only when each of its sources has.
 *
 * A few chunks are in flight; what does not come is asked for again from where it stopped, and a
 * source from which nothing comes for FETCH_FAIL_US has failed. Chunks are put into their place and
 * hashed elsewhere, as they come (TRANSFER_MOVE); more are asked for when that is done.
 *
 * The runtime drives it with sockets and threads, the simulator with a network that is made up:
 * after every call, take what transfer_next() has. */
#ifndef CONCLAVE_CORE_TRANSFER_H
#define CONCLAVE_CORE_TRANSFER_H

#include "nodes/core/values/values.h"
#include "shared/base/text.h"

#define FETCH_WINDOW        4             /* chunks in flight: 2 MiB keep a fast link busy */
#define FETCHES_PULLING_MAX 8             /* at the same time; others wait in order */
#define FETCH_RETRY_US      (300 * MS_US) /* a chunk that has not come by then is asked for again */
#define FETCH_FAIL_US       (2 * SECOND_US) /* no progress for this long: the source failed */

struct transfer;

struct transfer_config {
    node_id_t self;
    uint64_t len_max;     /* a longer value is refused */
    uint64_t chunk_bytes; /* 0: VALUE_CHUNK_BYTES */
};

enum transfer_output_kind {
    TRANSFER_ASK,  /* send the message to a peer on the value plane; lost when it cannot be */
    TRANSFER_MOVE, /* copy the piece into the blob, add it to the stream `seq`: transfer_moved() */
    TRANSFER_ABANDON, /* the stream is of no use any more */
    TRANSFER_END      /* a user's fetch has ended: EVENT_VALUE_READY or EVENT_VALUE_FAILED */
};

struct transfer_output {
    enum transfer_output_kind kind;
    node_id_t node;          /* ASK: to whom; END: the last source */
    struct message *message; /* ASK: owned by whoever takes the output */
    uint64_t seq;            /* MOVE, ABANDON: names the stream; streams begin with their first */
    struct blob *blob;       /* MOVE: into which; likewise owned ... */
    struct blob *piece;      /* ... and what */
    uint64_t offset;
    bool last;            /* then the stream has a hash: transfer_hashed() */
    enum value_user user; /* END */
    struct value_id id;
    bool ready; /* in memory, held for the user */
    bool used;  /* not ready: nobody needs it any more */
};

/* Borrows the values, into which it puts what has come. Caller destroys. */
struct transfer *transfer_new(const struct transfer_config *config, struct values *values);
void transfer_destroy(struct transfer **transfer);

/* OUTPUT_FETCH. A user that asks again before the end adds a source, and has one end. */
void transfer_fetch(struct transfer *transfer, const struct fetch_order *order, uint64_t now_us);

/* OUTPUT_FEED: a piece of a value that nobody is asked for. What does not come behind the pieces
 * before it ends the fetch: it failed. It is given up by transfer_drop() alone. */
void transfer_feed(struct transfer *transfer, const struct feed_order *order, uint64_t now_us);

/* The user gives up fetching, and lets go of, a value; op 0: all of the job; job 0: everything.
 * That is the end of its fetches; nobody else's change. */
void transfer_drop(struct transfer *transfer, enum value_user user, struct value_id id,
                   uint64_t now_us);

/* Takes in a chunk. ERR_MALFORMED with one line in `why`: it is out of range and was dropped. */
int transfer_chunk(struct transfer *transfer, node_id_t from, const struct message *message,
                   uint64_t now_us, struct text *why);

/* A piece of that length is in its place, and not the last one. */
void transfer_moved(struct transfer *transfer, uint64_t seq, uint64_t len, uint64_t now_us);

/* The last piece is, too, and this is the hash of the stream. */
void transfer_hashed(struct transfer *transfer, uint64_t seq, const uint8_t hash[HASH_BYTES],
                     uint64_t now_us);

/* The connection to a peer is gone: as a source it failed. */
void transfer_link_down(struct transfer *transfer, node_id_t peer, uint64_t now_us);

/* Bytes of values that have come so far. */
uint64_t transfer_received(const struct transfer *transfer);

/* Asks again for what has not come. */
void transfer_tick(struct transfer *transfer, uint64_t now_us);

/* When transfer_tick() is due; 0: transfer_next() has something. */
uint64_t transfer_deadline(const struct transfer *transfer);

/* Takes the next output, true. */
bool transfer_next(struct transfer *transfer, struct transfer_output *out);
void transfer_output_clear(struct transfer_output *output);

/* What the core learns of a TRANSFER_END. */
struct event transfer_event(const struct transfer_output *end);

/* The source that a value is being pulled from; NODE_NONE: it is not. */
node_id_t transfer_source(const struct transfer *transfer, struct value_id id);

/* True while the user waits for the value: its end has not been taken yet. */
bool transfer_is_wanted(const struct transfer *transfer, enum value_user user, struct value_id id);

#endif
