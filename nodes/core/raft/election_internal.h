/* election_internal.h - shared by the files that implement election.h, and by nobody else. */
#ifndef CONCLAVE_CORE_ELECTION_INTERNAL_H
#define CONCLAVE_CORE_ELECTION_INTERNAL_H

#include "nodes/core/raft/election.h"

/* --- roles and terms: election_roles.c --- */

/* Changes the role; a coordinator that becomes a follower ends its term's work. `coordinator`: whom
 * it follows; NODE_NONE: nobody yet. */
void election_become_follower(struct raft *raft, node_id_t coordinator);
void election_become_coordinator(struct raft *raft);

/* Enters a higher term, with no vote in it yet. */
void election_enter_term(struct raft *raft, term_t term);

/* True when a term that somebody names may be entered: not out of range; else that is noted. */
bool election_is_plausible(struct raft *raft, node_id_t from, term_t term);

/* --- votes: election_votes.c --- */

/* Votes for itself, and asks all other voters. */
void election_ask_for_votes(struct raft *raft, bool pre);
unsigned election_count_votes(const struct raft *raft);

/* --- candidacy: election.c --- */

/* Enters the next term, with our own vote. */
void election_become_candidate(struct raft *raft);

/* Somebody may win now: when to ask again if nobody does. */
void election_wait_for_winner(struct raft *raft);

/* --- stepping down: election_step_down.c --- */

/* Of a coordinator that nobody follows, or whose entries stand still. */
void election_check_quorum(struct raft *raft);
void election_make_way(struct raft *raft);

/* When a coordinator that hears nothing more is no longer followed by a majority. */
uint64_t election_followed_until_us(const struct raft *raft);

#endif
