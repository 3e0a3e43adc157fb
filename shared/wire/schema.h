/* schema.h - every message of Conclave, declared once.
 *
 * From this table come the structs, encoder, decoder, printer, tests, fuzz targets and
 * docs/protocol.md. A field is KIND(need, name, limit, doc): U64's limit is its greatest value;
 * STR's and BIN's their greatest length in bytes; BOOL has none; LIST(need, name, record, limit,
 * doc) is an array of maps of that record. need is REQ (its absence is an error) or OPT (absent
 * means zero, false or empty). On the wire every message is a msgpack map with these names and
 * "type". Unknown keys are ignored. */
#ifndef CONCLAVE_WIRE_SCHEMA_H
#define CONCLAVE_WIRE_SCHEMA_H

#include "shared/base/hash.h"
#include "shared/base/limits.h"

#define U64_ANY        UINT64_MAX
#define OP_MAX         ((uint64_t)1 << 40)
#define TEXT_FIELD_MAX 400

#define TRACE_BYTES_MAX     ((uint64_t)4 * TRACE_OPS_MAX)
#define FORGOTTEN_BYTES_MAX ((uint64_t)48 * 1024) /* of hashes, or sessions, in one message */
#define PROGRESS_BYTES_MAX  ((uint64_t)48 * 1024) /* of marks in one message */

/* --- records: maps inside lists --- */

#define OPERAND_FIELDS(U64, BOOL, STR, BIN, LIST)                                  \
    U64(OPT, op, OP_MAX, "the operation whose result this is; 0 for a literal")    \
    U64(OPT, literal, U64_ANY, "the integer, when op is 0")                        \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                            \
        "which further frame (from 1) holds the value; 0: fetch it")               \
    U64(OPT, len, U64_ANY, "the value's length in bytes, when it is fetched")      \
    U64(OPT, source, NODES_MAX, "a node that holds the value, when it is fetched") \
    BIN(OPT, hash, HASH_BYTES, "SHA-256 of the value, when it is fetched")

#define TASK_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                             \
    U64(REQ, job, U64_ANY, "the job")                                                         \
    U64(REQ, op, OP_MAX,                                                                      \
        "the operation's number in the job's plan; a subtree's is that of its root")          \
    U64(REQ, attempt, U64_ANY, "1 for the first time it is handed out")                       \
    STR(REQ, operator, JOB_KIND_MAX, "multiply or text")                                      \
    U64(OPT, first, U64_ANY,                                                                  \
        "a subtree over leaves: its greatest integer; 0 when operands are listed")            \
    U64(OPT, count, U64_ANY, "how many integers the subtree multiplies: first, first-1, ...") \
    LIST(OPT, operands, operand, OPERANDS_MAX, "the operands, when it is no subtree over leaves")

#define RESULT_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, job, U64_ANY, "as in the task")                                               \
    U64(REQ, op, OP_MAX, "as in the task")                                                 \
    U64(REQ, attempt, U64_ANY, "as in the task")                                           \
    U64(OPT, operations, U64_ANY, "operations executed for it, its subtree's included")    \
    U64(OPT, executed, OP_MAX, "operations of the job executed here so far, all included") \
    U64(OPT, elapsed_us, U64_ANY, "time it took, simulated delay included")                \
    U64(OPT, len, U64_ANY, "the value's length in bytes")                                  \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                                    \
        "which further frame (from 1) holds the value; 0: the worker keeps it")            \
    BIN(OPT, hash, HASH_BYTES,                                                             \
        "SHA-256 of the value; always there for a text and a value that is kept")          \
    STR(OPT, head, TEXT_EDGE_DIGITS, "a text's first digits")                              \
    STR(OPT, tail, TEXT_EDGE_DIGITS, "a text's last digits")                               \
    BOOL(OPT, again, "with an error: it may go better elsewhere or later")                 \
    STR(OPT, error, JOB_REASON_MAX, "why the operation cannot be executed; empty: it was")

#define JOB_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                          \
    U64(REQ, job, U64_ANY, "the job's id: term << 40 | log index")                         \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")                                         \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                              \
    STR(REQ, spec, JOB_SPEC_MAX, "the kind's argument")                                    \
    STR(REQ, state, JOB_KIND_MAX, "queued, running, done, failed or cancelled")            \
    U64(REQ, submitted_ms, U64_ANY, "milliseconds since 1970 UTC")                         \
    U64(OPT, finished_ms, U64_ANY, "0 while it is not finished")                           \
    U64(REQ, done, U64_ANY, "operations of the plan that are done")                        \
    U64(REQ, total, U64_ANY, "operations of the plan")                                     \
    U64(OPT, executed, U64_ANY, "operations executed for it in all, repetitions included") \
    U64(OPT, digits, U64_ANY, "length of the result as decimal text")                      \
    BIN(OPT, sha256, HASH_BYTES, "of the decimal text")                                    \
    STR(OPT, text, TEXT_INLINE_DIGITS, "the decimal text, up to 1000 digits")              \
    STR(OPT, head, TEXT_EDGE_DIGITS, "its first digits, when it is longer")                \
    STR(OPT, tail, TEXT_EDGE_DIGITS, "its last digits, when it is longer")                 \
    U64(OPT, converter, NODES_MAX, "the node that converted the result to text")           \
    STR(OPT, error, JOB_REASON_MAX, "why it failed")

#define TRACE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, op, OP_MAX, "the operation's number, from 1")                                 \
    STR(REQ, operator, JOB_KIND_MAX, "multiply")                                           \
    LIST(REQ, operands, operand, OPERANDS_MAX, "literals and results of other operations") \
    U64(REQ, node, NODES_MAX, "the worker that executed it; 0: not done yet")              \
    U64(REQ, attempt, U64_ANY, "which attempt succeeded")

#define NODE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                              \
    U64(REQ, node, NODES_MAX, "id")                                                             \
    STR(OPT, host, 64, "host name")                                                             \
    U64(OPT, pid, U64_ANY, "process id on that host")                                           \
    STR(REQ, role, 16, "coordinator, worker, candidate or unknown")                             \
    BOOL(REQ, alive, "its heartbeats arrive")                                                   \
    U64(OPT, incarnation, U64_ANY, "its present life")                                          \
    U64(OPT, boots, U64_ANY, "how often it was started on its data directory")                  \
    U64(OPT, term, U64_ANY, "the term that it is in")                                           \
    U64(OPT, operations, U64_ANY, "operations whose results the coordinator accepted from it")  \
    U64(OPT, conversions, U64_ANY, "conversions to text accepted from it")                      \
    U64(OPT, assigned, U64_ANY, "operations assigned to it now")                                \
    U64(OPT, held, U64_ANY, "values that it holds in memory")                                   \
    U64(OPT, applied, U64_ANY, "index of the last log entry that it applied")                   \
    U64(OPT, rejected, U64_ANY, "malformed or foreign messages that it dropped")                \
    BOOL(OPT, full, "its disk is full")                                                         \
    U64(OPT, turn_us, U64_ANY, "the longest turn of its event loop in the last minute")         \
    STR(OPT, turn_in, 16, "what most of that turn was in")                                      \
    U64(OPT, turn_own_us, U64_ANY, "the longest, without what it waited for a processor")       \
    U64(OPT, behind_ms, U64_ANY,                                                                \
        "for so long it has not reached what was committed by then; 0: it is level")            \
    U64(OPT, stalled_ms, U64_ANY,                                                               \
        "for so long its disk has finished nothing of what it has to do; 0: it works")          \
    BOOL(OPT, voter, "it votes, once its disk is admitted")                                     \
    BOOL(OPT, admitted, "its disk counts: votes and acknowledgements")                          \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster of its disk; absent: none, or unheard") \
    STR(OPT, refusal, REFUSAL_MAX, "why a process of that id is refused now; absent: none is")  \
    STR(OPT, version, 32, "of its program")

