/* request.h - requests of clients. */
#ifndef CONCLAVE_WIRE_SCHEMA_REQUEST_H
#define CONCLAVE_WIRE_SCHEMA_REQUEST_H

#include "shared/wire/schema/fields.h"

/* `request` comes back in the answer, `node` 0 is the coordinator. */
#define REQUEST_FIELDS(U64)                                                      \
    U64(REQ, request, U64_ANY, "chosen by the client; comes back in the answer") \
    U64(OPT, node, NODES_MAX, "the node that is asked; 0: the coordinator")

#define SUBMIT_FIELDS(U64, BOOL, STR, BIN, LIST)                                              \
    REQUEST_FIELDS(U64)                                                                       \
    STR(REQ, key, JOB_KEY_MAX, "makes the request idempotent: the same key is the same job")  \
    STR(REQ, kind, JOB_KIND_MAX, "factorial")                                                 \
    STR(REQ, spec, JOB_SPEC_MAX, "the kind's argument: 10")                                   \
    STR(OPT, plan, PLAN_CHOICE_MAX, "tree or primes; without it the coordinator chooses")     \
    LIST(OPT, inputs, value_ref, INPUTS_MAX, "stored values that the job works on, in order") \
    LIST(OPT, tasks, task_options, 1, "of a job of tasks: how they are executed")             \
    U64(OPT, parent, U64_ANY,                                                                 \
        "a finished job of tasks: the same ones, of which those not done there are executed") \
    LIST(OPT, chosen, task_range, TASK_CHOSEN_MAX,                                            \
         "of those, the only ones to be executed; without it all are")

#define JOB_GET_FIELDS(U64, BOOL, STR, BIN, LIST)                                    \
    REQUEST_FIELDS(U64)                                                              \
    U64(REQ, job, U64_ANY, "which")                                                  \
    U64(OPT, wait_ms, WAIT_MAX_MS, "answer when it is finished, or after this long") \
    BOOL(OPT, timing, "without wait_ms: tell where its time went, too")

#define JOB_LIST_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                            \
    U64(OPT, after, U64_ANY, "list jobs with greater ids")

#define JOB_CANCEL_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                              \
    U64(REQ, job, U64_ANY, "which")

#define JOB_FORGET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                              \
    LIST(REQ, jobs, job_ref, FORGET_JOBS_MAX,        \
         "finished jobs; one that is not known is forgotten already")

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

#define QUOTA_GET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                             \
    STR(OPT, after, OWNER_MAX, "list keys with greater names")

#define BROKER_GET_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define INIT_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define ACCESS_SET_FIELDS(U64, BOOL, STR, BIN, LIST)                                          \
    REQUEST_FIELDS(U64)                                                                       \
    U64(REQ, version, ACCESS_VERSION_MAX, "of the list; must be higher than that in the log") \
    BIN(REQ, list, ACCESS_LIST_BYTES, "allowed.json, without white space")

#define ACCESS_GET_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

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

#define BANK_DEPOSIT_FIELDS(U64, BOOL, STR, BIN, LIST) BANK_CHANGE_FIELDS(U64, STR)

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
    STR(OPT, after, LEDGER_NAME_MAX, "list accounts after that name")

#define KV_PUT_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    REQUEST_FIELDS(U64)                                  \
    STR(REQ, key, JOB_KEY_MAX, "the client's key")       \
    STR(REQ, name, LEDGER_NAME_MAX, "put under it ...")  \
    STR(REQ, value, KV_VALUE_MAX, "... this UTF-8 text") \
    U64(OPT, to, U64_ANY, "send it to that node as an application message; 0: put it here")

#define KV_GET_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                          \
    STR(REQ, name, LEDGER_NAME_MAX, "which value")

#define KV_DEL_FIELDS(U64, BOOL, STR, BIN, LIST)   \
    REQUEST_FIELDS(U64)                            \
    STR(REQ, key, JOB_KEY_MAX, "the client's key") \
    STR(REQ, name, LEDGER_NAME_MAX, "which value")

#define KV_LIST_FIELDS(U64, BOOL, STR, BIN, LIST)                      \
    REQUEST_FIELDS(U64)                                                \
    STR(OPT, prefix, LEDGER_NAME_MAX, "list names that begin with it") \
    STR(OPT, after, LEDGER_NAME_MAX, "list names after that one")

#define SNAPSHOT_TAKE_FIELDS(U64, BOOL, STR, BIN, LIST) REQUEST_FIELDS(U64)

#define SNAPSHOT_LIST_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                                 \
    U64(OPT, after, U64_ANY, "those with greater counters")

#define SNAPSHOT_GET_FIELDS(U64, BOOL, STR, BIN, LIST)               \
    REQUEST_FIELDS(U64)                                              \
    U64(REQ, incarnation, U64_ANY, "of the initiator, as in the id") \
    U64(REQ, counter, U64_ANY, "as in the id")                       \
    U64(REQ, offset, U64_ANY, "from which byte; at most 512 KiB come at once")

