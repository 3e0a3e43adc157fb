/* channel.h - the channel plane: work, application messages and the markers of snapshots, in order
 * and exactly once between two incarnations. */
#ifndef CONCLAVE_WIRE_SCHEMA_CHANNEL_H
#define CONCLAVE_WIRE_SCHEMA_CHANNEL_H

#include "shared/wire/schema/fields.h"

#define TASK_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                                 \
    U64(REQ, job, U64_ANY, "the job")                                                             \
    U64(REQ, op, OP_MAX,                                                                          \
        "the operation's number in the job's plan; a subtree's is that of its root")              \
    U64(REQ, attempt, U64_ANY, "1 for the first time it is handed out")                           \
    STR(REQ, operator, JOB_KIND_MAX, "multiply or text")                                          \
    U64(OPT, first, U64_ANY,                                                                      \
        "a subtree over leaves: its greatest integer; 0 when operands are listed")                \
    U64(OPT, count, U64_ANY, "how many integers the subtree multiplies: first, first-1, ...")     \
    LIST(OPT, operands, operand, OPERANDS_MAX, "the operands, when it is no subtree over leaves") \
    LIST(OPT, program, operand, 1, "fold: the stored value that is the program")

#define RESULT_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, job, U64_ANY, "as in the task")                                               \
    U64(REQ, op, OP_MAX, "as in the task")                                                 \
    U64(REQ, attempt, U64_ANY, "as in the task")                                           \
    U64(OPT, operations, U64_ANY, "operations executed for it, its subtree's included")    \
    U64(OPT, executed, OP_MAX, "operations of the job executed here so far, all included") \
    U64(OPT, elapsed_us, U64_ANY, "time it took, simulated delay included")                \
    U64(OPT, starved_us, U64_ANY, "of these, for so long it waited for a processor")       \
    U64(OPT, len, U64_ANY, "the value's length in bytes")                                  \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                                    \
        "which further frame (from 1) holds the value; 0: the worker keeps it")            \
    BIN(OPT, hash, HASH_BYTES,                                                             \
        "SHA-256 of the value; always there for a text and a value that is kept")          \
    STR(OPT, head, TEXT_EDGE_DIGITS, "a text's first digits")                              \
    STR(OPT, tail, TEXT_EDGE_DIGITS, "a text's last digits")                               \
    BOOL(OPT, again, "with an error: it may go better elsewhere or later")                 \
    BOOL(OPT, final, "with an error: it is the program's own, and the job fails")          \
    U64(OPT, lacks, OP_MAX, "with an error: the operand whose value no node has")          \
    STR(OPT, error, JOB_REASON_MAX, "why the operation cannot be executed; empty: it was")

#define PARTICIPANT_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "who")                  \
    U64(REQ, incarnation, U64_ANY, "in which incarnation")

/* Every message on a channel begins with these. */
#define CHANNEL_FIELDS(U64)                                                       \
    U64(REQ, src, NODES_MAX, "sender")                                            \
    U64(REQ, src_incarnation, U64_ANY, "its incarnation")                         \
    U64(REQ, dst_incarnation, U64_ANY,                                            \
        "the incarnation that it is meant for; another one drops it")             \
    U64(REQ, seq, U64_ANY, "from 1 in a channel; 0 for a pure acknowledgement")   \
    U64(REQ, ack, U64_ANY, "all up to here was delivered in the other direction") \
    U64(REQ, clock, U64_ANY, "the sender's Lamport clock")

#define TASK_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    CHANNEL_FIELDS(U64)                                \
    U64(REQ, term, TERM_MAX, "the coordinator's term") \
    LIST(REQ, ops, task_op, BATCH_OPS_MAX, "what to execute; operands ride as further frames")

#define RESULT_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                          \
    LIST(REQ, ops, result_op, BATCH_OPS_MAX, "what was executed; values ride as further frames")

#define RELEASE_FIELDS(U64, BOOL, STR, BIN, LIST)                                      \
    CHANNEL_FIELDS(U64)                                                                \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                                 \
    U64(REQ, job, U64_ANY, "drop its values and what is queued of it; 0: of all jobs") \
    U64(OPT, op, OP_MAX,                                                               \
        "only this operation of it, whose result another worker has returned; 0: all")

/* The marker and the reports travel in the channels, after and before what they cut. */
#define MARKER_FIELDS(U64, BOOL, STR, BIN, LIST)                              \
    CHANNEL_FIELDS(U64)                                                       \
    SNAPSHOT_ID_FIELDS(U64)                                                   \
    LIST(REQ, participants, participant, NODES_MAX, "whose states are in it") \
    BOOL(OPT, values, "what the state names at the cut stays for who asks for it (snapshot_value)")

