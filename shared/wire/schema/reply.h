/* reply.h - answers to clients. */
#ifndef CONCLAVE_WIRE_SCHEMA_REPLY_H
#define CONCLAVE_WIRE_SCHEMA_REPLY_H

#include "shared/wire/schema/fields.h"

#define TRACE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    U64(REQ, op, OP_MAX, "the operation's number, from 1")                                 \
    STR(REQ, operator, JOB_KIND_MAX, "multiply")                                           \
    LIST(REQ, operands, operand, OPERANDS_MAX, "literals and results of other operations") \
    U64(REQ, node, NODES_MAX, "the worker that executed it; 0: not done yet")              \
    U64(REQ, attempt, U64_ANY, "which attempt succeeded")

#define NODE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                               \
    U64(REQ, node, NODES_MAX, "id")                                                              \
    PROCESS_FIELDS(U64, STR)                                                                     \
    STR(REQ, role, 16, "coordinator, worker, candidate or unknown")                              \
    BOOL(REQ, alive, "its heartbeats arrive")                                                    \
    U64(OPT, incarnation, U64_ANY, "its present incarnation")                                    \
    U64(OPT, boots, U64_ANY, "how often it was started on its data directory")                   \
    U64(OPT, term, U64_ANY, "the term that it is in")                                            \
    U64(OPT, operations, U64_ANY, "operations whose results the coordinator accepted from it")   \
    U64(OPT, conversions, U64_ANY, "conversions to text accepted from it")                       \
    U64(OPT, assigned, U64_ANY, "operations assigned to it now")                                 \
    COUNT_FIELDS(U64, OPT)                                                                       \
    HELD_FIELDS(U64, BOOL)                                                                       \
    HEALTH_FIELDS(U64, BOOL, STR)                                                                \
    U64(OPT, behind_ms, U64_ANY,                                                                 \
        "for so long it has not reached what was committed by then; 0: it is level")             \
    U64(OPT, stalled_ms, U64_ANY,                                                                \
        "for so long its disk has finished nothing of what it has to do; 0: it works")           \
    BIN(OPT, syncs, HISTOGRAM_BYTES, "how long its disk took: counts of buckets, and their sum") \
    U64(OPT, slots, U64_ANY, "commands that it runs at a time; 0: none")                         \
    U64(OPT, operation_slots, U64_ANY,                                                           \
        "operations that it executes at a time, commands included; 0: one, beside them")         \
    U64(OPT, slots_used, U64_ANY, "slots that operations and commands have now")                 \
    BOOL(OPT, voter, "it votes, once its disk is admitted")                                      \
    BOOL(OPT, admitted, "its disk counts: votes and acknowledgements")                           \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster of its disk; absent: none, or unheard")  \
    STR(OPT, refusal, REFUSAL_MAX, "why a process of that id is refused now; absent: none is")   \
    STR(OPT, version, 32, "of its program")

#define ACCOUNT_ROW_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, account, LEDGER_NAME_MAX, "its name")    \
    U64(REQ, balance, MONEY_MAX, "in minor units")

#define KV_ROW_FIELDS(U64, BOOL, STR, BIN, LIST) \
    STR(REQ, name, LEDGER_NAME_MAX, "its name")  \
    STR(REQ, value, KV_VALUE_MAX, "its value")

#define SNAPSHOT_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)        \
    SNAPSHOT_ID_FIELDS(U64)                                   \
    BOOL(REQ, complete, "nothing is missing")                 \
    BOOL(OPT, periodic, "taken by the clock")                 \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC") \
    U64(REQ, took_us, U64_ANY, "until the last report")       \
    U64(REQ, bytes, U64_ANY, "as it is kept")                 \
    U64(REQ, nodes, NODES_MAX, "states in it")                \
    STR(OPT, missing, 400, "what is missing, for people")

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

#define KV_VALUE_FIELDS(U64, BOOL, STR, BIN, LIST)                 \
    U64(REQ, request, U64_ANY, "of the request")                   \
    STR(REQ, name, LEDGER_NAME_MAX, "of the value")                \
    BOOL(REQ, found, "kv_get: there is one; kv_put, kv_del: true") \
    STR(OPT, value, KV_VALUE_MAX, "kv_get: the value")             \
    BOOL(OPT, repeated, "the key was known, and nothing changed now")

