/* checkpoint.h - a checkpoint as what it consists of: packed parts, in order. */
#ifndef CONCLAVE_RAFT_CHECKPOINT_H
#define CONCLAVE_RAFT_CHECKPOINT_H

#include "shared/base/blob.h"
#include "shared/base/types.h"

struct checkpoint {
    uint32_t refs;
    log_index_t index;
    term_t term;
    struct blob **parts; /* packed; owned */
    size_t n, size;
    size_t n_blocks;     /* the last ones: blocks of keys, not for the disk of who has made it */
    uint64_t next_block; /* one past the number of the last of them */
};

/* A checkpoint to be filled part by part (takes references). */
struct checkpoint *checkpoint_new(log_index_t index, term_t term);
void checkpoint_add(struct checkpoint *checkpoint, struct blob *part);

/* Of all parts. */
uint64_t checkpoint_bytes(const struct checkpoint *checkpoint);

struct checkpoint *checkpoint_ref(struct checkpoint *checkpoint);
void checkpoint_drop(struct checkpoint **checkpoint);

#endif
