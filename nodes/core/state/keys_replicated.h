/* keys_replicated.h - the keys of jobs and progress snaps, which all nodes remember alike: log
 * entries, checkpoints, and records for what never changes.
 *
 * A sealed block of the window is a record of its own on each disk, written in the transaction of
 * the first checkpoint after it was sealed; the checkpoint only names the blocks that it
 * needs. Before that, the log makes it again. A node that is installed gets all of
 * them as parts. */
#ifndef CONCLAVE_CORE_KEYS_REPLICATED_H
#define CONCLAVE_CORE_KEYS_REPLICATED_H

#include "nodes/core/state/checkpoint.h"

/* The answer to who asked for a session. */
struct message *keys_session_reply(const struct key_session *session, uint64_t request);

/* Packs the table for a checkpoint, without the sealed blocks. For a fresh cluster that goes
 * on from a snapshot: the keys of the latest forgotten jobs; sessions end. */
void keys_save(struct checkpoint_sink *sink, const struct state *state);

/* For such a cluster: the keys of the finished ones of these jobs (their rows), which do not go
 * there. */
void keys_save_finished(struct checkpoint_sink *sink, struct row *const *rows, size_t n);

/* The sealed blocks as they are now, as parts (caller drops): for a peer after all other parts. */
struct checkpoint *keys_blocks(const struct state *state);

/* Writes the blocks of a checkpoint that are not on disk yet, and forgets those that it does not
 * need: in the step that writes the checkpoint. */
void keys_store_blocks(struct state *state, const struct checkpoint *checkpoint);

/* The state was replaced, by one that came with its blocks: none is on disk as a record. */
void keys_forget_blocks(struct state *state);

/* Takes back a part of a checkpoint, or a block from its record. ERR_MALFORMED, ERR_CORRUPT when it
 * does not fit. */
int keys_load_part(struct keys *keys, const struct message *message, struct slice packed);
int keys_restore_block(struct state *state, struct slice key, struct slice packed);

#endif
