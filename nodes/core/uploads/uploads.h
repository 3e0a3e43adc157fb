/* uploads.h - a coordinator takes stored values in: chunks become segments, segments go to the
 * disks of a majority and then into the log; and it has those dropped that are old.
 *
 *   taking --all chunks--> checking --the hash is right--> keeping --on our disk--> spreading
 *     |                       |                                                         |
 *     '--nothing more comes---'--> gone                       a majority has it (offers.h)
 *                                                                                       v
 *                                              gone <--its entry is applied-- proposed
 *
 * Segments of one value are proposed in their order. All of it is this term's: whoever coordinates
 * next knows what the log says, and clients go on behind that. Chunks are put into their place and
 * hashed where values that come from peers are (transfer.h), none of it in a step. */
#ifndef CONCLAVE_CORE_UPLOADS_H
#define CONCLAVE_CORE_UPLOADS_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"

enum segment_state {
    SEGMENT_TAKING,
    SEGMENT_CHECKING,
    SEGMENT_KEEPING,
    SEGMENT_SPREADING,
    SEGMENT_PROPOSED
};

/* A segment that is not committed. */
struct upload_segment {
    enum segment_state state;
    uint64_t number; /* of the value's, from 1 */
    uint64_t len, items, received;
    uint8_t sha256[HASH_BYTES];
    uint64_t deadline_us; /* taking: it is given up then; checking and keeping: asked again */
};

struct upload {
    job_id_t value;
    struct upload_segment at[UPLOAD_SEGMENTS_MAX]; /* those after the durable ones, in order */
    size_t n;
};

/* Zero-initialize, then set the first three. */
struct uploads {
    struct step *step;
    struct raft *raft;
    struct state *state;
    struct upload *at; /* UPLOADS_MAX; owned; NULL: not needed yet */
    size_t n;
    uint64_t bytes; /* of all segments in them */
    struct {
        job_id_t value;
        uint64_t segment;
    } wrong; /* the last one whose hash was another than its client said */
    /* ages.c: since when time is not logged, and before that; what was looked at; what is dropped
     * with which entry. */
    uint64_t aged_us, aged_before_us;
    uint64_t looked_ms;
    bool looked;
    log_index_t dropping;
};

enum upload_answer {
    UPLOAD_TAKEN,   /* the chunk is there; the last one: its segment is committed */
    UPLOAD_WAITS,   /* the segment is whole here, and not committed yet */
    UPLOAD_UNKNOWN, /* what comes before it is not known here: the client begins again */
    UPLOAD_BUSY,    /* later */
    UPLOAD_INVALID
};

/* A chunk of a value that is there. `why`: for people, when it is not taken. */
enum upload_answer uploads_put(struct uploads *uploads, const struct stored_value *value,
                               const struct message *request, struct text *why);

/* What has become of a segment: TAKEN, WAITS, UNKNOWN; INVALID: its bytes are others than its
 * client said. */
enum upload_answer uploads_status(const struct uploads *uploads, job_id_t value, uint64_t segment);

/* The ends of what it asked for, as USER_UPLOAD. */
void uploads_value_ready(struct uploads *uploads, struct value_id id);
void uploads_value_failed(struct uploads *uploads, struct value_id id);
void uploads_value_kept(struct uploads *uploads, struct value_id id);

/* A value that nobody names is dropped when it has been so old; `whole` or not. */
uint64_t uploads_keep_ms(const struct uploads *uploads, bool whole);

/* This node begins to serve as the coordinator; it is no longer. */
void uploads_start(struct uploads *uploads);
void uploads_stop(struct uploads *uploads);

void uploads_tick(struct uploads *uploads);
void uploads_pump(struct uploads *uploads);
uint64_t uploads_deadline(const struct uploads *uploads);
void uploads_clear(struct uploads *uploads);
void uploads_check_invariants(const struct uploads *uploads);

#endif
