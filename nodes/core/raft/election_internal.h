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

/* --- what others say of terms, and whether it is believed: election_terms.c --- */

/* A peer says which term it is in. False: out of range, which is counted. */
bool election_note_term(struct raft *raft, node_id_t from, term_t term);

/* Our election timeout has run out without result: enters a higher term that a voter says it is in,
 * or comes closer to it. */
void election_climb(struct raft *raft);

/* A majority follows that node, in a term below ours: we are alone, and wait to be recalled. */
node_id_t election_led_below(const struct raft *raft);

/* Our coordinator has itself elected again, for somebody who is alone in a higher term. */
void election_count_recall(struct raft *raft);

/* As coordinator: asks whether it would be elected again when a voter is alone in a higher term; a
 * majority grants. */
void election_recall(struct raft *raft);
void election_recall_granted(struct raft *raft);

/* The greatest term in which a candidate can get our vote. */
term_t election_reach(const struct raft *raft, node_id_t from);

/* It got a pre-vote. */
void election_grant_recall(struct raft *raft, node_id_t from, term_t term);

/* False when a candidate has raised our term too often lately; each time counts. */
bool election_may_raise(const struct raft *raft, node_id_t from);
void election_count_raise(struct raft *raft, node_id_t from);

/* --- votes: election_votes.c --- */

/* Votes for itself, and asks all other voters for their votes, or pre-votes, in a term. */
void election_ask_for_votes(struct raft *raft, bool pre, term_t term);
unsigned election_count_votes(const struct raft *raft);

/* --- candidacy: election.c --- */

/* Enters a higher term, with our own vote. */
void election_become_candidate(struct raft *raft, term_t term);

/* Somebody may win now: when to ask again if nobody does. */
void election_wait_for_winner(struct raft *raft);

/* --- stepping down: election_step_down.c --- */

/* Of a coordinator that nobody follows, or whose entries stand still. */
void election_check_quorum(struct raft *raft);
void election_make_way(struct raft *raft);

/* When a coordinator that hears nothing more is no longer followed by a majority. */
uint64_t election_followed_until_us(const struct raft *raft);

#endif
