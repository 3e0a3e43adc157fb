/* checkpoint.h - the parts of a checkpoint of the replicated state, on disk and between nodes. */
#ifndef CONCLAVE_WIRE_SCHEMA_CHECKPOINT_H
#define CONCLAVE_WIRE_SCHEMA_CHECKPOINT_H

#include "shared/wire/schema/fields.h"

#define MARK_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    U64(REQ, snapshot, U64_ANY, "snaps taken before this change") \
    U64(REQ, state, U64_ANY, "the state from then on")

/* A checkpoint is a sequence of these. On disk and between nodes many are bundled into one. */
#define IMAGE_BUNDLE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, rows, MESSAGE_FRAMES_MAX, "further frames, each of them a packed part")

#define IMAGE_HEAD_FIELDS(U64, BOOL, STR, BIN, LIST)                             \
    U64(REQ, index, LOG_INDEX_MAX, "the last entry that it covers")              \
    U64(REQ, index_term, TERM_MAX, "and its term")                               \
    LIST(REQ, tallies, tally, NODES_MAX, "of all jobs, by node")                 \
    U64(OPT, elections, U64_ANY, "won so far")                                   \
    U64(OPT, reassigned, U64_ANY, "operations handed out again")                 \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster ...")                    \
    LIST(OPT, births, voter_birth, NODES_MAX, "... and the disks of its voters") \
    U64(OPT, values_ms, U64_ANY, "the clock of stored values: the sum of all value_aged")

#define IMAGE_JOB_FIELDS(U64, BOOL, STR, BIN, LIST)                                                \
    LIST(REQ, jobs, job_row, 1, "the job")                                                         \
    U64(REQ, level, 32, "level of the plan whose subtrees are handed out whole")                   \
    U64(REQ, source, NODES_MAX,                                                                    \
        "a node that holds its kept text, when it is longer than 1000 digits")                     \
    BIN(OPT, trace, TRACE_BYTES_MAX,                                                               \
        "node and attempt of each operation, two little-endian bytes each")                        \
    LIST(OPT, tallies, tally, NODES_MAX, "of an unfinished job: incarnation and executed by node") \
    LIST(OPT, losses, loss, NODES_MAX, "what was computed again because values were lost")

#define IMAGE_OPS_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    U64(REQ, job, U64_ANY, "of an unfinished job")                      \
    U64(REQ, source, NODES_MAX, "a node that holds the values on disk") \
    LIST(REQ, ops, done_op, CHECKPOINT_OPS_MAX, "finished operations whose values are still needed")

#define IMAGE_PROGRESS_FIELDS(U64, BOOL, STR, BIN, LIST)                \
    U64(REQ, index, U64_ANY, "the node")                                \
    LIST(REQ, marks, mark, CHECKPOINT_OPS_MAX,                          \
         "its states, in the order of the snaps (of earlier releases)") \
    BIN(OPT, packed, PROGRESS_BYTES_MAX,                                \
        "the same: snaps taken before, and state, 64-bit little-endian, for each")

#define IMAGE_SNAPS_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    U64(REQ, snapshots, U64_ANY, "snaps taken")                           \
    STR(OPT, key, KEY_STORED_MAX,                                         \
        "of the last ones taken, one message each: the client's key ...") \
    U64(OPT, snapshot, U64_ANY, "... and the snap that it took")

#define IMAGE_FORGOTTEN_FIELDS(U64, BOOL, STR, BIN, LIST) \
    BIN(REQ, keys, FORGOTTEN_BYTES_MAX,                   \
        "64-bit little-endian hashes of forgotten keys that are in no sealed block")

#define IMAGE_KEYS_FIELDS(U64, BOOL, STR, BIN, LIST)                  \
    U64(REQ, next, U64_ANY, "number of the block that is open")       \
    U64(REQ, sealed, KEY_BLOCKS_MAX,                                  \
        "how many before it are full: these are image_key_block, or " \
        "records of the same store")

#define IMAGE_KEY_BLOCK_FIELDS(U64, BOOL, STR, BIN, LIST)                  \
    U64(REQ, number, U64_ANY,                                              \
        "of the block; the further frame has 64-bit little-endian hashes " \
        "of forgotten keys, ascending")

#define IMAGE_SESSIONS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    BIN(REQ, sessions, FORGOTTEN_BYTES_MAX,              \
        "24 bytes each, 64-bit little-endian: id, token, watermark; the longest unused first")