/* A value that the checkpoint in a snapshot names, by its id there; from any voter that has it. */
#define SNAPSHOT_VALUE_FIELDS(U64, BOOL, STR, BIN, LIST)     \
    REQUEST_FIELDS(U64)                                      \
    U64(REQ, job, U64_ANY, "as the checkpoint has it")       \
    U64(REQ, op, U64_ANY, "likewise")                        \
    U64(REQ, len, VALUE_BYTES_MAX, "likewise: bytes in all") \
    U64(REQ, offset, U64_ANY, "from which byte; at most 512 KiB come at once")

/* Stored values: bytes that a client uploads, in segments, each of them in chunks. Who begins one
 * that it has begun before is told how many segments are durable, and goes on behind them. */
#define VALUE_BEGIN_FIELDS(U64, BOOL, STR, BIN, LIST)               \
    REQUEST_FIELDS(U64)                                             \
    BIN(REQ, sha256, HASH_BYTES,                                    \
        "of all of its bytes: with the format and the owner it is " \
        "the value's name")                                         \
    U64(REQ, len, VALUE_BYTES_MAX, "how many bytes those are")      \
    STR(REQ, format, STORED_FORMAT_MAX, "bytes, integers or tasks") \
    STR(OPT, name, STORED_NAME_MAX, "for people: a file's name")

/* In order: segments from 1, the chunks of one from its beginning. All chunks of a segment say the
 * same of it. The last one of a segment is answered when the segment is committed. */
#define VALUE_PUT_FIELDS(U64, BOOL, STR, BIN, LIST)                                        \
    REQUEST_FIELDS(U64)                                                                    \
    U64(REQ, value, U64_ANY, "which, as value_begin was answered")                         \
    U64(REQ, segment, VALUE_SEGMENTS_MAX, "of which segment, from 1")                      \
    U64(REQ, offset, VALUE_BYTES_MAX, "in the segment, of the bytes in the further frame") \
    U64(REQ, len, VALUE_BYTES_MAX, "of the segment")                                       \
    BIN(REQ, sha256, HASH_BYTES, "of the segment")                                         \
    U64(REQ, items, U64_ANY, "items of the format that the segment holds, each whole")

#define VALUE_END_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                             \
    U64(REQ, value, U64_ANY, "which")

#define VALUE_LIST_FIELDS(U64, BOOL, STR, BIN, LIST)         \
    REQUEST_FIELDS(U64)                                      \
    U64(OPT, after, U64_ANY, "list values with greater ids") \
    STR(OPT, prefix, 2 * HASH_BYTES, "only those whose SHA-256 in hexadecimal digits begins so")

#define VALUE_READ_FIELDS(U64, BOOL, STR, BIN, LIST)     \
    REQUEST_FIELDS(U64)                                  \
    U64(REQ, value, U64_ANY, "which; it must be whole")  \
    U64(REQ, offset, VALUE_BYTES_MAX, "from which byte") \
    U64(REQ, len, VALUE_BYTES_MAX, "how many; at most 512 KiB come at once")

#define VALUE_DROP_FIELDS(U64, BOOL, STR, BIN, LIST) \
    REQUEST_FIELDS(U64)                              \
    U64(REQ, value, U64_ANY, "which")