#define DONE_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                             \
    U64(REQ, op, OP_MAX, "the operation, or the root of the unit")                            \
    BOOL(OPT, unit, "a whole subtree over leaves")                                            \
    U64(REQ, node, NODES_MAX, "who executed it")                                              \
    U64(REQ, attempt, U64_ANY, "which attempt succeeded")                                     \
    U64(OPT, len, U64_ANY, "of the value in bytes; 0: its consumer is done, nobody needs it") \
    U64(OPT, frame, MESSAGE_FRAMES_MAX,                                                       \
        "which further frame (from 1) holds the value; 0: it is kept as a value on disk")     \
    BIN(OPT, hash, HASH_BYTES, "SHA-256 of a value on disk")

#define TALLY_FIELDS(U64, BOOL, STR, BIN, LIST)                              \
    U64(REQ, node, NODES_MAX, "who")                                         \
    U64(OPT, operations, U64_ANY, "operations of the plan that it executed") \
    U64(OPT, conversions, U64_ANY, "conversions to text")                    \
    U64(OPT, incarnation, U64_ANY, "which life of it, for the next count")   \
    U64(OPT, executed, OP_MAX,                                               \
        "operations of the job that this life says it executed, all included")

/* A voter's disk, see nodes/core/step/identity.h. */
#define VOTER_BIRTH_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "which voter")          \
    U64(REQ, birth, U64_ANY, "the incarnation of its disk's first life; 0: not known")

#define MARK_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    U64(REQ, snapshot, U64_ANY, "snaps taken before this change") \
    U64(REQ, state, U64_ANY, "the state from then on")

#define ACCOUNT_ROW_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, account, LEDGER_NAME_MAX, "its name")    \
    U64(REQ, balance, MONEY_MAX, "in minor units")

/* --- snapshots (Chandy & Lamport 1985; third seed) --- */

#define PARTICIPANT_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "who")                  \
    U64(REQ, incarnation, U64_ANY, "in which life")

/* An operation somewhere: at a worker, handed out, or in a message. */
#define CUT_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    U64(REQ, job, U64_ANY, "the job")                                                       \
    U64(REQ, op, OP_MAX, "the operation, or the root of the unit")                          \
    U64(REQ, attempt, U64_ANY, "which attempt")                                             \
    U64(OPT, node, NODES_MAX, "to whom it was handed out")                                  \
    U64(OPT, operations, U64_ANY, "operations that it stands for; 0: a conversion to text") \
    U64(OPT, seq, U64_ANY, "of the message that it is in")

#define CUT_JOB_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    U64(REQ, job, U64_ANY, "an unfinished job")                                      \
    STR(REQ, spec, JOB_SPEC_MAX, "its argument")                                     \
    U64(REQ, total, U64_ANY, "operations of its plan")                               \
    U64(REQ, done, U64_ANY, "of these, done")                                        \
    U64(REQ, returned, U64_ANY, "returned, but their values are still on their way") \
    U64(REQ, assigned, U64_ANY, "handed out")                                        \
    U64(REQ, pending, U64_ANY, "neither")

#define CUT_MESSAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                                \
    U64(REQ, seq, U64_ANY, "its sequence in the channel")                            \
    U64(REQ, clock, U64_ANY, "the sender's Lamport clock")                           \
    STR(REQ, kind, JOB_KIND_MAX, "task, result, release, transfer, app, ledger_ack") \
    U64(REQ, bytes, U64_ANY, "of its further frames")                                \
    U64(OPT, job, U64_ANY, "release: of which job")                                  \
    U64(OPT, number, U64_ANY, "transfer, app: its number; ledger_ack: up to which")  \
    U64(OPT, amount, U64_ANY, "transfer: how much")                                  \
    STR(OPT, from_account, LEDGER_NAME_MAX, "transfer: from where")                  \
    STR(OPT, to_account, LEDGER_NAME_MAX, "transfer: to where")                      \
    STR(OPT, name, LEDGER_NAME_MAX, "app: the key")

#define CUT_COUNT_FIELDS(U64, BOOL, STR, BIN, LIST)                          \
    U64(REQ, node, NODES_MAX, "the peer")                                    \
    U64(REQ, incarnation, U64_ANY, "the peer's incarnation on that channel") \
    U64(REQ, sent, U64_ANY, "messages sent to it that count, at the cut")    \
    U64(REQ, received, U64_ANY, "messages received from it that count, at the cut")

#define CUT_PART_FIELDS(U64, BOOL, STR, BIN, LIST)                                      \
    U64(REQ, node, NODES_MAX, "who")                                                    \
    U64(REQ, incarnation, U64_ANY, "in which life")                                     \
    STR(OPT, missing, 64, "why its state is not here; empty: it is")                    \
    U64(OPT, parts, U64_ANY, "parts of its report")                                     \
    U64(OPT, bytes, U64_ANY, "bytes of its report")                                     \
    U64(OPT, first_marker, NODES_MAX, "who sent it the first marker; 0: the initiator") \
    U64(OPT, took_us, U64_ANY, "from the initiator's first marker to its report")

#define CUT_GAP_FIELDS(U64, BOOL, STR, BIN, LIST)    \
    U64(REQ, from, NODES_MAX, "of the channel from") \
    U64(REQ, to, NODES_MAX, "to")                    \
    STR(REQ, why, 64, "why its content is not known")

#define SNAPSHOT_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)        \
    U64(REQ, initiator, NODES_MAX, "who took it")             \
    U64(REQ, incarnation, U64_ANY, "its incarnation")         \
    U64(REQ, counter, U64_ANY, "counts its snapshots")        \
    BOOL(REQ, complete, "nothing is missing")                 \
    BOOL(OPT, periodic, "taken by the clock")                 \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC") \
    U64(REQ, took_us, U64_ANY, "until the last report")       \
    U64(REQ, bytes, U64_ANY, "as it is kept")                 \
    U64(REQ, nodes, NODES_MAX, "states in it")                \
    STR(OPT, missing, 400, "what is missing, for people")

/* --- messages --- */

#define HELLO_FIELDS(U64, BOOL, STR, BIN, LIST)                                                    \
    STR(REQ, cluster, JOB_KIND_MAX, "the cluster's name")                                          \
    U64(REQ, plane, PLANE_COUNT, "the plane of this connection")                                   \
    U64(REQ, src, NODES_MAX, "who connects")                                                       \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                                              \
    U64(REQ, dst, NODES_MAX, "whom it means to reach")                                             \
    U64(REQ, connection, U64_ANY, "counts the connections of this incarnation; the newest counts") \
    STR(OPT, version, 32, "of its program")                                                        \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster that its disk belongs to; absent: none")   \
    U64(OPT, birth, U64_ANY, "the incarnation of its disk's first life")                           \
    U64(OPT, nodes, NODES_MAX, "how many nodes its cluster has")                                   \
    U64(OPT, voters, NODES_MAX, "and how many of them vote")

#define WELCOME_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    U64(REQ, plane, PLANE_COUNT, "the plane of the HELLO that this answers") \
    U64(REQ, src, NODES_MAX, "who answers")                                  \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                        \
    U64(REQ, dst_incarnation, U64_ANY, "the incarnation that said HELLO")    \
    U64(OPT, connection, U64_ANY, "the HELLO's connection")                  \
    U64(OPT, last_delivered, U64_ANY, "channel: the last sequence delivered from that incarnation")

/* Goes back on the connection that said HELLO: there is no other way to reach that process. */
#define REFUSED_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    U64(REQ, plane, PLANE_COUNT, "the plane of the HELLO that this answers") \
    U64(REQ, src, NODES_MAX, "who answers")                                  \
    U64(REQ, incarnation, U64_ANY, "of the node of that id that lives")      \
    STR(OPT, host, 64, "its host name")                                      \
    U64(OPT, pid, U64_ANY, "its process id")

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

/* Every message on a channel begins with these. */
#define CHANNEL_FIELDS(U64)                                                       \
    U64(REQ, src, NODES_MAX, "sender")                                            \
    U64(REQ, src_incarnation, U64_ANY, "its incarnation")                         \
    U64(REQ, dst_incarnation, U64_ANY,                                            \
        "the incarnation that it is meant for; another one drops it")             \
    U64(REQ, seq, U64_ANY, "from 1 in a channel; 0 for a pure acknowledgement")   \
    U64(REQ, ack, U64_ANY, "all up to here was delivered in the other direction") \
    U64(REQ, clock, U64_ANY, "the sender's Lamport clock")

