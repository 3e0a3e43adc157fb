/* router.c - round trips of small messages a second through one ROUTER and nothing else: what
 * ZeroMQ would let through.
 *
 *     router CLIENTS WINDOW MESSAGES BYTES [keys]
 *
 * A thread has a ROUTER at a TCP port of its own context, and sends back what comes. Each client is
 * a thread with a DEALER and a context of its own, and has WINDOW messages on their way. With
 * `keys` all of them use CURVE, as the sockets of Conclave do. Prints round trips a second. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define CLIENTS_MAX 64
#define BYTES_MAX   65536
#define KEY_TEXT    41 /* Z85, with its end */
#define ADDRESS_MAX 64

static struct {
    bool keys;
    char public[KEY_TEXT], secret[KEY_TEXT]; /* of the ROUTER */
    char address[ADDRESS_MAX];
    uint64_t clients, window, messages, bytes;
} bench;

struct client {
    pthread_t thread;
    uint64_t messages;
};

static void must(int error)
{
    if (error < 0)
        panic("%s", zmq_strerror(zmq_errno()));
}

/* Sends every message back to whom it came from, until the process ends. */
static void *echo(void *router)
{
    for (;;) {
        zmq_msg_t part;
        int more = 1;
        while (more) {
            zmq_msg_init(&part);
            must(zmq_msg_recv(&part, router, 0));
            more = zmq_msg_more(&part);
            must(zmq_msg_send(&part, router, more ? ZMQ_SNDMORE : 0));
        }
    }
    return NULL;
}

static void *listen_at_some_port(void)
{
    void *router = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    int server = 1, unlimited = 0;
    size_t len = sizeof bench.address;
    if (bench.keys) {
        must(zmq_curve_keypair(bench.public, bench.secret));
        must(zmq_setsockopt(router, ZMQ_CURVE_SERVER, &server, sizeof server));
        must(zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, bench.secret, KEY_TEXT - 1));
    }
    must(zmq_setsockopt(router, ZMQ_SNDHWM, &unlimited, sizeof unlimited));
    must(zmq_bind(router, "tcp://127.0.0.1:*"));
    must(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, bench.address, &len));
    return router;
}

static void *connect_to_it(void)
{
    char public[KEY_TEXT], secret[KEY_TEXT];
    void *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
    if (bench.keys) {
        must(zmq_curve_keypair(public, secret));
        must(zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, public, KEY_TEXT - 1));
        must(zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, secret, KEY_TEXT - 1));
        must(zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, bench.public, KEY_TEXT - 1));
    }
    must(zmq_connect(dealer, bench.address));
    return dealer;
}

static void *ask(void *context)
{
    struct client *client = context;
    static const char body[BYTES_MAX];
    char *room = mem_new(BYTES_MAX, 1);
    void *dealer = connect_to_it();
    uint64_t sent = 0;
    for (uint64_t answered = 0; answered < client->messages; answered++) {
        for (; sent < client->messages && sent < answered + bench.window; sent++)
            must(zmq_send(dealer, body, bench.bytes, 0));
        int len = zmq_recv(dealer, room, BYTES_MAX, 0);
        must(len);
        if ((uint64_t)len != bench.bytes)
            panic("%d bytes came back", len);
    }
    free(room);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 5 || (argc == 6 && !strcmp(argv[5], "keys"))) {
        bench.clients = strtoull(argv[1], NULL, 10);
        bench.window = strtoull(argv[2], NULL, 10);
        bench.messages = strtoull(argv[3], NULL, 10);
        bench.bytes = strtoull(argv[4], NULL, 10);
        bench.keys = argc == 6;
    }
    if (!bench.clients || bench.clients > CLIENTS_MAX || !bench.window || !bench.messages ||
        bench.bytes > BYTES_MAX) {
        fprintf(stderr, "usage: router CLIENTS WINDOW MESSAGES BYTES [keys]\n");
        return 2;
    }
    pthread_t router;
    static struct client all[CLIENTS_MAX];
    if (pthread_create(&router, NULL, echo, listen_at_some_port()))
        panic("no thread for the ROUTER");
    uint64_t start_us = clock_now_us();
    for (uint64_t i = 0; i < bench.clients; i++) {
        all[i].messages = bench.messages / bench.clients + (i < bench.messages % bench.clients);
        if (pthread_create(&all[i].thread, NULL, ask, &all[i]))
            panic("no thread for a client");
    }
    for (uint64_t i = 0; i < bench.clients; i++)
        pthread_join(all[i].thread, NULL);
    printf("%.0f\n", (double)bench.messages * SECOND_US / (double)(clock_now_us() - start_us));
    fflush(stdout);
    _Exit(0); /* the ROUTER still waits */
}
