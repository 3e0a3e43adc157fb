/* stored.h - which parts of a checkpoint this node's disk has already, so that it writes the others
 * only.
 *
 * A part is named by the checkpoint with which it was written and its place in it (struct
 * part_name), and keeps its name for as long as it is used. Whether it is the same as one of the
 * last checkpoint is a matter of its bytes in memory, which both share (checkpoint.h of state/):
 * what was written or read by an earlier life of the node, or installed, is written once more. */
#ifndef CONCLAVE_RAFT_STORED_H
#define CONCLAVE_RAFT_STORED_H

#include "nodes/core/raft/checkpoint.h"
#include "nodes/core/step/step.h"
#include "shared/base/map.h"

/* Zero-initialize. */
struct stored {
    struct checkpoint *checkpoint; /* the last one written here; owned; NULL: none */
    struct part_name *names;       /* of its parts that the disk has, in order; owned */
    struct map by_part;            /* part -> its name */
    uint64_t parts, bytes;         /* written with that one */
    uint64_t reused_bytes;         /* of it, not written, because they were there */
};

/* Writes a checkpoint in the place of the last one; returns the persist sequence. */
uint64_t stored_write(struct stored *stored, struct outbox *out, struct checkpoint *checkpoint);

/* What the disk has is not known, or replaced as a whole. */
void stored_forget(struct stored *stored);

#endif
