/* cut.h - the parts of a snapshot of the whole cluster (Chandy & Lamport 1985): the reports of its
 * participants, packed as log entries are, and its head, as it is kept. */
#ifndef CONCLAVE_WIRE_SCHEMA_CUT_H
#define CONCLAVE_WIRE_SCHEMA_CUT_H

#include "shared/wire/schema/fields.h"

/* An operation somewhere: at a worker, handed out, or in a message. */
#define CUT_OP_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    U64(REQ, job, U64_ANY, "the job")                                                       \
    U64(REQ, op, OP_MAX, "the operation, or the root of the subtree")                       \
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
    U64(REQ, incarnation, U64_ANY, "in which incarnation")                              \
    STR(OPT, missing, 64, "why its state is not here; empty: it is")                    \
    U64(OPT, parts, U64_ANY, "parts of its report")                                     \
    U64(OPT, bytes, U64_ANY, "bytes of its report")                                     \
    U64(OPT, first_marker, NODES_MAX, "who sent it the first marker; 0: the initiator") \
    U64(OPT, took_us, U64_ANY, "from the initiator's first marker to its report")

#define CUT_GAP_FIELDS(U64, BOOL, STR, BIN, LIST)    \
    U64(REQ, from, NODES_MAX, "of the channel from") \
    U64(REQ, to, NODES_MAX, "to")                    \
    STR(REQ, why, 64, "why its content is not known")

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

/* Parts of a report, packed as log entries are. */
#define CUT_STATE_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, node, NODES_MAX, "whose state this is")                                       \
    U64(REQ, incarnation, U64_ANY, "in which incarnation")                                 \
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

#define CUT_ACCOUNTS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, rows, cut_account, CUT_ROWS_MAX, "accounts")

#define CUT_PAIRS_FIELDS(U64, BOOL, STR, BIN, LIST) \
    LIST(REQ, rows, cut_pair, CUT_ROWS_MAX, "key-value state")

#define CUT_LEDGER_FIELDS(U64, BOOL, STR, BIN, LIST)                                 \
    LIST(REQ, pending, cut_pending, CUT_ROWS_MAX, "sent, not acknowledged")          \
    LIST(OPT, applied, cut_applied, NODES_MAX, "marks; in the first such part only") \
    LIST(OPT, issued, cut_applied, NODES_MAX, "last numbers given to outbox messages; likewise")

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
    SNAPSHOT_ID_FIELDS(U64)                                                              \
    BOOL(REQ, complete, "every participant's state and every channel's content is here") \
    BOOL(OPT, periodic, "taken by the clock; the oldest of these go first")              \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC")                            \
    U64(REQ, took_us, U64_ANY, "until the last report")                                  \
    U64(REQ, bytes, U64_ANY, "of all reports")                                           \
    LIST(REQ, nodes, cut_part, NODES_MAX, "of the cluster")                              \
    LIST(OPT, gaps, cut_gap, CUT_ROWS_MAX, "channels whose content is not known")        \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "of a share: the cluster that is restored")   \
    U64(OPT, voters, NODES_MAX, "of a share: of that cluster")

#define CUT_RECORDS(R)                 \
    R(cut_op, CUT_OP_FIELDS)           \
    R(cut_job, CUT_JOB_FIELDS)         \
    R(cut_message, CUT_MESSAGE_FIELDS) \
    R(cut_count, CUT_COUNT_FIELDS)     \
    R(cut_part, CUT_PART_FIELDS)       \
    R(cut_gap, CUT_GAP_FIELDS)         \
    R(cut_account, CUT_ACCOUNT_FIELDS) \
    R(cut_pair, CUT_PAIR_FIELDS)       \
    R(cut_pending, CUT_PENDING_FIELDS) \
    R(cut_applied, CUT_APPLIED_FIELDS)

#define CUT_MESSAGES(M)                                                                        \
    M(CUT_STATE, cut_state, CUT_STATE_FIELDS, PLACE_CUT, "a node's state in a snapshot")       \
    M(CUT_ACCOUNTS, cut_accounts, CUT_ACCOUNTS_FIELDS, PLACE_CUT, "its accounts")              \
    M(CUT_PAIRS, cut_pairs, CUT_PAIRS_FIELDS, PLACE_CUT, "its key-value state")                \
    M(CUT_LEDGER, cut_ledger, CUT_LEDGER_FIELDS, PLACE_CUT, "its outbox and marks")            \
    M(CUT_WORK, cut_work, CUT_WORK_FIELDS, PLACE_CUT, "operations that it has, or handed out") \
    M(CUT_JOBS, cut_jobs, CUT_JOBS_FIELDS, PLACE_CUT, "the jobs that it coordinates")          \
    M(CUT_CHANNEL, cut_channel, CUT_CHANNEL_FIELDS, PLACE_CUT, "a channel into it")            \
    M(SNAPSHOT_HEAD, snapshot_head, SNAPSHOT_HEAD_FIELDS, PLACE_CUT, "begins a snapshot")

#endif