/* The checkpoint plane: Raft's AppendEntries and InstallSnapshot (Ongaro & Ousterhout 2014, 5.3,
 * 7). */
#define LOG_ITEM_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, term, TERM_MAX, "the entry's term")   \
    U64(REQ, frame, MESSAGE_FRAMES_MAX, "which further frame (from 1) holds it, packed")

#define APPEND_FIELDS(U64, BOOL, STR, BIN, LIST)                                           \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                                     \
    U64(REQ, round, U64_ANY, "counts the coordinator's appends; comes back in the answer") \
    U64(REQ, prev_index, LOG_INDEX_MAX, "the entry before the first one here")             \
    U64(REQ, prev_term, TERM_MAX, "and its term")                                          \
    U64(REQ, commit, LOG_INDEX_MAX, "what the coordinator knows to be committed")          \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the coordinator's cluster")                    \
    LIST(OPT, entries, log_item, APPEND_ENTRIES_MAX, "consecutive entries, or none")

#define APPEND_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, term, TERM_MAX, "the follower's term")                                      \
    U64(REQ, round, U64_ANY, "the greatest round that it has answered")                  \
    BOOL(REQ, ok, "the entry before the first one is there; false: go back")             \
    BOOL(OPT, install, "values of an entry are gone everywhere: send a full checkpoint") \
    BOOL(OPT, wait, "it has got them, fetches values first, and will answer again")      \
    BOOL(OPT, voter, "its disk is admitted; else this counts for nothing")               \
    U64(OPT, commit, LOG_INDEX_MAX, "what it knows to be committed")                     \
    U64(REQ, match, LOG_INDEX_MAX,                                                       \
        "durable here, values included, and verified; when not ok: where to try next")

#define INSTALL_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    U64(REQ, term, TERM_MAX, "the coordinator's term")                               \
    U64(REQ, round, U64_ANY, "as in append")                                         \
    U64(REQ, index, LOG_INDEX_MAX, "the last entry that the full checkpoint covers") \
    U64(REQ, index_term, TERM_MAX, "and its term")                                   \
    U64(REQ, part, U64_ANY, "number of the first part here, from 0")                 \
    U64(REQ, parts, U64_ANY, "parts in all")                                         \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "the coordinator's cluster")              \
    LIST(REQ, items, log_item, APPEND_ENTRIES_MAX, "parts, packed")

#define INSTALL_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)      \
    U64(REQ, term, TERM_MAX, "the follower's term")          \
    U64(REQ, round, U64_ANY, "as in append_reply")           \
    U64(REQ, index, LOG_INDEX_MAX, "of the full checkpoint") \
    U64(REQ, next, U64_ANY, "the part that it expects next") \
    BOOL(OPT, voter, "its disk is admitted")

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
    U64(OPT, op, OP_MAX, "only this operation of it: somebody else has its result; 0: all")

/* The marker and the reports travel in the channels, behind and before what they cut. */
#define MARKER_FIELDS(U64, BOOL, STR, BIN, LIST)             \
    CHANNEL_FIELDS(U64)                                      \
    U64(REQ, initiator, NODES_MAX, "who takes the snapshot") \
    U64(REQ, incarnation, U64_ANY, "its incarnation")        \
    U64(REQ, counter, U64_ANY, "counts its snapshots")       \
    LIST(REQ, participants, participant, NODES_MAX, "whose states are in it")

#define SNAPSHOT_REPORT_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    CHANNEL_FIELDS(U64)                                                       \
    U64(REQ, initiator, NODES_MAX, "as in the marker")                        \
    U64(REQ, incarnation, U64_ANY, "as in the marker")                        \
    U64(REQ, counter, U64_ANY, "as in the marker")                            \
    U64(REQ, part, U64_ANY, "number of the first part here, from 0")          \
    U64(REQ, parts, U64_ANY, "parts in all; each is a further frame, packed") \
    STR(OPT, refused, 64, "why this node takes no part; empty: it does")

#define SNAPSHOT_END_FIELDS(U64, BOOL, STR, BIN, LIST) \
    CHANNEL_FIELDS(U64)                                \
    U64(REQ, initiator, NODES_MAX, "as in the marker") \
    U64(REQ, incarnation, U64_ANY, "as in the marker") \
    U64(REQ, counter, U64_ANY, "as in the marker")

/* Parts of a report, packed as log entries are. */
#define CUT_STATE_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, node, NODES_MAX, "whose state this is")                                       \
    U64(REQ, incarnation, U64_ANY, "in which life")                                        \
    U64(REQ, clock, U64_ANY, "Lamport clock at the cut")                                   \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC, for people")                  \
    U64(REQ, term, TERM_MAX, "its term")                                                   \
    STR(REQ, role, 16, "coordinator, worker or candidate")                                 \
    U64(REQ, epoch, U64_ANY, "of its ledger")                                              \
    U64(REQ, operations, U64_ANY, "executed in this incarnation")                          \
    U64(REQ, conversions, U64_ANY, "executed in this incarnation")                         \
    U64(REQ, held, U64_ANY, "values held in memory")                                       \
    U64(REQ, jobs_open, U64_ANY, "unfinished jobs in its table")                           \
    U64(REQ, jobs_finished, U64_ANY, "finished ones")                                      \
    U64(REQ, first_marker, NODES_MAX, "who sent the first marker; 0: it is the initiator") \
    LIST(REQ, counts, cut_count, NODES_MAX, "of its channels")

#define CUT_ACCOUNT_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, name, LEDGER_NAME_MAX, "the account")    \
    U64(REQ, balance, MONEY_MAX, "in minor units")

#define CUT_PAIR_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, name, LEDGER_NAME_MAX, "the key")     \
    BIN(REQ, value, KV_VALUE_MAX, "its value")

#define CUT_PENDING_FIELDS(U64, BOOL, STR, BIN, LIST)                           \
    U64(REQ, node, NODES_MAX, "for whom")                                       \
    U64(REQ, number, U64_ANY, "its number among those for that node")           \
    BOOL(REQ, sent, "in the channel, or beyond it; false: not sent yet")        \
    U64(OPT, amount, MONEY_MAX, "of a transfer")                                \
    STR(OPT, from_account, LEDGER_NAME_MAX, "of a transfer")                    \
    STR(OPT, to_account, LEDGER_NAME_MAX, "of a transfer")                      \
    U64(OPT, returned, U64_ANY, "a transfer that comes back: its number there") \
    U64(OPT, returned_epoch, U64_ANY, "and its epoch")                          \
    STR(OPT, name, LEDGER_NAME_MAX, "of an application message")                \
    BIN(OPT, value, KV_VALUE_MAX, "of an application message")

#define CUT_APPLIED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "from whom")            \
    U64(REQ, epoch, U64_ANY, "of that node's ledger") \
    U64(REQ, upto, U64_ANY, "the last number applied")

#define CUT_ACCOUNTS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, rows, cut_account, CUT_ROWS_MAX, "accounts")
#define CUT_PAIRS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, rows, cut_pair, CUT_ROWS_MAX, "key-value state")
#define CUT_LEDGER_FIELDS(U64, BOOL, STR, BIN, LIST)                                 \
    LIST(REQ, pending, cut_pending, CUT_ROWS_MAX, "sent, not acknowledged")          \
    LIST(OPT, applied, cut_applied, NODES_MAX, "marks; in the first such part only") \
    LIST(OPT, issued, cut_applied, NODES_MAX, "last numbers given to letters; likewise")
#define CUT_WORK_FIELDS(U64, BOOL, STR, BIN, LIST)                        \
    BOOL(REQ, coordinator, "handed out by this node; false: queued here") \
    LIST(REQ, ops, cut_op, CUT_ROWS_MAX, "operations")
#define CUT_JOBS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, rows, cut_job, CUT_ROWS_MAX, "unfinished jobs that this node coordinates")
#define CUT_CHANNEL_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    U64(REQ, from, NODES_MAX, "the channel from this node to the reporter")      \
    STR(OPT, missing, 64, "why its content is not known; empty: it is")          \
    U64(REQ, recorded, U64_ANY, "messages in it that count")                     \
    LIST(OPT, messages, cut_message, CUT_MESSAGES_MAX, "these, or some of them") \
    LIST(OPT, ops, cut_op, CUT_ROWS_MAX, "operations in these messages")

