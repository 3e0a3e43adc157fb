/* client.h - requests to a cluster through its brokers: correlated, sent again, moved to the next
 * broker.
 *
 * A request may be executed more than once; all of Conclave's requests are idempotent (submit by
 * its key). */
#ifndef CONCLAVE_CLIENTS_CLIENT_H
#define CONCLAVE_CLIENTS_CLIENT_H

#include <zmq.h>

#include "clients/ask/address.h"
#include "clients/ask/entry.h"
#include "shared/wire/message.h"

struct client;

/* What a call puts up with before it gives up. Its deadline ends it in any case. */
enum client_need {
    CLIENT_ONCE,    /* the first answer counts, "no coordinator" included; CLIENT_UNREACHABLE_MS
                       without any */
    CLIENT_LOOKING, /* the answer that there is no coordinator counts; who is busy, or coordinates
                       no more, is asked again; CLIENT_UNAVAILABLE_MS without any */
    CLIENT_PATIENT, /* CLIENT_UNAVAILABLE_MS without a coordinator, CLIENT_UNREACHABLE_MS without a
                       broker */
    CLIENT_WAITING, /* the time without a coordinator does not count, the broker must answer */
    CLIENT_LASTING  /* anything: what it is about exists already */
};

struct client_call {
    struct message *request; /* owned */
    struct message
        *reply;  /* owned, may be moved out; NULL unless the outcome is OK. May be an `error`. */
    int outcome; /* OK; ERR_UNAVAILABLE: no coordinator; ERR_IO: no broker answers; ERR_TIMEOUT: the
                    deadline; ERR_REFUSED: the brokers refuse our key; ERR_MALFORMED: there is no
                    key */
    void *context; /* the caller's */

    enum client_need need;
    uint64_t wait_us, started_us, deadline_us, due_us;
    unsigned refusals, signatures; /* tries that were refused, and not signed as needed */
    bool finished;
    struct client_call *next;
};

/* Connects to the first broker, in the context that bus_open() made, with the key of the entry;
 * when that has an error, all calls end with it at once. Borrows all three. Caller destroys. */
struct client *client_new(void *context, const struct addresses *brokers,
                          const struct entry *entry);

/* Drops all calls. Accepts NULL. */
void client_destroy(struct client **client);

/* From now on patient calls wait for a coordinator until their deadline: somebody chose it. */
void client_wait_unserved(struct client *client);

/* Starts a request (takes it). Requests are sent in the order in which they were started, also
 * again. `wait_us`: how long the coordinator may hold the answer back (a long
 * poll). `deadline_us` in clock_now_us(). The call belongs to the client until client_finished()
 * hands it out. */
struct client_call *client_start(struct client *client, struct message *request,
                                 enum client_need need, uint64_t wait_us, uint64_t deadline_us,
                                 void *context);

/* Works until a call is finished (OK), `until_us` has come (ERR_TIMEOUT) or a signal
 * (ERR_INTERRUPTED). */
int client_work(struct client *client, uint64_t until_us);

/* For a loop of the caller's own, which has more to wait for: what becomes readable when there is
 * work; then client_work() with an `until_us` that is over works without waiting. Returns how many;
 * they are others after each call of it. */
#define CLIENT_ITEMS_MAX 2
size_t client_items(const struct client *client, zmq_pollitem_t items[CLIENT_ITEMS_MAX]);

/* Hands out a finished call, which the caller then drops; NULL when there is none. */
struct client_call *client_finished(struct client *client);
void client_call_drop(struct client_call **call);

/* The same for the calls of one context alone, which is not NULL: others that finish meanwhile wait
 * for client_finished(). */
int client_work_for(struct client *client, const void *context, uint64_t until_us);
struct client_call *client_finished_for(struct client *client, const void *context);

/* Drops all calls of a context, finished or not; what they asked for may still take effect. */
void client_abandon(struct client *client, const void *context);

/* One request with its answer (caller drops; may be an `error`). Errors as a call's outcome, or
 * ERR_INTERRUPTED. Other calls that finish meanwhile wait for client_finished(). */
int client_ask(struct client *client, struct message *request, enum client_need need,
               uint64_t wait_us, uint64_t deadline_us, struct message **reply);

/* Returns one line about the last outcome that was not OK; borrows until the next call of
 * client_work(). */
const char *client_reason(const struct client *client);

#endif