#define REQUEST_MESSAGES(M)                                                                    \
    M(SUBMIT, submit, SUBMIT_FIELDS, PLACE_REQUEST, "submits a job; answered by job or error") \
    M(SUBMIT_COMMANDS, submit_commands, SUBMIT_FIELDS, PLACE_REQUEST,                          \
      "the same for a job that runs commands; answered by job or error")                       \
    M(JOB_GET, job_get, JOB_GET_FIELDS, PLACE_REQUEST,                                         \
      "shows or awaits a job; answered by job or error")                                       \
    M(JOB_LIST, job_list, JOB_LIST_FIELDS, PLACE_REQUEST, "lists jobs; answered by job_page")  \
    M(JOB_CANCEL, job_cancel, JOB_CANCEL_FIELDS, PLACE_REQUEST,                                \
      "cancels a job; answered by job or error")                                               \
    M(JOB_FORGET, job_forget, JOB_FORGET_FIELDS, PLACE_REQUEST,                                \
      "forgets finished jobs, all or none; answered by jobs_forgotten or error")               \
    M(JOB_TRACE, job_trace, JOB_TRACE_FIELDS, PLACE_REQUEST,                                   \
      "lists operations; answered by trace_page or error")                                     \
    M(JOB_EXPLAIN, job_explain, JOB_EXPLAIN_FIELDS, PLACE_REQUEST,                             \
      "answered by explanation or error")                                                      \
    M(RESULT_GET, result_get, RESULT_GET_FIELDS, PLACE_REQUEST,                                \
      "answered by result_chunk or error")                                                     \
    M(STATUS_GET, status_get, STATUS_GET_FIELDS, PLACE_REQUEST, "answered by status")          \
    M(QUOTA_GET, quota_get, QUOTA_GET_FIELDS, PLACE_REQUEST,                                   \
      "what keys have of their quotas of jobs and bytes; answered by quota_page")              \
    M(BROKER_GET, broker_get, BROKER_GET_FIELDS, PLACE_REQUEST,                                \
      "answered by the broker itself, with broker")                                            \
    M(INIT, init, INIT_FIELDS, PLACE_REQUEST,                                                  \
      "founds the cluster with the voters that are there; answered by inited or error")        \
    M(SESSION_OPEN, session_open, SESSION_OPEN_FIELDS, PLACE_REQUEST,                          \
      "opens a session for keys; answered by session or error")                                \
    M(PROGRESS_SET, progress_set, PROGRESS_SET_FIELDS, PLACE_REQUEST,                          \
      "SetState; answered by progress")                                                        \
    M(PROGRESS_SNAP, progress_snap, PROGRESS_SNAP_FIELDS, PLACE_REQUEST,                       \
      "Snap; answered by progress")                                                            \
    M(PROGRESS_GET, progress_get, PROGRESS_GET_FIELDS, PLACE_REQUEST,                          \
      "reads a state; answered by progress")                                                   \
    M(BANK_DEPOSIT, bank_deposit, BANK_DEPOSIT_FIELDS, PLACE_REQUEST,                          \
      "adds money, and makes the account; answered by bank_account or error")                  \
    M(BANK_WITHDRAW, bank_withdraw, BANK_WITHDRAW_FIELDS, PLACE_REQUEST,                       \
      "takes money; answered by bank_account or error")                                        \
    M(BANK_TRANSFER, bank_transfer, BANK_TRANSFER_FIELDS, PLACE_REQUEST,                       \
      "moves money; answered by bank_account or error")                                        \
    M(BANK_BALANCE, bank_balance, BANK_BALANCE_FIELDS, PLACE_REQUEST,                          \
      "answered by bank_account or error")                                                     \
    M(BANK_LIST, bank_list, BANK_LIST_FIELDS, PLACE_REQUEST,                                   \
      "lists accounts; answered by bank_page")                                                 \
    M(KV_PUT, kv_put, KV_PUT_FIELDS, PLACE_REQUEST,                                            \
      "puts a value here or on another node; answered by kv_value or error")                   \
    M(KV_GET, kv_get, KV_GET_FIELDS, PLACE_REQUEST, "answered by kv_value or error")           \
    M(KV_DEL, kv_del, KV_DEL_FIELDS, PLACE_REQUEST,                                            \
      "removes a value; answered by kv_value or error")                                        \
    M(KV_LIST, kv_list, KV_LIST_FIELDS, PLACE_REQUEST,                                         \
      "lists values; answered by kv_page or error")                                            \
    M(SNAPSHOT_TAKE, snapshot_take, SNAPSHOT_TAKE_FIELDS, PLACE_REQUEST,                       \
      "takes a global snapshot; answered by snapshot when it is kept")                         \
    M(SNAPSHOT_LIST, snapshot_list, SNAPSHOT_LIST_FIELDS, PLACE_REQUEST,                       \
      "answered by snapshot_page")                                                             \
    M(SNAPSHOT_GET, snapshot_get, SNAPSHOT_GET_FIELDS, PLACE_REQUEST,                          \
      "answered by snapshot_chunk")                                                            \
    M(SNAPSHOT_VALUE, snapshot_value, SNAPSHOT_VALUE_FIELDS, PLACE_REQUEST,                    \
      "answered by snapshot_chunk")                                                            \
    M(ACCESS_SET, access_set, ACCESS_SET_FIELDS, PLACE_REQUEST,                                \
      "another list of the keys that are allowed; answered by access or error")                \
    M(ACCESS_GET, access_get, ACCESS_GET_FIELDS, PLACE_REQUEST,                                \
      "the list of the keys that are allowed; answered by access")                             \
    M(VALUE_BEGIN, value_begin, VALUE_BEGIN_FIELDS, PLACE_REQUEST,                             \
      "begins a stored value, or continues it; answered by value or error")                    \
    M(VALUE_PUT, value_put, VALUE_PUT_FIELDS, PLACE_REQUEST,                                   \
      "a chunk of a segment, as a further frame, eight unanswered at most; answered by "       \
      "value_chunk_taken or error")                                                            \
    M(VALUE_END, value_end, VALUE_END_FIELDS, PLACE_REQUEST,                                   \
      "all segments are there; answered by value or error")                                    \
    M(VALUE_LIST, value_list, VALUE_LIST_FIELDS, PLACE_REQUEST,                                \
      "lists stored values; answered by value_page")                                           \
    M(VALUE_READ, value_read, VALUE_READ_FIELDS, PLACE_REQUEST,                                \
      "answered by value_bytes or error")                                                      \
    M(VALUE_DROP, value_drop, VALUE_DROP_FIELDS, PLACE_REQUEST,                                \
      "removes a stored value that no job names; answered by value or error")

#endif