/* The first part of a snapshot as it is kept. */
#define SNAPSHOT_HEAD_FIELDS(U64, BOOL, STR, BIN, LIST)                                  \
    U64(REQ, initiator, NODES_MAX, "who took it")                                        \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                                    \
    U64(REQ, counter, U64_ANY, "counts its snapshots")                                   \
    BOOL(REQ, complete, "every participant's state and every channel's content is here") \
    BOOL(OPT, periodic, "taken by the clock; the oldest of these go first")              \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC")                            \
    U64(REQ, took_us, U64_ANY, "until the last report")                                  \
    U64(REQ, bytes, U64_ANY, "of all reports")                                           \
    LIST(REQ, nodes, cut_part, NODES_MAX, "of the cluster")                              \
    LIST(OPT, gaps, cut_gap, CUT_ROWS_MAX, "channels whose content is not known")        \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "of a share: the cluster that is restored")   \
    U64(OPT, voters, NODES_MAX, "of a share: of that cluster")

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

#define ACCOUNT_QUERY_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, account, LEDGER_NAME_MAX, "an account that money is to be sent to")

#define ACCOUNT_REPLY_FIELDS(U64, BOOL, STR, BIN, LIST)   \
    STR(REQ, account, LEDGER_NAME_MAX, "as in the query") \
    BOOL(REQ, exists, "this node has it")

#define VALUE_GET_FIELDS(U64, BOOL, STR, BIN, LIST)            \
    U64(REQ, src, NODES_MAX, "who asks")                       \
    U64(REQ, job, U64_ANY, "names the value")                  \
    U64(REQ, op, OP_MAX, "names the value")                    \
    U64(REQ, offset, U64_ANY, "from which byte")               \
    U64(REQ, len, VALUE_CHUNK_BYTES, "how many bytes at most") \
    U64(OPT, index, LOG_INDEX_MAX, "the entry of the log that names it")

#define VALUE_CHUNK_FIELDS(U64, BOOL, STR, BIN, LIST)              \
    U64(REQ, src, NODES_MAX, "who answers")                        \
    U64(REQ, job, U64_ANY, "names the value")                      \
    U64(REQ, op, OP_MAX, "names the value")                        \
    U64(REQ, offset, U64_ANY, "of the bytes in the further frame") \
    U64(REQ, total, U64_ANY, "the value's length")                 \
    BOOL(REQ, found, "false: the node does not hold it")           \
    BOOL(OPT, used, "it has applied the entry that named it, and nothing names it any more")

#define GOODBYE_FIELDS(U64, BOOL, STR, BIN, LIST)               \
    U64(REQ, incarnation, U64_ANY, "the incarnation that ends") \
    BOOL(OPT, injected, "by --fail-exit: it goes without having been stopped")

#define HEARTBEAT_FIELDS(U64, BOOL, STR, BIN, LIST)                                       \
    U64(REQ, node, NODES_MAX, "who")                                                      \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                                     \
    U64(REQ, seq, U64_ANY, "counts what this incarnation published")                      \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC, for people")                 \
    U64(REQ, term, TERM_MAX, "its term")                                                  \
    STR(REQ, role, 16, "coordinator, worker or candidate")                                \
    U64(REQ, coordinator, NODES_MAX, "whom it follows; 0: nobody")                        \
    BOOL(OPT, serving, "it is a coordinator that accepts requests")                       \
    U64(REQ, operations, U64_ANY, "operations it executed in this incarnation")           \
    U64(OPT, conversions, U64_ANY, "conversions to text it executed in this incarnation") \
    U64(OPT, queued, U64_ANY, "operations waiting or executing here")                     \
    U64(OPT, executing_job, U64_ANY, "the operation that it executes now: its job, ...")  \
    U64(OPT, executing_op, OP_MAX, "... and its number; 0: none")                         \
    U64(OPT, delay_us, U64_ANY, "simulated time that it adds to every operation")         \
    U64(OPT, held_bytes, U64_ANY, "bytes of the values held in memory")                   \
    BOOL(OPT, pressed, "these are more than its --memory-limit: it should get no work")   \
    U64(REQ, held, U64_ANY, "values held in memory")                                      \
    U64(REQ, applied, U64_ANY, "last log entry applied")                                  \
    U64(REQ, rejected, U64_ANY, "malformed or foreign messages dropped")                  \
    U64(OPT, jobs, U64_ANY, "unfinished jobs, when it is the coordinator")                \
    BOOL(OPT, full, "its disk is full: it takes in no new log entries")                   \
    U64(OPT, turn_us, U64_ANY, "the longest turn of its event loop in the last minute")   \
    STR(OPT, turn_in, 16, "what most of that turn was in")                                \
    U64(OPT, turn_own_us, U64_ANY, "the longest, without what it waited for a processor") \
    U64(OPT, fetched, U64_ANY, "bytes of values that came while log entries waited")      \
    U64(OPT, disk_ms, U64_ANY, "for so long its disk is at one piece of work")            \
    STR(OPT, host, 64, "host name")                                                       \
    U64(OPT, pid, U64_ANY, "process id")                                                  \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "its disk's cluster; absent: none, it is new") \
    U64(OPT, birth, U64_ANY, "the incarnation of its disk's first life")                  \
    BOOL(OPT, voter, "its disk is admitted as a voter's")                                 \
    STR(REQ, version, 32, "of its program")

#define EVENT_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    U64(REQ, node, NODES_MAX, "who publishes")                                             \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                                      \
    U64(REQ, seq, U64_ANY, "counts what this incarnation published")                       \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC, for people")                  \
    U64(REQ, term, TERM_MAX, "its term")                                                   \
    STR(REQ, event, 32,                                                                    \
        "node_started, elected, stepped_down, node_up, node_suspected, job_accepted, ...") \
    U64(OPT, subject, NODES_MAX, "the node that it is about")                              \
    U64(OPT, job, U64_ANY, "the job that it is about")                                     \
    STR(REQ, text, TEXT_FIELD_MAX, "the same for people, one line")

/* Requests of clients; `request` comes back in the answer, `node` 0 is the coordinator. */
#define REQUEST_FIELDS(U64)                                                      \
    U64(REQ, request, U64_ANY, "chosen by the client; comes back in the answer") \
    U64(OPT, node, NODES_MAX, "the node that is asked; 0: the coordinator")

#define SUBMIT_FIELDS(U64, BOOL, STR, BIN, LIST)                                             \
    REQUEST_FIELDS(U64)                                                                      \
    STR(REQ, key, JOB_KEY_MAX, "makes the request idempotent: the same key is the same job") \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                                \
    STR(REQ, spec, JOB_SPEC_MAX, "the kind's argument: 10")

#define JOB_GET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                           \
    U64(REQ, job, U64_ANY, "which")               \
    U64(OPT, wait_ms, WAIT_MAX_MS, "answer when it is finished, or after this long")

#define JOB_LIST_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                            \
    U64(OPT, after, U64_ANY, "list jobs with greater ids")

#define JOB_CANCEL_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                              \
    U64(REQ, job, U64_ANY, "which")

#define JOB_TRACE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                             \
    U64(REQ, job, U64_ANY, "which")                 \
    U64(OPT, after, OP_MAX, "list operations with greater numbers")

#define JOB_EXPLAIN_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                               \
    U64(REQ, job, U64_ANY, "which")

#define RESULT_GET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                              \
    U64(REQ, job, U64_ANY, "which")                  \
    U64(REQ, offset, U64_ANY, "from which digit; at most 512 KiB come at once")

#define STATUS_GET_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define BROKER_GET_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define INIT_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define PROGRESS_SET_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    REQUEST_FIELDS(U64)                                                                  \
    U64(REQ, index, PROGRESS_STATE_MAX, "the node whose state is set (first seed: idx)") \
    U64(REQ, state, PROGRESS_STATE_MAX, "operations that it has completed")

#define SESSION_OPEN_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define PROGRESS_SNAP_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                                 \
    STR(REQ, key, JOB_KEY_MAX, "makes the request idempotent: the same key is the same snap")

