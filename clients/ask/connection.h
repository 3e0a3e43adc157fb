/* connection.h - a client of a cluster, found by its key file: what the command line and
 * libconclave (clients/library/conclave.h) have in common. Nothing here writes to stderr: what went
 * wrong is told by an exit code and one line in `reason`. */
#ifndef CONCLAVE_CLIENTS_CONNECTION_H
#define CONCLAVE_CLIENTS_CONNECTION_H

#include <sys/types.h>

#include "clients/ask/client.h"
#include "shared/base/error.h"

#define BROKER_DEFAULT "tcp://127.0.0.1:7000"

struct conclave {
    struct addresses brokers; /* those that were named; else none, until the key file is asked */
    const char *named;        /* borrowed: the same, to be read with the key file; NULL: none */
    const char *access, *dir; /* borrowed: where the key is; NULL: searched for */
    bool insecure;            /* use none */
    uint64_t timeout_us;      /* of a call, and */
    bool waits;               /* of how long it waits for a coordinator, too */

    struct entry entry;    /* with the client */
    void *context;         /* ZeroMQ's, and */
    struct client *client; /* the client: made when first asked for */
    void *(*make_context)(void);
    void (*end_context)(void *context);
    pid_t process;  /* whose they are */
    unsigned users; /* of libconclave: feeds and tasks that were opened of it, and */
    bool closed;    /* the caller has closed it: the last of them ends it */

    struct text reason; /* of the last failure */
    bool unanswered;    /* it came without an answer: what was asked for may have taken effect */
};

/* Returns ZeroMQ's context, and the client, connected to the first broker. */
void *connection_context(struct conclave *connection);
struct client *connection_client(struct conclave *connection);

/* Drops the client and its key: the next client looks again. */
void connection_forget_key(struct conclave *connection);

/* Closes all; what the caller set stays. */
void connection_close(struct conclave *connection);

/* When what begins now must have ended. */
uint64_t connection_deadline_us(const struct conclave *connection);

/* Sets the reason; returns the code. */
int connection_fail(struct conclave *connection, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The exit code of a call's outcome, and of an `error` answer. */
int outcome_code(int outcome);
int refusal_code(const struct message *reply);

/* Why a call of the client came to nothing, as a code and the reason; after a signal that
 * interrupt.h took, 128 and its number, and no reason. */
int connection_explain(struct conclave *connection, int outcome);

/* EXIT_OK for an answer of that type, else a code and the reason. */
int connection_expect(struct conclave *connection, const struct message *reply,
                      enum message_type expected);

/* Asks patiently; takes the request. EXIT_OK and an answer of that type (caller drops), or a code
 * and the reason. */
int connection_ask(struct conclave *connection, struct message *request, enum message_type expected,
                   struct message **reply);

/* How something is asked: as patiently as `need` says; `wait_us`: the coordinator may hold the
 * answer back so long; `within_us`: else given up, 0: connection_deadline_us(). */
struct asking {
    enum client_need need;
    uint64_t wait_us, within_us;
};

/* The same for what is not asked as everything else is. */
int connection_ask_as(struct conclave *connection, struct message *request,
                      enum message_type expected, const struct asking *how, struct message **reply);

#endif
