#include "shared/bus/bus.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/bus/intake.h"

#define ENDPOINT_MAX 320 /* tcp://HOST:PORT; a host name has at most 255 bytes */
/* Up to here copying into the message is cheaper than sharing the blob. */
#define COPY_MAX_BYTES 1024

/* A program sends from one thread, but a test may do so from several. */
static _Thread_local struct codec_buffer encoded;

/* --- memory --- */

void bus_thread_ends(void)
{
    codec_buffer_clear(&encoded);
}

/* --- sockets --- */

static void set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value))
        panic("socket option %d refused: %s", option, zmq_strerror(errno));
}

static void set_message_max(void *socket, uint64_t bytes)
{
    int64_t most = (int64_t)bytes;
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most))
        panic("MAXMSGSIZE refused: %s", zmq_strerror(errno));
}

void bus_allow_sealed(void *socket)
{
    set_message_max(socket, MESSAGE_MAX_BYTES + SEAL_BYTES);
}

void *bus_socket(void *context, int type)
{
    void *socket = bus_socket_try(context, type);
    if (!socket)
        panic("cannot make a socket: %s", zmq_strerror(errno));
    return socket;
}

void *bus_socket_try(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    if (!socket)
        return NULL;
    bool feed = type == ZMQ_PUB || type == ZMQ_SUB || type == ZMQ_XPUB || type == ZMQ_XSUB;
    set(socket, ZMQ_SNDHWM, feed ? FEED_HWM : SOCKET_HWM);
    set(socket, ZMQ_RCVHWM, feed ? FEED_HWM : SOCKET_HWM);
    set(socket, ZMQ_BACKLOG, CONNECTIONS_PENDING);
    set(socket, ZMQ_LINGER, 0);
    set(socket, ZMQ_IMMEDIATE, 0); /* 1 would drop the queue at every disconnect */
    set(socket, ZMQ_IPV6, 0);
    set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    set(socket, ZMQ_TCP_MAXRT, TCP_MAXRT_MS);
    /* Who connects asks whether the other side lives; asking from both sides would double what an
     * idle mesh costs. Who accepts loses no more than memory on a dead connection, and TCP finds it
     * in time. TCP asks most of the time: that wakes no thread on either side. */
    bool asks = type == ZMQ_DEALER || type == ZMQ_SUB || type == ZMQ_XSUB;
    if (asks) {
        set(socket, ZMQ_HEARTBEAT_IVL, ZMTP_HEARTBEAT_MS);
        set(socket, ZMQ_HEARTBEAT_TIMEOUT, ZMTP_HEARTBEAT_TIMEOUT_MS);
    }
    set(socket, ZMQ_TCP_KEEPALIVE, 1);
    set(socket, ZMQ_TCP_KEEPALIVE_IDLE, asks ? KEEPALIVE_ASK_IDLE_S : KEEPALIVE_IDLE_S);
    set(socket, ZMQ_TCP_KEEPALIVE_INTVL, asks ? KEEPALIVE_ASK_INTERVAL_S : KEEPALIVE_INTERVAL_S);
    set(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    set_message_max(socket, MESSAGE_MAX_BYTES);
    if (type == ZMQ_ROUTER)
        set(socket, ZMQ_ROUTER_MANDATORY, 1);
    return socket;
}

void bus_socket_close(void **socket, int linger_ms)
{
    void *it = *socket;
    *socket = NULL;
    if (!it)
        return;
    set(it, ZMQ_LINGER, linger_ms);
    zmq_close(it);
}

void bus_limit(void *socket, int send_messages, int receive_messages)
{
    set(socket, ZMQ_SNDHWM, send_messages);
    set(socket, ZMQ_RCVHWM, receive_messages);
}

static int endpoint_error(int number)
{
    switch (number) {
    case EADDRINUSE:
        return ERR_EXISTS;
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case EPROTONOSUPPORT:
        return ERR_MALFORMED;
    default:
        return ERR_IO;
    }
}

static bool is_ipv6(const char *host)
{
    return strchr(host, ':') != NULL;
}

static void endpoint(char at[ENDPOINT_MAX], const char *host, unsigned port)
{
    bool bare = is_ipv6(host) && *host != '[';
    text_format(at, ENDPOINT_MAX, "tcp://%s%s%s:%u", bare ? "[" : "", host, bare ? "]" : "", port);
}

/* ZeroMQ binds to addresses and to names of interfaces; others are looked up here, once, when a
 * process starts. Returns false when the name means nothing. */
static bool address_of(const char *host, char at[INET6_ADDRSTRLEN])
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, NULL, &hints, &found))
        return false;
    const struct addrinfo *best = found;
    for (const struct addrinfo *it = found; it; it = it->ai_next)
        if (it->ai_family == AF_INET) { /* as those who connect by the name do */
            best = it;
            break;
        }
    bool named = !getnameinfo(best->ai_addr, best->ai_addrlen, at, INET6_ADDRSTRLEN, NULL, 0,
                              NI_NUMERICHOST);
    freeaddrinfo(found);
    return named;
}

