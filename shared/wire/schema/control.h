/* control.h - the control plane, between nodes. */
#ifndef CONCLAVE_WIRE_SCHEMA_CONTROL_H
#define CONCLAVE_WIRE_SCHEMA_CONTROL_H

#include "shared/wire/schema/fields.h"

#define VOTE_REQUEST_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    BOOL(REQ, pre, "a pre-vote: asks without changing terms")             \
    U64(REQ, term, TERM_MAX, "the term that the candidate wants to lead") \
    U64(REQ, last_index, LOG_INDEX_MAX, "the candidate's last log index") \
    U64(REQ, last_term, TERM_MAX, "and its term")                         \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the candidate's cluster")

#define VOTE_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    BOOL(REQ, pre, "answers a pre-vote")                                               \
    U64(REQ, term, TERM_MAX, "the term asked for, when granted; else the voter's own") \
    BOOL(REQ, granted, "the vote")                                                     \
    BOOL(OPT, voter, "its disk is admitted; else its vote counts for nothing")         \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the voter's cluster; empty: none")

/* The identity of the cluster, for a disk that has none yet. */
#define FOUND_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "random, made at the founding")         \
    U64(REQ, founder, NODES_MAX, "who made it")                                    \
    U64(REQ, nodes, NODES_MAX, "nodes of the cluster")                             \
    U64(REQ, voters, NODES_MAX, "of these, 1 to this one vote")                    \
    LIST(REQ, births, voter_birth, NODES_MAX, "the voters' disks at the founding") \
    BOOL(OPT, elected, "the sender's log has an entry: this cluster has elected somebody")

#define ACCOUNT_QUERY_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, account, LEDGER_NAME_MAX, "an account that money is to be sent to")

#define ACCOUNT_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)   \
    STR(REQ, account, LEDGER_NAME_MAX, "as in the query") \
    BOOL(REQ, exists, "this node has it")

#define GOODBYE_FIELDS(U64, BOOL, STR, BIN, LIST)               \
    U64(REQ, incarnation, U64_ANY, "the incarnation that ends") \
    BOOL(OPT, injected, "by --fail-exit: it goes without having been stopped")

#define CONTROL_MESSAGES(M)                                                 \
    M(VOTE_REQUEST, vote_request, VOTE_REQUEST_FIELDS, PLACE_CONTROL,       \
      "a candidate asks for a vote")                                        \
    M(VOTE_REPLY, vote_reply, VOTE_REPLY_FIELDS, PLACE_CONTROL, "the vote") \
    M(FOUND, found, FOUND_FIELDS, PLACE_CONTROL,                            \
      "the identity of the cluster, to a node whose disk has none")         \
    M(GOODBYE, goodbye, GOODBYE_FIELDS, PLACE_CONTROL,                      \
      "this node ends, and none of its operations is to blame")             \
    M(ACCOUNT_QUERY, account_query, ACCOUNT_QUERY_FIELDS, PLACE_CONTROL,    \
      "asks whether an account exists before money is sent to it")          \
    M(ACCOUNT_REPLY, account_reply, ACCOUNT_REPLY_FIELDS, PLACE_CONTROL, "whether it does")

#endif
