/* replication.h - the replication plane: Raft's AppendEntries and InstallSnapshot (Ongaro &
 * Ousterhout 2014, 5.3, 7). */
#ifndef CONCLAVE_WIRE_SCHEMA_REPLICATION_H
#define CONCLAVE_WIRE_SCHEMA_REPLICATION_H

#include "shared/wire/schema/fields.h"

/* An entry of the log, or a part of a checkpoint. */
#define LOG_ITEM_FIELDS(U64, BOOL, STR, BIN, LIST)                                       \
    U64(REQ, term, TERM_MAX, "the entry's term")                                         \
    U64(REQ, frame, MESSAGE_FRAMES_MAX, "which further frame (from 1) holds it, packed") \
    U64(OPT, count, APPEND_ENTRIES_MAX,                                                  \
        "so many entries of that term stand in the frame, each after its length")

#define APPEND_FIELDS(U64, BOOL, STR, BIN, LIST)                                           \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                                     \
    U64(REQ, round, U64_ANY, "counts the coordinator's appends; comes back in the answer") \
    U64(REQ, prev_index, LOG_INDEX_MAX, "the entry before the first one here")             \
    U64(REQ, prev_term, TERM_MAX, "and its term")                                          \
    U64(REQ, commit, LOG_INDEX_MAX, "what the coordinator knows to be committed")          \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the coordinator's cluster")                    \
    LIST(OPT, entries, log_item, APPEND_ENTRIES_MAX, "consecutive entries, or none")

#define APPEND_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)                              \
    U64(REQ, term, TERM_MAX, "the follower's term")                                 \
    U64(REQ, round, U64_ANY, "the greatest round that it has answered")             \
    BOOL(REQ, ok, "the entry before the first one is there; false: go back")        \
    BOOL(OPT, install, "values of an entry are gone everywhere: send a checkpoint") \
    BOOL(OPT, wait, "it has got them, fetches values first, and will answer again") \
    BOOL(OPT, voter, "its disk is admitted; else this counts for nothing")          \
    U64(OPT, commit, LOG_INDEX_MAX, "what it knows to be committed")                \
    U64(REQ, match, LOG_INDEX_MAX,                                                  \
        "durable here, values included, and verified; when not ok: where to try next")

#define INSTALL_FIELDS(U64, BOOL, STR, BIN, LIST)                               \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                          \
    U64(REQ, round, U64_ANY, "as in append")                                    \
    U64(REQ, index, LOG_INDEX_MAX, "the last entry that the checkpoint covers") \
    U64(REQ, index_term, TERM_MAX, "and its term")                              \
    U64(REQ, part, U64_ANY, "number of the first part here, from 0")            \
    U64(REQ, parts, U64_ANY, "parts in all")                                    \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the coordinator's cluster")         \
    LIST(REQ, items, log_item, APPEND_ENTRIES_MAX, "parts, packed")

#define INSTALL_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)      \
    U64(REQ, term, TERM_MAX, "the follower's term")          \
    U64(REQ, round, U64_ANY, "as in append_reply")           \
    U64(REQ, index, LOG_INDEX_MAX, "of the checkpoint")      \
    U64(REQ, next, U64_ANY, "the part that it expects next") \
    BOOL(OPT, voter, "its disk is admitted")

#define VALUE_OFFER_FIELDS(U64, BOOL, STR, BIN, LIST)                  \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                 \
    U64(REQ, job, U64_ANY, "a value that an entry will name: its job") \
    U64(REQ, op, VALUE_OP_MAX, "and the operation that made it")       \
    U64(REQ, source, NODES_MAX, "who has it")                          \
    U64(REQ, len, U64_ANY, "its length in bytes")                      \
    BIN(REQ, hash, HASH_BYTES, "its SHA-256")

#define VALUE_HELD_FIELDS(U64, BOOL, STR, BIN, LIST)    \
    U64(REQ, term, TERM_MAX, "as in value_offer")       \
    U64(REQ, job, U64_ANY, "the value is on disk here") \
    U64(REQ, op, VALUE_OP_MAX, "as in value_offer")

#define REPLICATION_RECORDS(R) R(log_item, LOG_ITEM_FIELDS)

#define REPLICATION_MESSAGES(M)                                                                \
    M(APPEND, append, APPEND_FIELDS, PLACE_REPLICATION, "the coordinator replicates entries")  \
    M(APPEND_REPLY, append_reply, APPEND_REPLY_FIELDS, PLACE_REPLICATION,                      \
      "what the follower has on disk")                                                         \
    M(INSTALL, install, INSTALL_FIELDS, PLACE_REPLICATION, "a checkpoint, in parts")           \
    M(INSTALL_REPLY, install_reply, INSTALL_REPLY_FIELDS, PLACE_REPLICATION, "how far it got") \
    M(VALUE_OFFER, value_offer, VALUE_OFFER_FIELDS, PLACE_REPLICATION,                         \
      "the coordinator asks a voter to get a value before its entry")                          \
    M(VALUE_HELD, value_held, VALUE_HELD_FIELDS, PLACE_REPLICATION, "the voter has it on disk")

#endif