#define SNAPSHOT_REPORT_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    CHANNEL_FIELDS(U64)                                                       \
    SNAPSHOT_ID_FIELDS(U64)                                                   \
    U64(REQ, part, U64_ANY, "number of the first part here, from 0")          \
    U64(REQ, parts, U64_ANY, "parts in all; each is a further frame, packed") \
    STR(OPT, refused, 64, "why this node takes no part; empty: it does")

#define SNAPSHOT_END_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                                \
    SNAPSHOT_ID_FIELDS(U64)

#define CHANNEL_ACK_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                               \
    BOOL(OPT, gap, "a sequence is missing: send again from ack + 1")

/* What one ledger sends to another is numbered, kept on the sender's disk until it is acknowledged,
 * and applied once, whatever dies in between. */
#define NUMBERED_FIELDS(U64)                                                          \
    CHANNEL_FIELDS(U64)                                                               \
    U64(REQ, epoch, U64_ANY, "names the sender's ledger; after a wipe it is another") \
    U64(REQ, number, U64_ANY, "counts what this ledger sent to that node, from 1")

#define TRANSFER_FIELDS(U64, BOOL, STR, BIN, LIST)                                                \
    NUMBERED_FIELDS(U64)                                                                          \
    STR(REQ, from, LEDGER_NAME_MAX, "the sender's account")                                       \
    STR(REQ, to, LEDGER_NAME_MAX, "the receiver's account")                                       \
    U64(REQ, amount, MONEY_MAX, "in minor units")                                                 \
    U64(OPT, returned, U64_ANY,                                                                   \
        "not 0: the receiver's transfer of this number could not be credited and comes back; it " \
        "and all before it were applied")                                                         \
    U64(OPT, returned_epoch, U64_ANY, "the epoch of that number")

#define APP_FIELDS(U64, BOOL, STR, BIN, LIST)                         \
    NUMBERED_FIELDS(U64)                                              \
    STR(REQ, name, LEDGER_NAME_MAX, "the receiver puts under it ...") \
    STR(REQ, value, KV_VALUE_MAX, "... this value")

#define LEDGER_ACK_FIELDS(U64, BOOL, STR, BIN, LIST)                \
    CHANNEL_FIELDS(U64)                                             \
    U64(REQ, epoch, U64_ANY, "of the numbers that it acknowledges") \
    U64(REQ, number, U64_ANY, "applied and durable here, and all before it")

#define CHANNEL_RECORDS(R)             \
    R(participant, PARTICIPANT_FIELDS) \
    R(task_op, TASK_OP_FIELDS)         \
    R(result_op, RESULT_OP_FIELDS)

#define CHANNEL_MESSAGES(M)                                                                    \
    M(TASK, task, TASK_FIELDS, PLACE_CHANNEL, "the coordinator assigns operations")            \
    M(RESULT, result, RESULT_FIELDS, PLACE_CHANNEL, "a worker returns results")                \
    M(RELEASE, release, RELEASE_FIELDS, PLACE_CHANNEL,                                         \
      "the coordinator ends a job at the workers")                                             \
    M(MARKER, marker, MARKER_FIELDS, PLACE_CHANNEL,                                            \
      "cuts the channel: what is before it belongs to the snapshot")                           \
    M(SNAPSHOT_REPORT, snapshot_report, SNAPSHOT_REPORT_FIELDS, PLACE_CHANNEL,                 \
      "a participant's recorded state and channels, to the initiator")                         \
    M(SNAPSHOT_END, snapshot_end, SNAPSHOT_END_FIELDS, PLACE_CHANNEL,                          \
      "the initiator waits no longer: forget what was recorded")                               \
    M(CHANNEL_ACK, channel_ack, CHANNEL_ACK_FIELDS, PLACE_CHANNEL,                             \
      "acknowledges when nothing else does")                                                   \
    M(TRANSFER, transfer, TRANSFER_FIELDS, PLACE_CHANNEL, "money of one account for another")  \
    M(APP, app, APP_FIELDS, PLACE_CHANNEL, "an application message: a value for another node") \
    M(LEDGER_ACK, ledger_ack, LEDGER_ACK_FIELDS, PLACE_CHANNEL,                                \
      "what a ledger has applied of another's transfers and application messages")

#endif