int bus_bind(void *socket, const char *host, unsigned port)
{
    char at[ENDPOINT_MAX], address[INET6_ADDRSTRLEN];
    int type = 0;
    size_t len = sizeof type;
    zmq_getsockopt(socket, ZMQ_TYPE, &type, &len);
    intake_listen(port, type == ZMQ_PUB || type == ZMQ_XPUB);
    set(socket, ZMQ_IPV6, is_ipv6(host));
    endpoint(at, host, port);
    if (!zmq_bind(socket, at))
        return OK;
    if (errno != ENODEV || !address_of(host, address))
        return endpoint_error(errno);
    set(socket, ZMQ_IPV6, is_ipv6(address));
    endpoint(at, address, port);
    return zmq_bind(socket, at) ? endpoint_error(errno) : OK;
}

int bus_connect(void *socket, const char *host, unsigned port)
{
    char at[ENDPOINT_MAX];
    set(socket, ZMQ_IPV6, is_ipv6(host));
    endpoint(at, host, port);
    return zmq_connect(socket, at) ? endpoint_error(errno) : OK;
}

void bus_disconnect(void *socket, const char *host, unsigned port)
{
    char at[ENDPOINT_MAX];
    endpoint(at, host, port);
    zmq_disconnect(socket, at); /* an endpoint that is not connected is no error here */
}

/* --- receiving --- */

/* Receives one part; false when none is there. */
static bool receive_part(void *socket, zmq_msg_t *part)
{
    zmq_msg_init(part);
    int got;
    do
        got = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        zmq_msg_close(part);
    return got >= 0;
}

int bus_receive(void *socket, struct bus_parts *parts)
{
    bus_parts_clear(parts);
    bool more = true, too_big = false;
    size_t len_bytes = 0;
    while (more) {
        zmq_msg_t spare, *part = too_big ? &spare : &parts->at[parts->n];
        if (!receive_part(socket, part))
            break; /* the parts of a message arrive together, so this is the first one */
        more = zmq_msg_more(part);
        len_bytes += zmq_msg_size(part);
        if (too_big)
            zmq_msg_close(part);
        else
            parts->n++;
        /* The envelope comes on top of the largest message, hence the second mebibyte. */
        if (!too_big &&
            ((more && parts->n == MESSAGE_FRAMES_MAX) || len_bytes > 2 * MESSAGE_MAX_BYTES)) {
            too_big = true;
            bus_parts_clear(parts);
        }
    }
    if (too_big)
        return ERR_TOO_BIG;
    return parts->n ? OK : ERR_NOT_FOUND;
}

void bus_parts_clear(struct bus_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        zmq_msg_close(&parts->at[i]);
    parts->n = 0;
}

void bus_parts_take(struct bus_parts *to, struct bus_parts *from)
{
    bus_parts_clear(to);
    for (size_t i = 0; i < from->n; i++) {
        zmq_msg_init(&to->at[i]);
        zmq_msg_move(&to->at[i], &from->at[i]);
    }
    to->n = from->n;
    bus_parts_clear(from);
}

struct slice bus_part(const struct bus_parts *parts, size_t i)
{
    zmq_msg_t *part =
        (zmq_msg_t *)&parts->at[i]; /* zmq_msg_data() takes no const, yet changes nothing */
    return (struct slice){zmq_msg_data(part), zmq_msg_size(part)};
}

static void release_part(void *hint)
{
    zmq_msg_close(hint);
    free(hint);
}

/* A large frame is not copied: the message is shared, and freed by whoever is the last. A small one
 * may lie in a buffer of ZeroMQ with others, and live long. */
static struct blob *frame_of(const struct bus_parts *parts, size_t i)
{
    struct slice bytes = bus_part(parts, i);
    if (bytes.len <= VALUE_INLINE_MAX_BYTES)
        return blob_copy(bytes.at, bytes.len);
    zmq_msg_t *part = mem_new(1, sizeof *part);
    zmq_msg_init(part);
    if (zmq_msg_copy(part, (zmq_msg_t *)&parts->at[i]))
        panic("cannot share a message: %s", zmq_strerror(errno));
    return blob_lend(zmq_msg_data(part), bytes.len, release_part, part);
}

