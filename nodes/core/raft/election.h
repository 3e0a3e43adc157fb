/* election.h - who coordinates: Raft's terms and votes (Ongaro & Ousterhout 2014, section 5.2),
 * with pre-vote, leader stickiness and check-quorum (Ongaro's thesis, 9.6 and 6.2).
 *
 *   follower --timeout, or the coordinator's connection closed--> pre-candidate --majority would
 * vote--> candidate candidate --majority--> coordinator --a higher term, or no majority follows-->
 * follower */
#ifndef CONCLAVE_CORE_ELECTION_H
#define CONCLAVE_CORE_ELECTION_H

#include "nodes/core/state.h"

void election_init(struct node *node, const struct node_durable *durable);

void election_vote_request(struct node *node, node_id_t from,
                           const struct wire_vote_request *request);
void election_vote_reply(struct node *node, node_id_t from, const struct wire_vote_reply *reply);

/* Reads terms and the coordinator's life from a heartbeat. */
void election_heartbeat(struct node *node, node_id_t from, const struct wire_heartbeat *heartbeat);

/* Something that only the coordinator of a term sends arrived from a node. False: it is of an old
 * term. */
bool election_accept_coordinator(struct node *node, node_id_t from, term_t term);

/* Somebody is in a higher term: so are we, as a follower. */
void election_see_term(struct node *node, node_id_t from, term_t term);

/* Our disk's admission is applied: from now on, once that is durable, it counts as a voter's. */
void election_admitted(struct node *node);

/* The wait for a coordinator begins now. */
void election_rest(struct node *node);

/* It ends after so long. */
void election_hurry(struct node *node, uint64_t after_us);

/* Writes term, vote and the cluster's identity; nothing leaves before they are durable. */
void election_write(struct node *node);

/* A peer's control connection closed. */
void election_peer_lost(struct node *node, node_id_t peer);

/* The first entry of our term is committed: from now on we serve. */
void election_serve(struct node *node);

void election_tick(struct node *node);
uint64_t election_deadline(const struct node *node);

/* This node was stopped or starved for `late_us`: a coordinator that slept through an election
 * timeout steps down, others wait a whole timeout again before they suspect anyone. */
void election_late(struct node *node, uint64_t late_us);

/* Our disk has become full, or has room again: a coordinator that cannot write makes way for one
 * that can. */
void election_space(struct node *node);

uint32_t election_quorum(const struct node *node);
const char *election_role_name(const struct node *node);
void election_check_invariants(const struct node *node);

#endif
