/* participant.h - how a room takes part in a snapshot: it writes its state at the cut as parts.
 *
 * The interface by which the snapshot room meets rooms that it knows nothing of; node.c has the
 * list of them. What they have written comes back to a fresh cluster through its disks: as records
 * and as a checkpoint (shared/snapshot), so that a room restores what it always does. */
#ifndef CONCLAVE_CORE_PARTICIPANT_H
#define CONCLAVE_CORE_PARTICIPANT_H

#include "shared/wire/message.h"

/* Takes what a room writes. Each says what it counts for in the memory of snapshots; 0: it does not
 * fit, and nothing more is of use. */
struct cut_writer {
    uint64_t (*add)(void *context, struct message *part);     /* takes the message */
    uint64_t (*add_packed)(void *context, struct blob *part); /* takes a new reference */
    uint64_t (*add_rest)(void *context,
                         uint64_t bytes); /* which the rest takes until it is packed */
    void *context;
    size_t rows_max; /* in one part, for tests; 0: as in limits.h */
};

/* Rows in one part of which so many fit. */
static inline size_t cut_rows(const struct cut_writer *writer, size_t most)
{
    return writer->rows_max && writer->rows_max < most ? writer->rows_max : most;
}

/* How far a room has come with what it could not write in the step of the cut. */
enum cut_progress {
    CUT_GOES_ON, /* as much as was asked for is written, or it waits for something of its own */
    CUT_WRITTEN, /* all is */
    CUT_LOST     /* it will never be: the state that it was of is gone */
};

struct participant {
    const char *name;

    /* Fills its fields of the part that all reports begin with; NULL: it has none. */
    void (*count)(const void *room, struct wire_cut_state *head);

    /* Has something to write only at a coordinator that serves. */
    bool coordinators;

    /* In the step of the cut, which must be short: writes its state as it is now, or notes it, and
     * returns the notes (the rest), whose packing is left to later steps. NULL: all is written. */
    void *(*record)(void *room, const struct cut_writer *writer);

    /* Packs about so many bytes of the rest. */
    enum cut_progress (*pack)(void *room, void *rest, const struct cut_writer *writer,
                              uint64_t bytes);

    /* True while pack() would write something if it were called now. */
    bool (*can_pack)(const void *rest);

    /* Frees the rest, whole or not. */
    void (*drop)(void *room, void *rest);
};

#define PARTICIPANTS_MAX 8 /* rooms; there are four */

/* A list of operations under construction, a part for every so many. Zero-initialize but for the
 * writer. */
struct cut_ops {
    const struct cut_writer *writer;
    bool coordinator;
    struct message *part;
};

void cut_add_op(struct cut_ops *ops, struct wire_cut_op op);
void cut_end_ops(struct cut_ops *ops);

#endif
