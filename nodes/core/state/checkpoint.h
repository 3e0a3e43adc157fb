/* checkpoint.h - the checkpoint: the applied state as a sequence of packed messages (schema.h:
 * image_...).
 *
 * It is built in slices: checkpoint_begin() takes the state as it is applied then,
 * checkpoint_pump() goes on in each step, from group to group of rows (groups.h), and a group of
 * which a row is about to change is taken before (row.h). A group that has not changed since it was
 * packed is taken as it is: its parts are the same bytes in memory, by which raft/stored.h sees
 * that they are on the disk already. Of a row with large values only a list of references is taken,
 * whose packing is left to later slices. So it never holds the event loop, however large the state
 * is, it costs what has changed since the last one, and entries go on being applied meanwhile. Any
 * number may be under way at the same time; a group is packed once for all that lack it.
 *
 * What is packed stays in memory: as many bytes as a checkpoint has, which are fewer than its rows
 * take; and until the next one is written, what has changed since the last one (raft/stored.h).
 *
 *   building --all rows packed--> done
 *       \-----the state was replaced by a checkpoint of another node--> lost
 */
#ifndef CONCLAVE_CORE_CHECKPOINT_STATE_H
#define CONCLAVE_CORE_CHECKPOINT_STATE_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/checkpoint_sink.h"
#include "nodes/core/state/state_types.h"

/* Empty tables, of a new node, which say what changes in them from now on. */
void checkpoint_init(struct state *state);

/* --- building --- */

/* Begins a checkpoint of the state as it is applied now. A small state is done at once. Caller ends
 * it. */
struct checkpoint_build *checkpoint_begin(struct state *state, enum checkpoint_use use);

/* Forgets a build, done or not, and nulls the pointer. Accepts NULL. */
void checkpoint_end(struct state *state, struct checkpoint_build **build);

bool checkpoint_is_done(const struct checkpoint_build *build);
bool checkpoint_is_lost(const struct checkpoint_build *build);

/* The checkpoint of a build that is done (borrows); NULL: it is not. */
struct checkpoint *checkpoint_of(const struct checkpoint_build *build);

/* Packs a slice of what is under way; at most one every CHECKPOINT_SLICE_GAP_US. */
void checkpoint_pump(struct state *state);

void checkpoint_check_invariants(const struct state *state);

/* When the next slice is due; UINT64_MAX: nothing is under way. */
uint64_t checkpoint_deadline(const struct state *state);

/* --- loading --- */

/* Takes one part in, in order, into a state that was empty before the first one, the head, which
 * says what is applied. Calls `want` (may be NULL) with `wanting` for every value that the part
 * needs on disk. ERR_MALFORMED when it does not fit. */
int checkpoint_load_part(struct state *into, struct slice part, machine_value *want, void *wanting);

/* An empty state to load a checkpoint into, beside the one that goes on; it can do nothing else. */
struct state *checkpoint_scratch_new(const struct state *state);
void checkpoint_scratch_drop(struct state **scratch);

/* Replaces the node's state by the loaded one, and frees that. What is being built is lost. */
void checkpoint_replace_state(struct state *state, struct state **scratch);

/* Forgets the state. */
void checkpoint_clear_state(struct state *state);

#endif