#define IMAGE_RETENTION_FIELDS(U64, BOOL, STR, BIN, LIST)           \
    U64(REQ, jobs, U64_ANY, "as the last entry retention_set says") \
    U64(REQ, bytes, U64_ANY, "likewise")

#define IMAGE_ACCESS_FIELDS(U64, BOOL, STR, BIN, LIST)                             \
    U64(REQ, version, ACCESS_VERSION_MAX, "as the last entry access_changed says") \
    BIN(REQ, list, ACCESS_LIST_BYTES, "likewise")

/* A record of `packed` is 56 bytes: op, length and items, 64-bit little-endian, and the SHA-256. */
#define IMAGE_VALUE_FIELDS(U64, BOOL, STR, BIN, LIST)                                          \
    U64(REQ, value, U64_ANY, "its id")                                                         \
    STR(OPT, owner, OWNER_MAX, "as in value_begun, and what follows")                          \
    BIN(REQ, sha256, HASH_BYTES, "likewise")                                                   \
    U64(REQ, len, VALUE_BYTES_MAX, "likewise")                                                 \
    STR(REQ, format, STORED_FORMAT_MAX, "likewise")                                            \
    STR(OPT, name, STORED_NAME_MAX, "likewise")                                                \
    U64(REQ, begun_ms, U64_ANY, "likewise")                                                    \
    U64(REQ, since_ms, U64_ANY, "what the clock of stored values said when it was last named") \
    BOOL(REQ, whole, "all of it is there")                                                     \
    U64(REQ, source, NODES_MAX, "a node that holds its segments on disk")                      \
    BIN(REQ, packed, VALUE_SEGMENTS_BYTES, "its segments")

#define CHECKPOINT_RECORDS(R) R(mark, MARK_FIELDS)

#define CHECKPOINT_MESSAGES(M)                                                                 \
    M(IMAGE_HEAD, image_head, IMAGE_HEAD_FIELDS, PLACE_CHECKPOINT, "begins a checkpoint")      \
    M(IMAGE_BUNDLE, image_bundle, IMAGE_BUNDLE_FIELDS, PLACE_CHECKPOINT,                       \
      "parts of a checkpoint, as many as fit")                                                 \
    M(IMAGE_JOB, image_job, IMAGE_JOB_FIELDS, PLACE_CHECKPOINT, "a job in a checkpoint")       \
    M(IMAGE_OPS, image_ops, IMAGE_OPS_FIELDS, PLACE_CHECKPOINT,                                \
      "finished operations in a checkpoint")                                                   \
    M(IMAGE_PROGRESS, image_progress, IMAGE_PROGRESS_FIELDS, PLACE_CHECKPOINT,                 \
      "progress in a checkpoint")                                                              \
    M(IMAGE_SNAPS, image_snaps, IMAGE_SNAPS_FIELDS, PLACE_CHECKPOINT, "snaps in a checkpoint") \
    M(IMAGE_FORGOTTEN, image_forgotten, IMAGE_FORGOTTEN_FIELDS, PLACE_CHECKPOINT,              \
      "forgotten keys in a checkpoint")                                                        \
    M(IMAGE_KEYS, image_keys, IMAGE_KEYS_FIELDS, PLACE_CHECKPOINT,                             \
      "blocks of forgotten keys in a checkpoint")                                              \
    M(IMAGE_KEY_BLOCK, image_key_block, IMAGE_KEY_BLOCK_FIELDS, PLACE_CHECKPOINT,              \
      "a block of forgotten keys")                                                             \
    M(IMAGE_SESSIONS, image_sessions, IMAGE_SESSIONS_FIELDS, PLACE_CHECKPOINT,                 \
      "sessions in a checkpoint")                                                              \
    M(IMAGE_RETENTION, image_retention, IMAGE_RETENTION_FIELDS, PLACE_CHECKPOINT,              \
      "how much of finished jobs is remembered")                                               \
    M(IMAGE_ACCESS, image_access, IMAGE_ACCESS_FIELDS, PLACE_CHECKPOINT,                       \
      "the keys that are allowed")                                                             \
    M(IMAGE_VALUE, image_value, IMAGE_VALUE_FIELDS, PLACE_CHECKPOINT, "a stored value")

#endif
