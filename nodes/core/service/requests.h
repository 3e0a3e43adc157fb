/* requests.h - what clients ask of a node. Every request gets exactly one reply. */
#ifndef CONCLAVE_CORE_REQUESTS_H
#define CONCLAVE_CORE_REQUESTS_H

#include "nodes/core/service/service_types.h"

/* --- the table of requests --- */

enum request_by {
    BY_COORDINATOR,
    BY_COORDINATOR_OR_NAMED, /* the node that the request names, or else the coordinator */
    BY_NAMED,                /* a ledger's: the node that the request names, and it must name one */
    BY_ANY,                  /* whoever gets it */
    BY_BROKER                /* no node */
};

/* READ: the answer comes from the state, so a coordinator has itself confirmed first. WRITE: it
 * changes something; a coordinator answers when that is committed. */
enum request_use { READ = 1, WRITE = 2 };

struct request_row {
    enum message_type type;
    enum request_by by;
    unsigned use;        /* READ, WRITE or both */
    enum key_role needs; /* the least role that may ask for it */
    void (*answer)(struct service *service, uint64_t client, struct message *request);
};

/* The rows by number, NULL one past the last; that of a type, NULL: there is none. */
const struct request_row *request_row_at(size_t i);
const struct request_row *request_row(enum message_type type);

/* --- handling them --- */

/* A client's request; the reply may come at once or with a later step. `asker`: whose key it comes
 * with; NULL: there are no keys, or it has none. */
void requests_handle(struct service *service, uint64_t client, struct message *message,
                     const struct asker *asker);

/* The same of an EVENT_REQUEST. */
void requests_take(struct service *service, const struct event *event);

/* An entry was applied; it made or finished `job` (NULL: neither): who waits for it is answered. */
void requests_applied(struct service *service, log_index_t index, const struct job *job);

/* A majority may have confirmed that we coordinate: answers the reads that waited for it, some in
 * each step. */
void requests_confirmed(struct service *service);

/* Answers who waits for a segment of a stored value that is committed, or given up. */
void requests_segments(struct service *service);

/* This node is no longer coordinator: who waits is told to ask another; whether its job is accepted
 * stays open. */
void requests_step_down(struct service *service);

/* Answers the long polls whose time is up. */
void requests_tick(struct service *service);
uint64_t requests_deadline(const struct service *service);

void requests_clear(struct service *service);

#endif
