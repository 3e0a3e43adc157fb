/* follower_internal.h - shared by the files that implement follower.h, and by nobody else. */
#ifndef CONCLAVE_CORE_FOLLOWER_INTERNAL_H
#define CONCLAVE_CORE_FOLLOWER_INTERNAL_H

#include "nodes/core/raft/follower.h"

/* --- follower.c --- */

/* Term, round, commit index and whether our disk votes are filled in. */
void follower_reply_append(struct raft *raft, node_id_t to, struct wire_append_reply reply);

/* The coordinator counts its rounds; our answers name the greatest that came. */
void follower_note_round(struct raft *raft, uint64_t round);

/* All values are here: takes in what waited for them. */
void follower_go_on(struct raft *raft);

/* --- follower_install.c --- */

/* All parts of the checkpoint, and all of its values, are here. */
void follower_finish_install(struct raft *raft, node_id_t to);

/* --- follower_values.c --- */

/* A value must be on this disk; nothing when it is, or is waited for already. `hash` may be empty;
 * `index`: of the entry, or checkpoint, that names it. */
void follower_want(struct raft *raft, node_id_t source, struct value_id id, uint64_t len,
                   struct slice hash, log_index_t index);
void follower_forget_needs(struct raft *raft);

#endif
