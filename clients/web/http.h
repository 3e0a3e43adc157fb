/* http.h - the HTTP server (libmicrohttpd), in the caller's loop and thread: connections and their
 * deadlines, requests, answers. What a request is about is told by the table in routes.h.
 *
 *   READING --all of it is there--> HANDLING --request_json() or another--> ANSWERED --sent--> gone
 *                                      |   ^
 *                     WAITING (suspended)--+ a call of the cluster ended
 *
 * Each connection carries one request: so each has one deadline to read it, and one to take the
 * answer. */
#ifndef CONCLAVE_CLIENTS_HTTP_H
#define CONCLAVE_CLIENTS_HTTP_H

#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include "clients/ask/client.h"
#include "clients/web/guard.h"

struct web;
struct http;
struct request;

/* Who waits for a call of the client: its context. `take` gets the finished call, and drops it. */
struct waiter {
    void (*take)(struct waiter *waiter, struct client_call *call);
};

struct request {
    struct waiter waiter; /* first: a call's context is a struct waiter */
    struct web *web;
    struct http *http;
    struct MHD_Connection *connection;
    const struct route *route;
    job_id_t job; /* of the path */
    char *body;   /* with a zero after it */
    size_t body_len;

    struct MHD_Response *response; /* the answer, once there is one */
    unsigned status;
    bool suspended, handled;

    void (*looked)(struct request *request); /* waits for a status (look.h); NULL: not */
    uint64_t look;                           /* which one */
    void *own;                               /* the handler's, and */
    void (*own_free)(void *own);             /* how to free it; may be NULL */
    struct request *next, **at;              /* of all requests */
};

struct http_counts {
    uint64_t answers[6]; /* by the first digit of their status */
    uint64_t requests, refused, connections;
};

/* Starts to listen. ERR_EXISTS, ERR_IO or ERR_MALFORMED (the address) after a line in `why`.
 * Borrows web and guard. */
int http_start(struct http **out, struct web *web, const struct guard *guard, const char *address,
               unsigned port, struct text *why);

/* Ends all connections. Accepts NULL. */
void http_stop(struct http **http);

unsigned http_port(const struct http *http);

/* A descriptor that becomes readable when there is work; how long to wait for it at most. */
int http_fd(const struct http *http);
uint64_t http_wait_ms(const struct http *http);

/* Works without waiting. */
void http_turn(struct http *http, uint64_t now_us);

const struct http_counts *http_counts(const struct http *http);
struct request *http_requests(const struct http *http);

/* --- answers: each is called once for a request, in its handler or later --- */

/* Takes the value. */
void request_json(struct request *request, unsigned status, json_t *value);

/* {"error": {"code", "message", "exit"}}, as the command line's with --json. */
void request_error(struct request *request, unsigned status, const char *code, int exit_code,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Takes the text, which malloc() made. */
void request_text(struct request *request, const char *type, char *text, size_t len);

/* Borrows bytes that stay for ever. */
void request_bytes(struct request *request, const char *type, const void *at, size_t len);

/* A body that comes piece by piece. `read` may suspend (request_suspend()) and return 0. */
void request_stream(struct request *request, const char *type, uint64_t len,
                    MHD_ContentReaderCallback read);

/* Waits, and goes on; a request that has no answer after its handler waits by itself. */
void request_suspend(struct request *request);
void request_resume(struct request *request);

/* From now on it has so long again. UINT64_MAX: no end. */
void request_extend(struct request *request, uint64_t us);

/* Whether the client has closed its side: it sends nothing more, and mostly has gone. */
bool request_is_left(const struct request *request);

/* What an exit code of the command line is in HTTP. */
unsigned request_status_of(int exit_code);

/* A parameter of the query; NULL: it is not there. */
const char *request_parameter(const struct request *request, const char *name);

/* Answers for a call that brought no such message: its outcome, or the error in it. False: the
 * reply is of that type. */
bool request_failed(struct request *request, const struct client_call *call,
                    enum message_type expected);

#endif
