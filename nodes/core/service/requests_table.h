/* requests_table.h - every request that a client may send, and who answers it: one table.
 *
 * A request is a row here, a message of PLACE_REQUEST in the schema, and a function
 * ROOM_FUNCTION(room, client, message), which replies now or later, exactly once. For the service
 * itself it is declared by its row; another room declares it in its door. */
#ifndef CONCLAVE_CORE_REQUESTS_TABLE_H
#define CONCLAVE_CORE_REQUESTS_TABLE_H

#include "nodes/core/service/requests_internal.h"

/* X(type, who answers, READ or WRITE, the role that it needs, room, function). That a job which is
 * to be cancelled or forgotten is unknown, or finished, is read. A snapshot holds what belongs to
 * everybody: so it is the admin's. */
#define REQUESTS(X)                                                              \
    X(SUBMIT, COORDINATOR, WRITE, submit, requests, submit)                      \
    X(SUBMIT_COMMANDS, COORDINATOR, WRITE, commands, requests, submit_commands)  \
    X(JOB_GET, COORDINATOR, READ, monitor, requests, job_get)                    \
    X(JOB_LIST, COORDINATOR, READ, monitor, requests, job_list)                  \
    X(JOB_CANCEL, COORDINATOR, READ | WRITE, submit, requests, job_cancel)       \
    X(JOB_FORGET, COORDINATOR, READ | WRITE, submit, requests, job_forget)       \
    X(JOB_TRACE, COORDINATOR, READ, monitor, requests, job_trace)                \
    X(JOB_EXPLAIN, COORDINATOR, READ, monitor, requests, job_explain)            \
    X(JOB_TASKS, COORDINATOR, READ, monitor, requests, job_tasks)                \
    X(JOB_SEGMENTS, COORDINATOR, READ, submit, requests, job_segments)           \
    X(SEGMENT_GET, COORDINATOR, READ, submit, requests, segment_get)             \
    X(RESULT_GET, COORDINATOR, READ, submit, requests, result_get)               \
    X(STATUS_GET, COORDINATOR_OR_NAMED, READ, monitor, requests, status_get)     \
    X(QUOTA_GET, COORDINATOR, READ, monitor, requests, quota_get)                \
    X(BROKER_GET, BROKER, READ, monitor, requests, unanswered)                   \
    X(INIT, ANY, WRITE, admin, founding, init)                                   \
    X(SESSION_OPEN, COORDINATOR_OR_NAMED, WRITE, submit, requests, open_session) \
    X(PROGRESS_SET, COORDINATOR, WRITE, submit, requests, progress_set)          \
    X(PROGRESS_SNAP, COORDINATOR, WRITE, submit, requests, progress_snap)        \
    X(PROGRESS_GET, COORDINATOR, READ, monitor, requests, progress_get)          \
    X(BANK_DEPOSIT, NAMED, WRITE, submit, ledger_request, deposit)               \
    X(BANK_WITHDRAW, NAMED, WRITE, submit, ledger_request, withdraw)             \
    X(BANK_TRANSFER, NAMED, WRITE, submit, ledger_request, transfer)             \
    X(BANK_BALANCE, NAMED, READ, monitor, ledger_request, balance)               \
    X(BANK_LIST, NAMED, READ, monitor, ledger_request, list)                     \
    X(KV_PUT, NAMED, WRITE, submit, ledger_request, put)                         \
    X(KV_GET, NAMED, READ, monitor, ledger_request, get)                         \
    X(KV_DEL, NAMED, WRITE, submit, ledger_request, del)                         \
    X(KV_LIST, NAMED, READ, monitor, ledger_request, list_values)                \
    X(SNAPSHOT_TAKE, ANY, WRITE, admin, snapshot_request, take)                  \
    X(SNAPSHOT_LIST, ANY, READ, monitor, snapshot_request, list)                 \
    X(SNAPSHOT_GET, ANY, READ, admin, snapshot_request, get)                     \
    X(SNAPSHOT_VALUE, ANY, READ, admin, snapshot_request, value)                 \
    X(ACCESS_SET, COORDINATOR, WRITE, admin, requests, access_set)               \
    X(ACCESS_GET, ANY, READ, monitor, requests, access_get)                      \
    X(VALUE_BEGIN, COORDINATOR, WRITE, submit, requests, value_begin)            \
    X(VALUE_PUT, COORDINATOR, WRITE, submit, requests, value_put)                \
    X(VALUE_END, COORDINATOR, WRITE, submit, requests, value_end)                \
    X(VALUE_LIST, COORDINATOR, READ, submit, requests, value_list)               \
    X(VALUE_READ, COORDINATOR, READ, submit, requests, value_read)               \
    X(VALUE_DROP, COORDINATOR, READ | WRITE, submit, requests, value_drop)

/* What a room's functions are called with. */
#define ROOM_requests(service)         (service)
#define ROOM_ledger_request(service)   ((service)->ledger)
#define ROOM_snapshot_request(service) ((service)->snapshots)
#define ROOM_founding(service)         ((service)->raft)

/* The service's own functions are declared here. */
#define DECLARE_requests(function) \
    void requests_##function(struct service *service, uint64_t client, struct message *request);
#define DECLARE_ledger_request(function)
#define DECLARE_snapshot_request(function)
#define DECLARE_founding(function)
#define X(type, by, use, needs, room, function) DECLARE_##room(function)
REQUESTS(X)
#undef X

#endif