int bus_decode(const struct bus_parts *parts, size_t first, struct message **out, struct text *why)
{
    *out = NULL;
    if (first >= parts->n) {
        text_add(why, "the message has no frame 0");
        return ERR_MALFORMED;
    }
    int error = codec_decode(bus_part(parts, first), out, why);
    for (size_t i = first + 1; !error && i < parts->n; i++) {
        struct blob *frame = frame_of(parts, i);
        message_add_frame(*out, frame);
        blob_drop(&frame);
    }
    return error;
}

/* --- sending --- */

static void release_blob(void *data, void *hint)
{
    (void)data;
    struct blob *blob = hint;
    blob_drop(&blob);
}

static int send_part(void *socket, zmq_msg_t *part, bool more, struct gauge *gauge)
{
    if (gauge)
        gauge_count(gauge, part);
    int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0), sent;
    do
        sent = zmq_msg_send(part, socket, flags);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return OK;
    int number = errno;
    zmq_msg_close(part);
    return number == EAGAIN ? ERR_FULL : number == EHOSTUNREACH ? ERR_NOT_FOUND : ERR_IO;
}

static int send_bytes(void *socket, const void *at, size_t len, bool more, struct gauge *gauge)
{
    zmq_msg_t part;
    if (zmq_msg_init_size(&part, len))
        panic("out of memory for a message of %zu bytes", len);
    if (len)
        memcpy(zmq_msg_data(&part), at, len);
    return send_part(socket, &part, more, gauge);
}

static int send_blob(void *socket, struct blob *blob, bool more, struct gauge *gauge)
{
    if (blob->len <= COPY_MAX_BYTES)
        return send_bytes(socket, blob->at, blob->len, more, gauge);
    zmq_msg_t part;
    if (zmq_msg_init_data(&part, blob->at, blob->len, release_blob, blob_ref(blob)))
        panic("out of memory for a message of %zu bytes", blob->len);
    return send_part(socket, &part, more, gauge);
}

/* libzmq has taken back the first parts of a message whose connection ended meanwhile, but discards
 * whatever comes until it has seen a last part. */
static int end_failed(void *socket, size_t sent, int error)
{
    if (error && sent)
        send_bytes(socket, NULL, 0, false, NULL);
    return error;
}

/* Returns the error; *sent: so many parts went. */
static int send_envelope(void *socket, const struct slice *envelope, size_t n, size_t *sent)
{
    int error = OK;
    for (*sent = 0; *sent < n && !error; *sent += !error)
        error = send_bytes(socket, envelope[*sent].at, envelope[*sent].len, true, NULL);
    return error;
}

int bus_send_bytes(void *socket, const struct slice *envelope, size_t n_envelope,
                   struct slice frame, struct gauge *gauge)
{
    size_t sent;
    int error = send_envelope(socket, envelope, n_envelope, &sent);
    if (!error)
        error = send_bytes(socket, frame.at, frame.len, false, gauge);
    return end_failed(socket, sent, error);
}

int bus_send(void *socket, const struct slice *envelope, size_t n_envelope,
             const struct message *message)
{
    return bus_send_counted(socket, envelope, n_envelope, message, NULL);
}

int bus_send_counted(void *socket, const struct slice *envelope, size_t n_envelope,
                     const struct message *message, struct gauge *gauge)
{
    int error = codec_encode(message, &encoded);
    size_t len_bytes = encoded.len;
    for (size_t i = 0; i < message->n_frames; i++)
        len_bytes += message->frames[i]->len;
    if (!error &&
        (len_bytes > MESSAGE_MAX_BYTES || message->n_frames >= MESSAGE_FRAMES_MAX - n_envelope))
        error = ERR_TOO_BIG;
    if (error)
        return error;
    size_t sent;
    error = send_envelope(socket, envelope, n_envelope, &sent);
    if (!error) {
        error = send_bytes(socket, encoded.at, encoded.len, message->n_frames > 0, gauge);
        sent += !error;
    }
    for (size_t i = 0; i < message->n_frames && !error; i++, sent += !error)
        error = send_blob(socket, message->frames[i], i + 1 < message->n_frames, gauge);
    return end_failed(socket, sent, error);
}
