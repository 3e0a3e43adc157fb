/* checkpoint_sink.h - where tables put the packed messages of their rows, and how these become
 * parts of a checkpoint. */
#ifndef CONCLAVE_CORE_CHECKPOINT_SINK_H
#define CONCLAVE_CORE_CHECKPOINT_SINK_H

#include "nodes/core/raft/raft.h"
#include "shared/wire/message.h"

/* What a checkpoint is for. */
enum checkpoint_use {
    CHECKPOINT_WHOLE, /* for a disk: rows are bundled into few large parts */
    CHECKPOINT_OPEN /* for a snapshot: without finished jobs, a part for each row; from this a fresh
                     * cluster goes on */
};

/* Collects the packed messages of one row, of a group of rows, or of one table. Zero-initialize. */
struct checkpoint_sink {
    struct blob **at; /* owned */
    size_t n, size, bytes;
    struct message **late; /* owned: to be packed in later slices */
    size_t n_late, late_size;
    bool late_only;    /* what is not late was packed before */
    log_index_t index; /* what the checkpoint covers, for its head */
    term_t term;
    enum checkpoint_use use;
};

/* Packs a message (takes it) into the sink. */
void checkpoint_sink_add(struct checkpoint_sink *sink, struct message *message);

/* For what may be large: the message (takes it) is packed in a later slice. Its texts and frames
 * must not change any more; it may come after other rows, but never before what was added here. */
void checkpoint_sink_add_late(struct checkpoint_sink *sink, struct message *message);

/* What is in it, as parts (caller drops): rows are bundled, at most so many in one. */
struct checkpoint *checkpoint_sink_bundle(const struct checkpoint_sink *sink, size_t rows_max);

void checkpoint_sink_clear(struct checkpoint_sink *sink);

/* A bundle that grows: adds a packed row, and moves what is full to the end of `parts`, as
 * bundle_flush() does with the rest. Zero-initialize. */
struct bundle {
    struct message *message; /* being filled; NULL: none */
    size_t bytes;
};

void bundle_add(struct bundle *bundle, struct checkpoint *parts, struct blob *row, size_t rows_max);
void bundle_flush(struct bundle *bundle, struct checkpoint *parts);

/* Packs a message, or panics. Caller drops. */
struct blob *checkpoint_pack(const struct message *message);

#endif