#define PROGRESS_GET_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    REQUEST_FIELDS(U64)                                                   \
    U64(REQ, index, PROGRESS_STATE_MAX, "the node whose state is wanted") \
    BOOL(OPT, past, "of the snap named; false: the present state")        \
    U64(OPT, snapshot, PROGRESS_STATE_MAX, "the snap's id, from 0")

/* The ledger of the node that the request names. `key` makes a request idempotent: the same key
 * again changes nothing and is answered as the first time. */
#define BANK_CHANGE_FIELDS(U64, STR)                    \
    REQUEST_FIELDS(U64)                                 \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")      \
    STR(REQ, account, LEDGER_NAME_MAX, "which account") \
    U64(REQ, amount, U64_ANY, "in minor units")

#define BANK_DEPOSIT_FIELDS(U64, BOOL, STR, BIN, LIST)  BANK_CHANGE_FIELDS(U64, STR)
#define BANK_WITHDRAW_FIELDS(U64, BOOL, STR, BIN, LIST) BANK_CHANGE_FIELDS(U64, STR)

#define BANK_TRANSFER_FIELDS(U64, BOOL, STR, BIN, LIST)                \
    BANK_CHANGE_FIELDS(U64, STR)                                       \
    STR(REQ, to, LEDGER_NAME_MAX, "the account that is to get it ...") \
    U64(REQ, to_node, U64_ANY, "... and its node; it may be the same one")

#define BANK_BALANCE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                                \
    STR(REQ, account, LEDGER_NAME_MAX, "which account")

#define BANK_LIST_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                             \
    STR(OPT, after, LEDGER_NAME_MAX, "list accounts behind that name")

#define KV_PUT_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    REQUEST_FIELDS(U64)                                  \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")       \
    STR(REQ, name, LEDGER_NAME_MAX, "put under it ...")  \
    STR(REQ, value, KV_VALUE_MAX, "... this UTF-8 text") \
    U64(OPT, to, U64_ANY, "send it to that node as an application message; 0: put it here")

#define KV_GET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                          \
    STR(REQ, name, LEDGER_NAME_MAX, "which value")

/* Answers. */
#define BANK_ACCOUNT_FIELDS(U64, BOOL, STR, BIN, LIST)                                         \
    U64(REQ, request, U64_ANY, "of the request")                                               \
    STR(REQ, account, LEDGER_NAME_MAX, "of the node that was asked")                           \
    U64(REQ, balance, MONEY_MAX, "after what was asked for; for a repeated key: at that time") \
    BOOL(OPT, repeated, "the key was known, and nothing changed now")

#define BANK_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                                  \
    U64(REQ, request, U64_ANY, "of the request")                                     \
    BOOL(REQ, more, "there are more: ask again after the last name")                 \
    LIST(REQ, accounts, account_row, LEDGER_PAGE_MAX, "in the order of their names") \
    U64(OPT, total, U64_ANY, "of the balances of all accounts of the node")          \
    U64(OPT, sent, U64_ANY,                                                          \
        "money sent to other nodes that they have not acknowledged: on its way, or just there")

#define KV_VALUE_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    U64(REQ, request, U64_ANY, "of the request")           \
    STR(REQ, name, LEDGER_NAME_MAX, "of the value")        \
    BOOL(REQ, found, "kv_get: there is one; kv_put: true") \
    STR(OPT, value, KV_VALUE_MAX, "kv_get: the value")     \
    BOOL(OPT, repeated, "the key was known, and nothing changed now")

#define SNAPSHOT_TAKE_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define SNAPSHOT_LIST_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                                 \
    U64(OPT, after, U64_ANY, "those with greater counters")

#define SNAPSHOT_GET_FIELDS(U64, BOOL, STR, BIN, LIST)               \
    REQUEST_FIELDS(U64)                                              \
    U64(REQ, incarnation, U64_ANY, "of the initiator, as in the id") \
    U64(REQ, counter, U64_ANY, "as in the id")                       \
    U64(REQ, offset, U64_ANY, "from which byte; at most 512 KiB come at once")

/* Answers. */
#define SNAPSHOT_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, request, U64_ANY, "of the request")   \
    LIST(REQ, heads, snapshot_row, 1, "the snapshot")

#define SNAPSHOT_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                             \
    U64(REQ, request, U64_ANY, "of the request")                                    \
    LIST(REQ, heads, snapshot_row, SNAPSHOT_PAGE_MAX, "in order of their counters") \
    BOOL(REQ, more, "there are more, with greater counters")

#define SNAPSHOT_CHUNK_FIELDS(U64, BOOL, STR, BIN, LIST)           \
    U64(REQ, request, U64_ANY, "of the request")                   \
    U64(REQ, offset, U64_ANY, "of the bytes in the further frame") \
    U64(REQ, total, U64_ANY, "bytes in all")

#define SESSION_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    U64(REQ, request, U64_ANY, "of the request")                     \
    U64(REQ, session, U64_ANY,                                       \
        "its id; keys are session-ID-TOKEN-NUMBER, ID and TOKEN in " \
        "16 hexadecimal digits, NUMBER from 1 on, up by one")        \
    U64(REQ, token, U64_ANY,                                         \
        "tells it from a session of the same id in another life of the cluster")

#define PROGRESS_FIELDS(U64, BOOL, STR, BIN, LIST)                                   \
    U64(REQ, request, U64_ANY, "of the request")                                     \
    BOOL(REQ, found, "false: that snap has not been taken (None in the first seed)") \
    U64(REQ, state, U64_ANY, "the state; 0 for a node never set")                    \
    U64(REQ, snapshot, U64_ANY, "progress_snap: the id of the snap taken; else snaps taken so far")

#define JOB_FIELDS(U64, BOOL, STR, BIN, LIST)                              \
    U64(REQ, request, U64_ANY, "of the request")                           \
    BOOL(OPT, created, "submit: the job is new; false: the key was known") \
    LIST(REQ, jobs, job_row, 1, "the one job")

#define JOB_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                 \
    U64(REQ, request, U64_ANY, "of the request")                   \
    BOOL(REQ, more, "there are more: ask again after the last id") \
    LIST(REQ, jobs, job_row, JOB_PAGE_MAX, "in the order of their ids")

#define TRACE_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                   \
    U64(REQ, request, U64_ANY, "of the request")                       \
    BOOL(REQ, more, "there are more: ask again after the last number") \
    LIST(REQ, ops, trace_row, TRACE_PAGE_MAX, "in the order of their numbers")

#define EXPLANATION_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, request, U64_ANY, "of the request")      \
    STR(REQ, text, 4096, "lines for people")

#define RESULT_CHUNK_FIELDS(U64, BOOL, STR, BIN, LIST)              \
    U64(REQ, request, U64_ANY, "of the request")                    \
    U64(REQ, offset, U64_ANY, "of the digits in the further frame") \
    U64(REQ, total, U64_ANY, "digits in all")

#define STATUS_FIELDS(U64, BOOL, STR, BIN, LIST)                                              \
    U64(REQ, request, U64_ANY, "of the request")                                              \
    U64(REQ, coordinator, NODES_MAX, "who leads")                                             \
    U64(REQ, term, TERM_MAX, "the term")                                                      \
    U64(REQ, quorum, NODES_MAX, "votes that an election needs")                               \
    BOOL(REQ, healthy, "a coordinator serves, every node is alive, none is behind or stalls") \
    U64(OPT, may_fail, NODES_MAX, "so many more voters may stop, and service goes on")        \
    LIST(REQ, nodes, node_row, NODES_MAX, "all nodes of the cluster")                         \
    U64(REQ, queued, U64_ANY, "jobs that wait for others")                                    \
    U64(REQ, running, U64_ANY, "jobs in work")                                                \
    U64(REQ, done, U64_ANY, "jobs done, of those remembered")                                 \
    U64(REQ, failed, U64_ANY, "jobs failed, of those remembered")                             \
    U64(REQ, cancelled, U64_ANY, "jobs cancelled, of those remembered")                       \
    U64(REQ, operations, U64_ANY, "operations of the plans that were finished")               \
    U64(OPT, reassigned, U64_ANY, "operations handed out again")                              \
    U64(OPT, copied, U64_ANY, "of these, to overtake a slow worker, in this reign")           \
    U64(OPT, restarts, U64_ANY, "starts of nodes on a directory that they had before")        \
    U64(OPT, elections, U64_ANY, "won: coordinators that came to serve")                      \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "of the cluster; absent: it is not founded")       \
    BOOL(OPT, founded, "this node's disk belongs to a cluster")                               \
    STR(OPT, founding, TEXT_FIELD_MAX, "why it does not, one line for people")

