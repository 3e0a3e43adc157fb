/* records.h - rows that stand in messages of more than one place. */
#ifndef CONCLAVE_WIRE_SCHEMA_RECORDS_H
#define CONCLAVE_WIRE_SCHEMA_RECORDS_H

#include "shared/wire/schema/fields.h"

#define OPERAND_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    U64(OPT, op, OP_MAX, "the operation whose result this is; 0 for a literal")      \
    U64(OPT, value, U64_ANY,                                                         \
        "not 0: the operand is a segment of this stored value, and op names it")     \
    U64(OPT, literal, U64_ANY, "the integer, when op is 0")                          \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                              \
        "which further frame (from 1) holds the value; 0: fetch it")                 \
    U64(OPT, len, U64_ANY, "the value's length in bytes, when it is fetched")        \
    U64(OPT, source, NODES_MAX, "a node that holds the value, when it is fetched")   \
    BIN(OPT, hash, HASH_BYTES, "SHA-256 of the value, when it is fetched")           \
    BOOL(OPT, stays, "others use it, too: whoever made it keeps it until a release") \
    BOOL(OPT, follows,                                                               \
         "an operation before it in this message makes it: nothing is sent or fetched")

#define VALUE_REF_FIELDS(U64, BOOL, STR, BIN, LIST) U64(REQ, value, U64_ANY, "a stored value's id")

#define JOB_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                               \
    U64(REQ, job, U64_ANY, "the job's id: term << 40 | log index")                              \
    STR(REQ, key, KEY_STORED_MAX, "the client's key; in a checkpoint OWNER/KEY, if it has one") \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                                   \
    STR(REQ, spec, JOB_SPEC_MAX, "the kind's argument")                                         \
    STR(REQ, state, JOB_KIND_MAX, "queued, running, done, failed or cancelled")                 \
    U64(REQ, submitted_ms, U64_ANY, "milliseconds since 1970 UTC")                              \
    U64(OPT, finished_ms, U64_ANY, "0 while it is not finished")                                \
    U64(REQ, done, U64_ANY, "operations of the plan that are done")                             \
    U64(REQ, total, U64_ANY, "operations of the plan")                                          \
    U64(OPT, executed, U64_ANY, "operations executed for it in all, repetitions included")      \
    U64(OPT, digits, U64_ANY, "length of the result as decimal text")                           \
    BIN(OPT, sha256, HASH_BYTES, "of the decimal text")                                         \
    TEXT_FIELDS(U64, STR)                                                                       \
    STR(OPT, error, JOB_REASON_MAX, "why it failed")                                            \
    U64(OPT, ended, LOG_INDEX_MAX,                                                              \
        "the log entry that ended it; 0: none, or before the log said how many are kept")       \
    U64(OPT, ranges, PLAN_RANGES_MAX,                                                           \
        "ranges of primes of its plan; 0: its plan is over integers")                           \
    STR(OPT, owner, OWNER_MAX, "the name of the key that submitted it; absent: without keys")   \
    LIST(OPT, inputs, value_ref, INPUTS_MAX, "the stored values that it names, in order")       \
    LIST(OPT, tasks, task_counts, 1, "of a job of tasks: how they stand")                       \
    U64(OPT, parent, U64_ANY, "the job whose tasks it repeats")                                 \
    U64(OPT, pieces, PLAN_PIECES_MAX, "in which its plan makes the text; 0: in one operation")

#define DONE_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                             \
    U64(REQ, op, OP_MAX, "the operation, or the root of the subtree")                         \
    BOOL(OPT, unit, "a whole subtree over leaves")                                            \
    U64(REQ, node, NODES_MAX, "who executed it")                                              \
    U64(REQ, attempt, U64_ANY, "which attempt succeeded")                                     \
    U64(OPT, len, U64_ANY, "of the value in bytes; 0: its consumer is done, nobody needs it") \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                                       \
        "which further frame (from 1) holds the value; 0: it is kept as a value on disk")     \
    BIN(OPT, hash, HASH_BYTES, "SHA-256 of a value on disk")

#define TALLY_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, node, NODES_MAX, "who")                                              \
    U64(OPT, operations, U64_ANY, "operations of the plan that it executed")      \
    U64(OPT, conversions, U64_ANY, "conversions to text")                         \
    U64(OPT, incarnation, U64_ANY, "which incarnation of it, for the next count") \
    U64(OPT, executed, OP_MAX,                                                    \
        "operations of the job that this incarnation says it executed, all included")

#define LOSS_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    U64(REQ, node, NODES_MAX, "who alone held values, and died or did not have them")     \
    U64(OPT, values, U64_ANY, "how many of them were needed again")                       \
    U64(OPT, operations, U64_ANY, "executed again for these values, their operands' too") \
    U64(OPT, us, U64_ANY, "microseconds of computing that this took")

#define JOB_REF_FIELDS(U64, BOOL, STR, BIN, LIST) U64(REQ, job, U64_ANY, "which")

/* A voter's disk, see nodes/core/step/identity.h. */
#define VOTER_BIRTH_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "which voter")          \
    U64(REQ, birth, U64_ANY, "the first incarnation on its disk; 0: not known")

#define SHARED_RECORDS(R)              \
    R(operand, OPERAND_FIELDS)         \
    R(done_op, DONE_OP_FIELDS)         \
    R(tally, TALLY_FIELDS)             \
    R(loss, LOSS_FIELDS)               \
    R(voter_birth, VOTER_BIRTH_FIELDS) \
    R(value_ref, VALUE_REF_FIELDS)     \
    R(job_row, JOB_ROW_FIELDS)         \
    R(job_ref, JOB_REF_FIELDS)

#endif
