/* fake_broker.h - a broker that is a thread of the test: what a client is answered, the test says.
 */
#ifndef CONCLAVE_TESTS_FAKE_BROKER_H
#define CONCLAVE_TESTS_FAKE_BROKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "shared/wire/message.h"

struct fake_broker {
    /* Makes the answer (the broker's then) to a request that is not `broker_get`; called by the
     * thread. Its `request` is filled in. NULL: it stays without an answer. */
    struct message *(*answer)(void *test, const struct message *request);
    void *test;
    unsigned asked[MESSAGE_TYPES]; /* so often, by the type of the request */
    char address[64];              /* "tcp://127.0.0.1:23000", once it is bound */

    void *socket;
    pthread_t thread;
    atomic_bool stop;
};

/* Binds a socket, in a context of ZeroMQ that outlives it. Zero-initialize; set `answer`. */
void fake_broker_bind(struct fake_broker *broker, void *context);

/* From now on it answers. */
void fake_broker_start(struct fake_broker *broker);

/* Ends the thread and closes the socket. */
void fake_broker_end(struct fake_broker *broker);

/* An `error` with that code. */
struct message *fake_broker_refuse(const char *code);

#endif
