/* runs.h - small entries that follow each other in the log go to followers in one frame.
 *
 * With keys each frame is sealed, opened, allocated and passed from thread to thread by itself, at
 * six nodes at once; that is many times what an entry of a small job costs otherwise. Followers
 * that want the same entries share the frame. */
#ifndef CONCLAVE_CORE_RUNS_H
#define CONCLAVE_CORE_RUNS_H

#include "nodes/core/raft/raft_types.h"

/* Adds entries of one term from `from` on, `most` (at least 1) at most, to an append: several as a
 * run where they are small and the peer knows runs, else one. Returns how many. */
size_t runs_add(struct raft *raft, node_id_t peer, log_index_t from, size_t most,
                struct message *message);

/* The frame that is kept for other followers is dropped. */
void runs_forget(struct raft *raft);

/* --- reading --- */

/* Walks over the entries of an append. Begin with {.message = message}. */
struct runs_reader {
    const struct message *message;
    size_t item;       /* the next one */
    uint64_t left;     /* entries of the run before it that were not read yet */
    struct slice rest; /* these */
    term_t term;       /* of the entry read last */
};

/* The next entry, a reference that the caller drops. False: that was the last; *sound is false when
 * it ends because what comes next is malformed. */
bool runs_next(struct runs_reader *reader, struct blob **packed, bool *sound);

#endif
