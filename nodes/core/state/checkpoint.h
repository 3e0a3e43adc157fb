/* checkpoint.h - the full checkpoint: the applied state as a sequence of packed messages (schema.h:
 * image_...).
 *
 * It is built in slices: image_begin() takes the state as it is applied then, image_pump() packs
 * some rows in a step, and a row that is about to change is packed before (row.h). Of a row with
 * large values only a list of references is taken then, whose packing is left to later slices. So
 * it never holds the event loop, however large the state is, and entries go on being applied
 * meanwhile.
 * Any number may be under way at the same time; a row is packed once for all that lack it.
 *
 *   building --all rows packed--> done
 *       \-----the state was replaced by a checkpoint of another node--> lost
 */
#ifndef CONCLAVE_CORE_CHECKPOINT_STATE_H
#define CONCLAVE_CORE_CHECKPOINT_STATE_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state_types.h"

/* The tables of a new node say what changes in them, from now on. */
void image_init(struct state *state);

/* --- building --- */

/* What a checkpoint is for. */
enum image_use {
    IMAGE_WHOLE, /* for a disk: rows are bundled into few large parts */
    IMAGE_OPEN   /* for a snapshot: without finished jobs, a part for each row; from this a fresh
                  * cluster goes on */
};

/* Begins a checkpoint of the state as it is applied now. A small state is done at once. Caller ends
 * it. */
struct image_build *image_begin(struct state *state, enum image_use use);

/* Forgets a build, done or not, and nulls the pointer. Accepts NULL. */
void image_end(struct state *state, struct image_build **build);

bool image_is_done(const struct image_build *build);
bool image_is_lost(const struct image_build *build);

/* The checkpoint of a build that is done (borrows); NULL: it is not. */
struct image *image_of(const struct image_build *build);

/* Packs a slice of what is under way; at most one every IMAGE_SLICE_GAP_US. */
void image_pump(struct state *state);

void image_check_invariants(const struct state *state);

/* When the next slice is due; UINT64_MAX: nothing is under way. */
uint64_t image_deadline(const struct state *state);

/* --- the tables of the state: tables.c --- */

/* Collects the packed messages of one row, or of one table. */
struct image_sink {
    struct blob **at; /* owned */
    size_t n, size, bytes;
    struct message **late; /* owned: to be packed in later slices */
    size_t n_late, late_size;
    log_index_t index; /* what the checkpoint covers, for its head */
    term_t term;
    enum image_use use;
};

/* A table of the replicated state. A new one is a row in tables.c, with a message of its own
 * and a function that loads it. */
struct image_table {
    const char *name;
    /* A small table: packs all of it when a checkpoint begins. */
    void (*save_all)(struct image_sink *sink, const struct state *state);
    /* A large one, row by row: the first row at or behind the cursor, which moves behind it; NULL:
     * no more. */
    struct row *(*next)(const struct state *state, uint64_t *cursor);
    void (*save)(struct image_sink *sink, const struct state *state, const struct row *row);
    /* False for rows that IMAGE_OPEN goes without; NULL: it has all. */
    bool (*is_open)(const struct row *row);
};

const struct image_table *image_table(enum row_table table);

/* Packs a message (takes it) into the sink. */
void image_sink_add(struct image_sink *sink, struct message *message);

/* For what may be large: the message (takes it) is packed in a later slice. Its texts and frames
 * must not change any more; it may come behind other rows, but never before what was added here. */
void image_sink_add_late(struct image_sink *sink, struct message *message);

/* --- loading --- */

/* Takes one part in, in order, into a state that was empty before the first one, the head, which
 * says what is applied. Calls `want` (may be NULL) with `wanting` for every value that the part
 * needs on disk. ERR_MALFORMED when it does not fit. */
int image_load_part(struct state *into, struct slice part, machine_value *want, void *wanting);

/* An empty state to load a checkpoint into, beside the one that goes on; it can do nothing else. */
struct state *image_scratch_new(const struct state *state);
void image_scratch_drop(struct state **scratch);

/* Replaces the node's state by the loaded one, and frees that. What is being built is lost. */
void image_replace_state(struct state *state, struct state **scratch);

/* Forgets the state. */
void image_clear_state(struct state *state);

#endif
