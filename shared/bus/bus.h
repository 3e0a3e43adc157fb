/* bus.h - messages over ZeroMQ sockets: options, sending, receiving. What ZeroMQ does and why:
 * docs/design.md "Sockets". */
#ifndef CONCLAVE_BUS_BUS_H
#define CONCLAVE_BUS_BUS_H

#include <zmq.h>

#include "shared/base/text.h"
#include "shared/bus/gauge.h"
#include "shared/wire/codec.h"

/* The whole of a received multipart message. Zero-initialize; reuse. */
struct bus_parts {
    size_t n;
    zmq_msg_t at[MESSAGE_FRAMES_MAX];
};

/* Raises RLIMIT_NOFILE to FILES_MIN when the hard limit allows, takes signals away from CZMQ, makes
 * the process's one context. Call once, before any thread and any other ZeroMQ call. */
void *bus_open(void);

/* Ends the context; all sockets must be closed. */
void bus_close(void *context);

/* Frees what sending keeps for the calling thread; bus_close() does so, too. */
void bus_thread_ends(void);

/* Makes a socket with every option that Conclave needs (limits.h): MAXMSGSIZE, HWM, reconnect,
 * handshake, ZMTP heartbeats, LINGER 0, IMMEDIATE 0; ROUTER_MANDATORY on a ROUTER; FEED_HWM on PUB,
 * SUB, XPUB, XSUB. Never NULL. */
void *bus_socket(void *context, int type);

/* The same; NULL when there is no descriptor for it. For what can be tried again. */
void *bus_socket_try(void *context, int type);

/* Sets other limits on the messages queued for each peer than SOCKET_HWM; before bind
 * or connect. */
void bus_limit(void *socket, int send_messages, int receive_messages);

/* Lets frames be as much longer as CURVE makes them; before bind or connect. */
void bus_allow_sealed(void *socket);

/* Closes with LINGER `linger_ms` and nulls the pointer. Accepts NULL. */
void bus_socket_close(void **socket, int linger_ms);

/* Binds or connects to tcp://HOST:PORT. ERR_EXISTS: the port is in use; ERR_MALFORMED, ERR_IO
 * otherwise. */
int bus_bind(void *socket, const char *host, unsigned port);
int bus_connect(void *socket, const char *host, unsigned port);

/* Undoes bus_connect(); what is queued for that peer, and from it, is lost. */
void bus_disconnect(void *socket, const char *host, unsigned port);

/* Receives one message without waiting. OK; ERR_NOT_FOUND when none is there; ERR_TOO_BIG when it
 * had more than MESSAGE_FRAMES_MAX parts (it was dropped). Interrupts are retried. */
int bus_receive(void *socket, struct bus_parts *parts);

void bus_parts_clear(struct bus_parts *parts);

/* Moves a message from one place to another, which is cleared before. */
void bus_parts_take(struct bus_parts *to, struct bus_parts *from);

/* Part number i as bytes (borrows until the next receive or clear). */
struct slice bus_part(const struct bus_parts *parts, size_t i);

/* Decodes part `first` as frame 0 and copies the parts after it as further frames. Errors as
 * codec_decode(). */
int bus_decode(const struct bus_parts *parts, size_t first, struct message **out, struct text *why);

/* Sends without waiting: the envelope's parts first, then frame 0, then the further frames (blobs
 * are shared, not copied). OK; ERR_FULL: the peer's queue is full; ERR_NOT_FOUND: a ROUTER does not
 * know the peer; ERR_TOO_BIG. Nothing was sent unless OK. */
int bus_send(void *socket, const struct slice *envelope, size_t n_envelope,
             const struct message *message);

/* The same; the gauge (may be NULL) counts what is sent until ZeroMQ has sent it. */
int bus_send_counted(void *socket, const struct slice *envelope, size_t n_envelope,
                     const struct message *message, struct gauge *gauge);

/* The same of a frame 0 that is encoded already. */
int bus_send_bytes(void *socket, const struct slice *envelope, size_t n_envelope,
                   struct slice frame, struct gauge *gauge);

#endif