#define INITED_FIELDS(U64, BOOL, STR, BIN, LIST)                     \
    U64(REQ, request, U64_ANY, "of the request")                     \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "of the cluster founded") \
    U64(REQ, nodes, NODES_MAX, "its nodes")                          \
    U64(REQ, voters, NODES_MAX, "of these, so many vote")            \
    STR(OPT, missing, 400, "voters that took no part, and are admitted when they come")

#define BROKER_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, request, U64_ANY, "of the request")                                        \
    U64(REQ, coordinator, NODES_MAX, "the coordinator that this broker knows; 0: none") \
    U64(REQ, term, TERM_MAX, "its term")                                                \
    U64(REQ, quorum, NODES_MAX, "votes that an election needs")                         \
    LIST(REQ, nodes, node_row, NODES_MAX, "as their heartbeats tell")                   \
    U64(REQ, forwarded, U64_ANY, "requests passed on")                                  \
    U64(REQ, rejected, U64_ANY, "malformed messages dropped")                           \
    U64(OPT, refused, U64_ANY, "requests refused: too much waits for their client")     \
    U64(OPT, dropped, U64_ANY, "answers dropped: so, or their client is gone")          \
    U64(OPT, waiting, U64_ANY, "bytes of answers that wait for clients to read them")   \
    U64(OPT, pid, U64_ANY, "process id of the broker")                                  \
    STR(OPT, version, 32, "of its program")

#define ERROR_FIELDS(U64, BOOL, STR, BIN, LIST)                                                    \
    U64(REQ, request, U64_ANY, "of the request; 0 when it could not be read")                      \
    STR(REQ, code, JOB_KIND_MAX,                                                                   \
        "invalid, too_costly, not_found, unavailable, not_coordinator, busy, finished, not_kept, " \
        "insufficient, overflow, too_many, disk_full, malformed")                                  \
    STR(REQ, reason, TEXT_FIELD_MAX, "one line for people")                                        \
    U64(OPT, coordinator, NODES_MAX, "not_coordinator: whom this node follows; 0: nobody")

/* Entries of the log, kept on disk in the same form. */
#define ENTRY_NOOP_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, node, NODES_MAX, "the coordinator that begins its term with this entry")

#define ENTRY_VOTER_ADMITTED_FIELDS(U64, BOOL, STR, BIN, LIST)                          \
    U64(REQ, node, NODES_MAX, "the voter")                                              \
    U64(REQ, birth, U64_ANY, "its disk from now on; acks and votes of others are void") \
    BIN(REQ, cluster_id, CLUSTER_ID_BYTES, "in which cluster; means nothing in another")

#define ENTRY_JOB_SUBMITTED_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")                               \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                    \
    STR(REQ, spec, JOB_SPEC_MAX, "its argument")                                 \
    U64(REQ, level, 32, "level of the plan whose subtrees are handed out whole") \
    U64(REQ, time_ms, U64_ANY, "when it was accepted")

/* What was done for a job since its last entry. */
#define DONE_FIELDS(U64, LIST)                                                             \
    U64(REQ, job, U64_ANY, "which")                                                        \
    U64(REQ, executed, U64_ANY, "operations executed for it in all, repetitions included") \
    LIST(REQ, ops, done_op, CHECKPOINT_OPS_MAX,                                            \
         "finished operations whose values are still needed, or traced")                   \
    LIST(REQ, tallies, tally, NODES_MAX, "what every node contributed")                    \
    U64(OPT, reassigned, U64_ANY,                                                          \
        "operations of any job handed out again since the last such entry")

#define ENTRY_OPS_DONE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    DONE_FIELDS(U64, LIST)                               \
    U64(REQ, source, NODES_MAX, "the coordinator, which holds the values on disk")

#define ENTRY_JOB_DONE_FIELDS(U64, BOOL, STR, BIN, LIST)                         \
    DONE_FIELDS(U64, LIST)                                                       \
    U64(REQ, source, NODES_MAX, "the coordinator, which holds the text on disk") \
    U64(REQ, time_ms, U64_ANY, "when")                                           \
    U64(REQ, digits, U64_ANY, "length of the decimal text")                      \
    BIN(REQ, sha256, HASH_BYTES, "of the decimal text")                          \
    STR(OPT, text, TEXT_INLINE_DIGITS,                                           \
        "the text, up to 1000 digits; a longer one is a value on disk")          \
    STR(OPT, head, TEXT_EDGE_DIGITS, "else its first digits")                    \
    STR(OPT, tail, TEXT_EDGE_DIGITS, "and its last")                             \
    U64(OPT, converter, NODES_MAX, "the node that converted it")

#define ENTRY_PROGRESS_SET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, index, U64_ANY, "the node whose state is set")  \
    U64(REQ, state, U64_ANY, "the state")

#define ENTRY_PROGRESS_SNAPPED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")

/* A full checkpoint is a sequence of these. On disk and between nodes many are bundled into one. */
#define IMAGE_BUNDLE_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, rows, MESSAGE_FRAMES_MAX, "further frames, each of them a packed part")

#define IMAGE_HEAD_FIELDS(U64, BOOL, STR, BIN, LIST)                \
    U64(REQ, index, LOG_INDEX_MAX, "the last entry that it covers") \
    U64(REQ, index_term, TERM_MAX, "and its term")                  \
    LIST(REQ, tallies, tally, NODES_MAX, "of all jobs, by node")    \
    U64(OPT, elections, U64_ANY, "won so far")                      \
    U64(OPT, reassigned, U64_ANY, "operations handed out again")    \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster ...")       \
    LIST(OPT, births, voter_birth, NODES_MAX, "... and the disks of its voters")

#define IMAGE_JOB_FIELDS(U64, BOOL, STR, BIN, LIST)                              \
    LIST(REQ, jobs, job_row, 1, "the job")                                       \
    U64(REQ, level, 32, "level of the plan whose subtrees are handed out whole") \
    U64(REQ, source, NODES_MAX,                                                  \
        "a node that holds its kept text, when it is longer than 1000 digits")   \
    BIN(OPT, trace, TRACE_BYTES_MAX,                                             \
        "node and attempt of each operation, two little-endian bytes each")      \
    LIST(OPT, tallies, tally, NODES_MAX, "of an unfinished job: incarnation and executed by node")

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

#define IMAGE_SNAPS_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    U64(REQ, snapshots, U64_ANY, "snaps taken")                                                  \
    STR(OPT, key, JOB_KEY_MAX, "of the last ones taken, one message each: the client's key ...") \
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

#define ENTRY_SESSION_OPENED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, token, U64_ANY, "random; the id is made of the entry's term and index, as a job's is")

#define ENTRY_JOB_FAILED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, job, U64_ANY, "which")                        \
    U64(REQ, time_ms, U64_ANY, "when")                     \
    STR(REQ, reason, JOB_REASON_MAX, "why")

#define ENTRY_JOB_CANCELLED_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, job, U64_ANY, "which")                           \
    U64(REQ, time_ms, U64_ANY, "when")