#define KV_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                    \
    U64(REQ, request, U64_ANY, "of the request")                     \
    BOOL(REQ, more, "there are more: ask again after the last name") \
    LIST(REQ, values, kv_row, LEDGER_PAGE_MAX, "in the order of their names")

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

#define PHASE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                \
    STR(REQ, phase, PHASE_NAME_MAX, "computing, converting, moving, keeping, ...") \
    U64(REQ, us, U64_ANY, "microseconds of the job's time that it was in it")

#define JOB_FIELDS(U64, BOOL, STR, BIN, LIST)                                                  \
    U64(REQ, request, U64_ANY, "of the request")                                               \
    BOOL(OPT, created, "submit: the job is new; false: the key was known")                     \
    LIST(REQ, jobs, job_row, 1, "the one job")                                                 \
    LIST(OPT, timing, phase_row, PHASES_MAX,                                                   \
         "where its time went, if that was asked for and is known; they add up to it")         \
    U64(OPT, since_ms, U64_ANY,                                                                \
        "of timing: since when its coordinator knows, milliseconds since 1970 UTC; 0: of all") \
    LIST(OPT, losses, loss, NODES_MAX, "what was computed again because values were lost")

#define JOB_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                \
    U64(REQ, request, U64_ANY, "of the request")                  \
    BOOL(REQ, more, "there are more")                             \
    LIST(REQ, jobs, job_row, JOB_PAGE_MAX,                        \
         "in the order of their ids; those that the key may see") \
    U64(OPT, after, U64_ANY, "after which id to ask again, when there are more")

#define JOBS_FORGOTTEN_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    U64(REQ, request, U64_ANY, "of the request")                 \
    U64(REQ, forgotten, U64_ANY, "so many were known until now") \
    U64(REQ, kept_jobs, U64_ANY, "finished jobs that are left")  \
    U64(REQ, kept_bytes, U64_ANY, "bytes of the results of these")

#define TRACE_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                   \
    U64(REQ, request, U64_ANY, "of the request")                       \
    BOOL(REQ, more, "there are more: ask again after the last number") \
    LIST(REQ, ops, trace_row, TRACE_PAGE_MAX, "in the order of their numbers")

#define EXPLANATION_FIELDS(U64, BOOL, STR, BIN, LIST) \
    U64(REQ, request, U64_ANY, "of the request")      \
    STR(REQ, text, 4096, "lines for people")

#define VALUE_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)                                       \
    U64(REQ, value, U64_ANY, "its id, made as a job's is")                                \
    BIN(REQ, sha256, HASH_BYTES, "of all of its bytes, as its client says")               \
    U64(REQ, len, VALUE_BYTES_MAX, "how many bytes those are")                            \
    STR(REQ, format, STORED_FORMAT_MAX, "bytes, integers or tasks")                       \
    STR(OPT, name, STORED_NAME_MAX, "for people")                                         \
    STR(OPT, owner, OWNER_MAX, "the name of the key that began it; absent: without keys") \
    BOOL(REQ, whole, "all of it is there, and it may be used")                            \
    U64(REQ, segments, VALUE_SEGMENTS_MAX, "segments that are durable")                   \
    U64(REQ, bytes, VALUE_BYTES_MAX, "in these")                                          \
    U64(REQ, items, U64_ANY, "in these")                                                  \
    U64(REQ, age_ms, U64_ANY, "how long no job has named it, by the cluster's own time")  \
    LIST(OPT, jobs, job_ref, VALUE_JOBS_SHOWN, "jobs that name it; it is kept while any does")

/* A value that was dropped: its row as it was. */
#define VALUE_FIELDS(U64, BOOL, STR, BIN, LIST)                       \
    U64(REQ, request, U64_ANY, "of the request")                      \
    BOOL(OPT, created, "value_begin: it is new; false: it was there") \
    LIST(REQ, values, value_row, 1, "the one value")

#define VALUE_CHUNK_TAKEN_FIELDS(U64, BOOL, STR, BIN, LIST)  \
    U64(REQ, request, U64_ANY, "of the request")             \
    U64(REQ, value, U64_ANY, "as in value_put")              \
    U64(REQ, segment, VALUE_SEGMENTS_MAX, "as in value_put") \
    U64(REQ, offset, VALUE_BYTES_MAX, "as in value_put")

