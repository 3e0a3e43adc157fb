#include "shared/bus/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define LASTING_US       SECOND_US /* a connection that lived this long did not fail at once */
#define MONITOR_NAME_MAX 48
#define EVENT_PART_BYTES 6 /* 16 bits of event, 32 of value */

#define FAILED_EVENTS                                                             \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
#define TRYING_EVENTS (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED)
#define WATCHED_EVENTS \
    (TRYING_EVENTS | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | FAILED_EVENTS)

struct link {
    void *context;
    char *host;
    unsigned port;
    int queue_max;
    void *socket, *monitor; /* NULL while the link pauses */
    int fd;                 /* of the monitor */
    int watch;              /* an epoll set where that is watched; -1: nowhere */
    bool watched;
    bool up;
    bool sleeps;  /* it was refused, and libzmq waits until it tries again */
    bool hurried; /* the peer is there: sleep no longer */
    uint64_t made_us, retry_us;
    unsigned failures; /* in a row, of connections that did not last */
};

/* --- making and unmaking the socket --- */

static void unmake(struct link *link, int linger_ms)
{
    if (!link->socket)
        return;
    if (link->watched)
        epoll_ctl(link->watch, EPOLL_CTL_DEL, link->fd, NULL);
    link->watched = false;
    zmq_socket_monitor(link->socket, NULL,
                       0); /* first, or the I/O thread may wait for the PAIR forever */
    bus_socket_close(&link->monitor, 0);
    bus_socket_close(&link->socket, linger_ms);
    link->up = link->sleeps = false;
}

static void make(struct link *link, uint64_t now_us)
{
    static _Atomic unsigned count; /* names of inproc endpoints are shared by the whole context */
    char name[MONITOR_NAME_MAX];
    text_format(name, sizeof name, "inproc://link-monitor-%u", count++);
    link->made_us = now_us;
    link->hurried = false;
    link->socket = bus_socket_try(link->context, ZMQ_DEALER);
    if (link->socket) {
        bus_limit(link->socket, link->queue_max, 1); /* nobody answers on this socket */
        link->monitor = zmq_socket(link->context, ZMQ_PAIR);
    }
    if (!link->monitor || zmq_socket_monitor(link->socket, name, WATCHED_EVENTS) ||
        zmq_connect(link->monitor, name)) {
        /* Out of descriptors: as a connection that failed. */
        unmake(link, 0);
        link->retry_us = now_us + RECONNECT_MAX_MS * MS_US;
        return;
    }
    /* libzmq says that something has come only to who has found nothing before: whoever makes a
     * link reads its monitor until it is empty, or nobody is woken by what happens next. */
    size_t len = sizeof link->fd;
    zmq_getsockopt(link->monitor, ZMQ_FD, &link->fd, &len);
    struct epoll_event readable = {.events = EPOLLIN};
    link->watched = link->watch >= 0 && !epoll_ctl(link->watch, EPOLL_CTL_ADD, link->fd, &readable);
    /* The host was checked when the program started; an unknown one is looked up again at each
     * retry. */
    if (bus_connect(link->socket, link->host, link->port))
        panic("cannot connect to %s:%u: %s", link->host, link->port, zmq_strerror(errno));
}

static void retry_later(struct link *link, uint64_t now_us)
{
    uint64_t pause_us = 0;
    if (now_us - link->made_us >= LASTING_US) {
        link->failures = 0;
    } else {
        pause_us = (RECONNECT_MS * MS_US) << link->failures;
        if (pause_us < RECONNECT_MAX_MS * MS_US)
            link->failures++;
        else
            pause_us = RECONNECT_MAX_MS * MS_US;
    }
    unmake(link, 0);
    link->retry_us = now_us + pause_us;
    if (!pause_us)
        make(link, now_us);
}

struct link *link_new(void *context, const char *host, unsigned port, int queue_max, int watch,
                      uint64_t now_us)
{
    struct link *link = mem_new(1, sizeof *link);
    *link = (struct link){.context = context,
                          .host = mem_string(host),
                          .port = port,
                          .queue_max = queue_max,
                          .watch = watch};
    make(link, now_us);
    return link;
}

void link_destroy(struct link **link, int linger_ms)
{
    struct link *it = *link;
    *link = NULL;
    if (!it)
        return;
    unmake(it, it->up ? linger_ms : 0); /* nobody waits for a peer that is not there */
    free(it->host);
    free(it);
}

/* --- its state --- */

/* Receives the next event of the monitor: a part with the event's number, a part with
 * the address. */
static unsigned next_event(struct link *link)
{
    unsigned event = 0;
    bool more = true;
    for (int i = 0; more; i++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, link->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return event;
        }
        if (i == 0 && zmq_msg_size(&part) >= EVENT_PART_BYTES) {
            uint16_t number;
            memcpy(&number, zmq_msg_data(&part), sizeof number);
            event = number;
        }
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return event;
}

enum link_news link_next(struct link *link, uint64_t now_us)
{
    if (!link->socket && (now_us >= link->retry_us || link->hurried))
        make(link, now_us);
    unsigned event;
    while (link->socket && (event = next_event(link))) {
        bool was_up = link->up;
        if (event & TRYING_EVENTS) {
            link->sleeps = event == ZMQ_EVENT_CONNECT_RETRIED;
            continue;
        }
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            link->up = true;
            if (!was_up)
                return LINK_UP;
            continue;
        }
        retry_later(link, now_us);
        if (was_up)
            return LINK_DOWN; /* with the socket went the rest of its events */
    }
    /* Only now, with all events read: a connection that is being made must not be given up. With
     * many nodes on few processors a handshake takes long; each new one would delay all others. */
    bool again = link->hurried && link->sleeps;
    link->hurried = false;
    if (!again)
        return LINK_NOTHING;
    unmake(link, 0);
    make(link, now_us);
    return link_next(link, now_us);
}

void link_remake(struct link *link, uint64_t now_us)
{
    if (link->socket)
        retry_later(link, now_us);
}

void link_hurry(struct link *link)
{
    link->hurried = !link->up;
}

bool link_is_up(const struct link *link)
{
    return link->up;
}

int link_fd(const struct link *link)
{
    return link->monitor ? link->fd : -1;
}

int link_send(struct link *link, const struct message *message)
{
    return link->up ? bus_send(link->socket, NULL, 0, message) : ERR_UNAVAILABLE;
}

int link_receive(struct link *link, struct bus_parts *parts)
{
    return link->up ? bus_receive(link->socket, parts) : ERR_NOT_FOUND;
}