/* R(name, FIELDS): a record comes before the records and messages that hold lists of it. */
#define WIRE_RECORDS(R)                  \
    R(operand, OPERAND_FIELDS)           \
    R(done_op, DONE_OP_FIELDS)           \
    R(tally, TALLY_FIELDS)               \
    R(mark, MARK_FIELDS)                 \
    R(voter_birth, VOTER_BIRTH_FIELDS)   \
    R(log_item, LOG_ITEM_FIELDS)         \
    R(account_row, ACCOUNT_ROW_FIELDS)   \
    R(participant, PARTICIPANT_FIELDS)   \
    R(cut_op, CUT_OP_FIELDS)             \
    R(cut_job, CUT_JOB_FIELDS)           \
    R(cut_message, CUT_MESSAGE_FIELDS)   \
    R(cut_count, CUT_COUNT_FIELDS)       \
    R(cut_part, CUT_PART_FIELDS)         \
    R(cut_gap, CUT_GAP_FIELDS)           \
    R(cut_account, CUT_ACCOUNT_FIELDS)   \
    R(cut_pair, CUT_PAIR_FIELDS)         \
    R(cut_pending, CUT_PENDING_FIELDS)   \
    R(cut_applied, CUT_APPLIED_FIELDS)   \
    R(snapshot_row, SNAPSHOT_ROW_FIELDS) \
    R(task_op, TASK_OP_FIELDS)           \
    R(result_op, RESULT_OP_FIELDS)       \
    R(job_row, JOB_ROW_FIELDS) R(trace_row, TRACE_ROW_FIELDS) R(node_row, NODE_ROW_FIELDS)