#define VALUE_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)              \
    U64(REQ, request, U64_ANY, "of the request")                  \
    BOOL(REQ, more, "there are more")                             \
    LIST(REQ, values, value_row, VALUE_PAGE_MAX,                  \
         "in the order of their ids; those that the key may see") \
    U64(OPT, after, U64_ANY, "after which id to ask again, when there are more")

#define VALUE_BYTES_FIELDS(U64, BOOL, STR, BIN, LIST)                      \
    U64(REQ, request, U64_ANY, "of the request")                           \
    U64(REQ, value, U64_ANY, "which")                                      \
    U64(REQ, offset, VALUE_BYTES_MAX, "of the bytes in the further frame") \
    U64(REQ, total, VALUE_BYTES_MAX, "bytes of the value in all")

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
    U64(OPT, copied, U64_ANY, "of these, to overtake a slow worker, in this term")            \
    U64(OPT, restarts, U64_ANY, "starts of nodes on a directory that they had before")        \
    U64(OPT, elections, U64_ANY, "won: coordinators that came to serve")                      \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "of the cluster; absent: it is not founded")       \
    BOOL(OPT, founded, "this node's disk belongs to a cluster")                               \
    STR(OPT, founding, TEXT_FIELD_MAX, "why it does not, one line for people")                \
    U64(OPT, kept_jobs, U64_ANY, "finished jobs that are remembered")                         \
    U64(OPT, kept_bytes, U64_ANY, "bytes of their results, on each disk that holds them")     \
    U64(OPT, keep_jobs, U64_ANY, "how many are remembered at most")                           \
    U64(OPT, keep_bytes, U64_ANY, "and bytes of their results; 0: any number of them")

#define QUOTA_ROW_FIELDS(U64, BOOL, STR, BIN, LIST)              \
    STR(REQ, name, OWNER_MAX, "of the key")                      \
    U64(REQ, open_jobs, U64_ANY, "accepted and not finished")    \
    U64(REQ, kept_jobs, U64_ANY, "finished ones, as remembered") \
    U64(REQ, kept_bytes, U64_ANY, "bytes of their results")      \
    U64(OPT, values, U64_ANY, "stored values")                   \
    U64(OPT, value_bytes, U64_ANY, "that they have, or will have when they are whole")

#define QUOTA_PAGE_FIELDS(U64, BOOL, STR, BIN, LIST)                                          \
    U64(REQ, request, U64_ANY, "of the request")                                              \
    U64(REQ, jobs_max, U64_ANY, "jobs that a key may have open; 0: any number")               \
    U64(REQ, bytes_max, U64_ANY,                                                              \
        "bytes of results and stored values of a key, beyond which it may submit and upload " \
        "nothing more; 0: any number of them")                                                \
    BOOL(REQ, bounded, "the key that asks is under these bounds")                             \
    LIST(REQ, keys, quota_row, QUOTA_PAGE_MAX,                                                \
         "those with jobs, in the order of their names; who may see its own jobs only: it")   \
    BOOL(REQ, more, "there are greater names")

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
    U64(OPT, keys_refused, U64_ANY, "connections refused for their keys")               \
    BOOL(OPT, insecure, "it runs without keys")                                         \
    STR(OPT, version, 32, "of its program")

#define ACCESS_FIELDS(U64, BOOL, STR, BIN, LIST)                                      \
    U64(REQ, request, U64_ANY, "of the request")                                      \
    U64(REQ, version, ACCESS_VERSION_MAX, "of the list in the log; 0: there is none") \
    BIN(OPT, list, ACCESS_LIST_BYTES, "access_get: the list")

#define ERROR_FIELDS(U64, BOOL, STR, BIN, LIST)                                                    \
    U64(REQ, request, U64_ANY, "of the request; 0 when it could not be read")                      \
    STR(REQ, code, JOB_KIND_MAX,                                                                   \
        "invalid, too_costly, not_found, unavailable, not_coordinator, busy, finished, not_kept, " \
        "insufficient, overflow, too_many, disk_full, forbidden, unsigned, "                       \
        "key_unknown, malformed, stale, quota, unknown, in_use")                                   \
    STR(REQ, reason, TEXT_FIELD_MAX, "one line for people")                                        \
    U64(OPT, coordinator, NODES_MAX, "not_coordinator: which node this node follows; 0: none")     \
    U64(OPT, node, NODES_MAX, "unsigned: the node that a signature must be for ...")               \
    U64(OPT, incarnation, U64_ANY, "... its incarnation ...")                                      \
    U64(OPT, counter, U64_ANY, "... and what its counter must be greater than")

