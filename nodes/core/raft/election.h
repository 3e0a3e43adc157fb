/* election.h - who coordinates: Raft's terms and votes (Ongaro & Ousterhout 2014, section 5.2),
 * with pre-vote, leader stickiness and check-quorum (Ongaro's thesis, 9.6 and 6.2).
 *
 *   follower      --timeout, or the coordinator's connection closed--> pre-candidate
 *   pre-candidate --a majority would vote--> candidate
 *   candidate     --a majority voted--> coordinator
 *   coordinator   --a higher term, or no majority follows--> follower */
#ifndef CONCLAVE_CORE_ELECTION_H
#define CONCLAVE_CORE_ELECTION_H

#include "nodes/core/raft/raft_types.h"

/* This node coordinates. */
bool election_leads(const struct raft *raft);

void election_init(struct raft *raft, const struct node_durable *durable);

void election_vote_request(struct raft *raft, node_id_t from,
                           const struct wire_vote_request *request);
void election_vote_reply(struct raft *raft, node_id_t from, const struct wire_vote_reply *reply);

/* Reads terms and the coordinator's incarnation from a heartbeat. */
void election_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat);

/* Something that only the coordinator of a term sends arrived from a node. False: it is of an old
 * term, or nothing shows that this node was elected in it. */
bool election_accept_coordinator(struct raft *raft, node_id_t from, term_t term);

/* A peer says that it is in a term. When enough voters are in a higher one than we, so are we, as a
 * follower (election_terms.c). */
void election_see_term(struct raft *raft, node_id_t from, term_t term);

/* A new incarnation of a peer has said nothing yet. */
void election_forget_stated(struct raft *raft, node_id_t peer);

/* False when nothing shows yet that a peer was elected in our term. */
bool election_may_lead(const struct raft *raft, node_id_t from);

/* After a peer's heartbeat was taken in: whom it follows may be the coordinator of our term. */
void election_heard_follower(struct raft *raft, const struct wire_heartbeat *heartbeat);

/* Our disk's admission is applied: from now on, once that is durable, it counts as a voter's. */
void election_admitted(struct raft *raft);

/* The wait for a coordinator begins now. */
void election_rest(struct raft *raft);

/* It ends after so long. */
void election_hurry(struct raft *raft, uint64_t after_us);

/* Writes term, vote and the cluster's identity; nothing leaves before they are durable. */
void election_write(struct raft *raft);

/* A peer's control connection closed. */
void election_peer_lost(struct raft *raft, node_id_t peer);

/* The first entry of our term is committed: from now on we serve. */
void election_serve(struct raft *raft);

void election_tick(struct raft *raft);
uint64_t election_deadline(const struct raft *raft);

/* This node was stopped or starved for `late_us`: a coordinator that slept through an election
 * timeout steps down, others wait a whole timeout again before they suspect anyone. */
void election_late(struct raft *raft, uint64_t late_us);

/* Our disk has become full, or has room again: a coordinator that cannot write steps down for one
 * that can. */
void election_space(struct raft *raft);

uint32_t election_quorum(const struct raft *raft);
const char *election_role_name(const struct raft *raft);
void election_check_invariants(const struct raft *raft);

#endif