/* M(SYMBOL, name, FIELDS, where, doc): where is a word of enum message_place. */
#define WIRE_MESSAGES(M)                                                                          \
    M(HELLO, hello, HELLO_FIELDS, PLACE_LINK, "opens every connection between nodes")             \
    M(WELCOME, welcome, WELCOME_FIELDS, PLACE_LINK,                                               \
      "answers a HELLO, over the answerer's own connection")                                      \
    M(REFUSED, refused, REFUSED_FIELDS, PLACE_LINK,                                               \
      "answers a HELLO of an id whose other incarnation lives")                                   \
    M(VOTE_REQUEST, vote_request, VOTE_REQUEST_FIELDS, PLACE_CONTROL,                             \
      "a candidate asks for a vote")                                                              \
    M(VOTE_REPLY, vote_reply, VOTE_REPLY_FIELDS, PLACE_CONTROL, "the vote")                       \
    M(FOUND, found, FOUND_FIELDS, PLACE_CONTROL,                                                  \
      "the identity of the cluster, to a node whose disk has none")                               \
    M(GOODBYE, goodbye, GOODBYE_FIELDS, PLACE_CONTROL,                                            \
      "this node ends, and none of its operations is to blame")                                   \
    M(APPEND, append, APPEND_FIELDS, PLACE_CHECKPOINT, "the coordinator replicates entries")      \
    M(APPEND_REPLY, append_reply, APPEND_REPLY_FIELDS, PLACE_CHECKPOINT,                          \
      "what the follower has on disk")                                                            \
    M(INSTALL, install, INSTALL_FIELDS, PLACE_CHECKPOINT, "a full checkpoint, in parts")          \
    M(INSTALL_REPLY, install_reply, INSTALL_REPLY_FIELDS, PLACE_CHECKPOINT, "how far it got")     \
    M(TASK, task, TASK_FIELDS, PLACE_CHANNEL, "the coordinator assigns operations")               \
    M(RESULT, result, RESULT_FIELDS, PLACE_CHANNEL, "a worker returns results")                   \
    M(RELEASE, release, RELEASE_FIELDS, PLACE_CHANNEL,                                            \
      "the coordinator ends a job at the workers")                                                \
    M(MARKER, marker, MARKER_FIELDS, PLACE_CHANNEL,                                               \
      "cuts the channel: what is before it belongs to the snapshot")                              \
    M(SNAPSHOT_REPORT, snapshot_report, SNAPSHOT_REPORT_FIELDS, PLACE_CHANNEL,                    \
      "a participant's recorded state and channels, to the initiator")                            \
    M(SNAPSHOT_END, snapshot_end, SNAPSHOT_END_FIELDS, PLACE_CHANNEL,                             \
      "the initiator waits no longer: forget what was recorded")                                  \
    M(CHANNEL_ACK, channel_ack, CHANNEL_ACK_FIELDS, PLACE_CHANNEL,                                \
      "acknowledges when nothing else does")                                                      \
    M(TRANSFER, transfer, TRANSFER_FIELDS, PLACE_CHANNEL, "money of one account for another")     \
    M(APP, app, APP_FIELDS, PLACE_CHANNEL, "an application message: a value for another node")    \
    M(LEDGER_ACK, ledger_ack, LEDGER_ACK_FIELDS, PLACE_CHANNEL,                                   \
      "what a ledger has applied of another's transfers and application messages")                \
    M(ACCOUNT_QUERY, account_query, ACCOUNT_QUERY_FIELDS, PLACE_CONTROL,                          \
      "asks whether an account exists before money is sent to it")                                \
    M(ACCOUNT_REPLY, account_reply, ACCOUNT_REPLY_FIELDS, PLACE_CONTROL, "whether it does")       \
    M(VALUE_GET, value_get, VALUE_GET_FIELDS, PLACE_VALUE, "asks for a chunk of a value")         \
    M(VALUE_CHUNK, value_chunk, VALUE_CHUNK_FIELDS, PLACE_VALUE, "the chunk, as a further frame") \
    M(HEARTBEAT, heartbeat, HEARTBEAT_FIELDS, PLACE_FEED, "every node, every 50 ms by default")   \
    M(EVENT, event, EVENT_FIELDS, PLACE_FEED,                                                     \
      "something that a person tailing the feed wants to know")                                   \
    M(SUBMIT, submit, SUBMIT_FIELDS, PLACE_REQUEST, "submits a job; answered by job or error")    \
    M(JOB_GET, job_get, JOB_GET_FIELDS, PLACE_REQUEST,                                            \
      "shows or awaits a job; answered by job or error")                                          \
    M(JOB_LIST, job_list, JOB_LIST_FIELDS, PLACE_REQUEST, "lists jobs; answered by job_page")     \
    M(JOB_CANCEL, job_cancel, JOB_CANCEL_FIELDS, PLACE_REQUEST,                                   \
      "cancels a job; answered by job or error")                                                  \
    M(JOB_TRACE, job_trace, JOB_TRACE_FIELDS, PLACE_REQUEST,                                      \
      "lists operations; answered by trace_page or error")                                        \
    M(JOB_EXPLAIN, job_explain, JOB_EXPLAIN_FIELDS, PLACE_REQUEST,                                \
      "answered by explanation or error")                                                         \
    M(RESULT_GET, result_get, RESULT_GET_FIELDS, PLACE_REQUEST,                                   \
      "answered by result_chunk or error")                                                        \
    M(STATUS_GET, status_get, STATUS_GET_FIELDS, PLACE_REQUEST, "answered by status")             \
    M(BROKER_GET, broker_get, BROKER_GET_FIELDS, PLACE_REQUEST,                                   \
      "answered by the broker itself, with broker")                                               \
    M(INIT, init, INIT_FIELDS, PLACE_REQUEST,                                                     \
      "founds the cluster with the voters that are there; answered by inited or error")           \
    M(SESSION_OPEN, session_open, SESSION_OPEN_FIELDS, PLACE_REQUEST,                             \
      "opens a session for keys; answered by session or error")                                   \
    M(PROGRESS_SET, progress_set, PROGRESS_SET_FIELDS, PLACE_REQUEST,                             \
      "SetState; answered by progress")                                                           \
    M(PROGRESS_SNAP, progress_snap, PROGRESS_SNAP_FIELDS, PLACE_REQUEST,                          \
      "Snap; answered by progress")                                                               \
    M(PROGRESS_GET, progress_get, PROGRESS_GET_FIELDS, PLACE_REQUEST,                             \
      "reads a state; answered by progress")                                                      \
    M(BANK_DEPOSIT, bank_deposit, BANK_DEPOSIT_FIELDS, PLACE_REQUEST,                             \
      "adds money, and makes the account; answered by bank_account or error")                     \
    M(BANK_WITHDRAW, bank_withdraw, BANK_WITHDRAW_FIELDS, PLACE_REQUEST,                          \
      "takes money; answered by bank_account or error")                                           \
    M(BANK_TRANSFER, bank_transfer, BANK_TRANSFER_FIELDS, PLACE_REQUEST,                          \
      "moves money; answered by bank_account or error")                                           \
    M(BANK_BALANCE, bank_balance, BANK_BALANCE_FIELDS, PLACE_REQUEST,                             \
      "answered by bank_account or error")                                                        \
    M(BANK_LIST, bank_list, BANK_LIST_FIELDS, PLACE_REQUEST,                                      \
      "lists accounts; answered by bank_page")                                                    \
    M(KV_PUT, kv_put, KV_PUT_FIELDS, PLACE_REQUEST,                                               \
      "puts a value here or on another node; answered by kv_value or error")                      \
    M(KV_GET, kv_get, KV_GET_FIELDS, PLACE_REQUEST, "answered by kv_value or error")              \
    M(BANK_ACCOUNT, bank_account, BANK_ACCOUNT_FIELDS, PLACE_REPLY, "an account")                 \
    M(BANK_PAGE, bank_page, BANK_PAGE_FIELDS, PLACE_REPLY, "accounts")                            \
    M(KV_VALUE, kv_value, KV_VALUE_FIELDS, PLACE_REPLY, "a value")                                \
    M(SNAPSHOT_TAKE, snapshot_take, SNAPSHOT_TAKE_FIELDS, PLACE_REQUEST,                          \
      "takes a global snapshot; answered by snapshot when it is kept")                            \
    M(SNAPSHOT_LIST, snapshot_list, SNAPSHOT_LIST_FIELDS, PLACE_REQUEST,                          \
      "answered by snapshot_page")                                                                \
    M(SNAPSHOT_GET, snapshot_get, SNAPSHOT_GET_FIELDS, PLACE_REQUEST,                             \
      "answered by snapshot_chunk")                                                               \
    M(SNAPSHOT, snapshot, SNAPSHOT_FIELDS, PLACE_REPLY, "a snapshot's head")                      \
    M(SNAPSHOT_PAGE, snapshot_page, SNAPSHOT_PAGE_FIELDS, PLACE_REPLY, "snapshots of a node")     \
    M(SNAPSHOT_CHUNK, snapshot_chunk, SNAPSHOT_CHUNK_FIELDS, PLACE_REPLY,                         \
      "part of a snapshot, as a further frame")                                                   \
    M(CUT_STATE, cut_state, CUT_STATE_FIELDS, PLACE_LOG, "a node's state in a snapshot")          \
    M(CUT_ACCOUNTS, cut_accounts, CUT_ACCOUNTS_FIELDS, PLACE_LOG, "its accounts")                 \
    M(CUT_PAIRS, cut_pairs, CUT_PAIRS_FIELDS, PLACE_LOG, "its key-value state")                   \
    M(CUT_LEDGER, cut_ledger, CUT_LEDGER_FIELDS, PLACE_LOG, "its outbox and marks")               \
    M(CUT_WORK, cut_work, CUT_WORK_FIELDS, PLACE_LOG, "operations that it has, or handed out")    \
    M(CUT_JOBS, cut_jobs, CUT_JOBS_FIELDS, PLACE_LOG, "the jobs that it coordinates")             \
    M(CUT_CHANNEL, cut_channel, CUT_CHANNEL_FIELDS, PLACE_LOG, "a channel into it")               \
    M(SNAPSHOT_HEAD, snapshot_head, SNAPSHOT_HEAD_FIELDS, PLACE_LOG, "begins a snapshot")         \
    M(SESSION, session, SESSION_FIELDS, PLACE_REPLY, "a session that was opened")                 \
    M(PROGRESS, progress, PROGRESS_FIELDS, PLACE_REPLY, "a state, or a snap")                     \
    M(JOB, job, JOB_FIELDS, PLACE_REPLY, "a job")                                                 \
    M(JOB_PAGE, job_page, JOB_PAGE_FIELDS, PLACE_REPLY, "jobs")                                   \
    M(TRACE_PAGE, trace_page, TRACE_PAGE_FIELDS, PLACE_REPLY, "operations of a job")              \
    M(EXPLANATION, explanation, EXPLANATION_FIELDS, PLACE_REPLY, "why a job is where it is")      \
    M(RESULT_CHUNK, result_chunk, RESULT_CHUNK_FIELDS, PLACE_REPLY, "digits, as a further frame") \
    M(STATUS, status, STATUS_FIELDS, PLACE_REPLY, "the cluster as its coordinator sees it")       \
    M(INITED, inited, INITED_FIELDS, PLACE_REPLY, "the cluster is founded")                       \
    M(BROKER, broker, BROKER_FIELDS, PLACE_REPLY, "the cluster as a broker sees it")              \
    M(ERROR, error, ERROR_FIELDS, PLACE_REPLY, "the request was refused, and nothing changed")    \
    M(ENTRY_NOOP, entry_noop, ENTRY_NOOP_FIELDS, PLACE_LOG, "begins a term")                      \
    M(ENTRY_VOTER_ADMITTED, entry_voter_admitted, ENTRY_VOTER_ADMITTED_FIELDS, PLACE_LOG,         \
      "a voter's disk counts from now on, and no former one of it")                               \
    M(ENTRY_JOB_SUBMITTED, entry_job_submitted, ENTRY_JOB_SUBMITTED_FIELDS, PLACE_LOG,            \
      "a job was accepted")                                                                       \
    M(ENTRY_OPS_DONE, entry_ops_done, ENTRY_OPS_DONE_FIELDS, PLACE_LOG, "a checkpoint of a job")  \
    M(ENTRY_PROGRESS_SET, entry_progress_set, ENTRY_PROGRESS_SET_FIELDS, PLACE_LOG,               \
      "SetState of a client")                                                                     \
    M(ENTRY_PROGRESS_SNAPPED, entry_progress_snapped, ENTRY_PROGRESS_SNAPPED_FIELDS, PLACE_LOG,   \
      "Snap")                                                                                     \
    M(ENTRY_SESSION_OPENED, entry_session_opened, ENTRY_SESSION_OPENED_FIELDS, PLACE_LOG,         \
      "a client's session for keys")                                                              \
    M(IMAGE_HEAD, image_head, IMAGE_HEAD_FIELDS, PLACE_LOG, "begins a full checkpoint")           \
    M(IMAGE_BUNDLE, image_bundle, IMAGE_BUNDLE_FIELDS, PLACE_LOG,                                 \
      "parts of a full checkpoint, as many as fit")                                               \
    M(IMAGE_JOB, image_job, IMAGE_JOB_FIELDS, PLACE_LOG, "a job in a full checkpoint")            \
    M(IMAGE_OPS, image_ops, IMAGE_OPS_FIELDS, PLACE_LOG,                                          \
      "finished operations in a full checkpoint")                                                 \
    M(IMAGE_PROGRESS, image_progress, IMAGE_PROGRESS_FIELDS, PLACE_LOG,                           \
      "progress in a full checkpoint")                                                            \
    M(IMAGE_SNAPS, image_snaps, IMAGE_SNAPS_FIELDS, PLACE_LOG, "snaps in a full checkpoint")      \
    M(IMAGE_FORGOTTEN, image_forgotten, IMAGE_FORGOTTEN_FIELDS, PLACE_LOG,                        \
      "forgotten keys in a full checkpoint")                                                      \
    M(IMAGE_KEYS, image_keys, IMAGE_KEYS_FIELDS, PLACE_LOG,                                       \
      "blocks of forgotten keys in a full checkpoint")                                            \
    M(IMAGE_KEY_BLOCK, image_key_block, IMAGE_KEY_BLOCK_FIELDS, PLACE_LOG,                        \
      "a block of forgotten keys")                                                                \
    M(IMAGE_SESSIONS, image_sessions, IMAGE_SESSIONS_FIELDS, PLACE_LOG,                           \
      "sessions in a full checkpoint")                                                            \
    M(ENTRY_JOB_DONE, entry_job_done, ENTRY_JOB_DONE_FIELDS, PLACE_LOG, "a job has its result")   \
    M(ENTRY_JOB_FAILED, entry_job_failed, ENTRY_JOB_FAILED_FIELDS, PLACE_LOG,                     \
      "a job cannot be done")                                                                     \
    M(ENTRY_JOB_CANCELLED, entry_job_cancelled, ENTRY_JOB_CANCELLED_FIELDS, PLACE_LOG,            \
      "a client cancelled it")

#endif