#define REPLY_RECORDS(R)                 \
    R(account_row, ACCOUNT_ROW_FIELDS)   \
    R(kv_row, KV_ROW_FIELDS)             \
    R(phase_row, PHASE_ROW_FIELDS)       \
    R(quota_row, QUOTA_ROW_FIELDS)       \
    R(snapshot_row, SNAPSHOT_ROW_FIELDS) \
    R(trace_row, TRACE_ROW_FIELDS)       \
    R(value_row, VALUE_ROW_FIELDS)       \
    R(node_row, NODE_ROW_FIELDS)

#define REPLY_MESSAGES(M)                                                                         \
    M(BANK_ACCOUNT, bank_account, BANK_ACCOUNT_FIELDS, PLACE_REPLY, "an account")                 \
    M(BANK_PAGE, bank_page, BANK_PAGE_FIELDS, PLACE_REPLY, "accounts")                            \
    M(KV_VALUE, kv_value, KV_VALUE_FIELDS, PLACE_REPLY, "a value")                                \
    M(KV_PAGE, kv_page, KV_PAGE_FIELDS, PLACE_REPLY, "values")                                    \
    M(SNAPSHOT, snapshot, SNAPSHOT_FIELDS, PLACE_REPLY, "a snapshot's head")                      \
    M(SNAPSHOT_PAGE, snapshot_page, SNAPSHOT_PAGE_FIELDS, PLACE_REPLY, "snapshots of a node")     \
    M(SNAPSHOT_CHUNK, snapshot_chunk, SNAPSHOT_CHUNK_FIELDS, PLACE_REPLY,                         \
      "part of a snapshot, as a further frame")                                                   \
    M(SESSION, session, SESSION_FIELDS, PLACE_REPLY, "a session that was opened")                 \
    M(PROGRESS, progress, PROGRESS_FIELDS, PLACE_REPLY, "a state, or a snap")                     \
    M(JOB, job, JOB_FIELDS, PLACE_REPLY, "a job")                                                 \
    M(JOB_PAGE, job_page, JOB_PAGE_FIELDS, PLACE_REPLY, "jobs")                                   \
    M(JOBS_FORGOTTEN, jobs_forgotten, JOBS_FORGOTTEN_FIELDS, PLACE_REPLY, "jobs are forgotten")   \
    M(TRACE_PAGE, trace_page, TRACE_PAGE_FIELDS, PLACE_REPLY, "operations of a job")              \
    M(EXPLANATION, explanation, EXPLANATION_FIELDS, PLACE_REPLY, "why a job is where it is")      \
    M(RESULT_CHUNK, result_chunk, RESULT_CHUNK_FIELDS, PLACE_REPLY, "digits, as a further frame") \
    M(STATUS, status, STATUS_FIELDS, PLACE_REPLY, "the cluster as its coordinator sees it")       \
    M(QUOTA_PAGE, quota_page, QUOTA_PAGE_FIELDS, PLACE_REPLY, "what keys have and may have")      \
    M(INITED, inited, INITED_FIELDS, PLACE_REPLY, "the cluster is founded")                       \
    M(BROKER, broker, BROKER_FIELDS, PLACE_REPLY, "the cluster as a broker sees it")              \
    M(ACCESS, access, ACCESS_FIELDS, PLACE_REPLY, "the keys that are allowed")                    \
    M(VALUE, value, VALUE_FIELDS, PLACE_REPLY, "a stored value")                                  \
    M(VALUE_CHUNK_TAKEN, value_chunk_taken, VALUE_CHUNK_TAKEN_FIELDS, PLACE_REPLY,                \
      "a chunk is there; the last one of a segment: the segment is committed")                    \
    M(VALUE_PAGE, value_page, VALUE_PAGE_FIELDS, PLACE_REPLY, "stored values")                    \
    M(VALUE_BYTES, value_bytes, VALUE_BYTES_FIELDS, PLACE_REPLY,                                  \
      "bytes of a stored value, as a further frame")                                              \
    M(ERROR, error, ERROR_FIELDS, PLACE_REPLY, "the request was refused, and nothing changed")

#endif
