#include "shared/bus/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/memory.h"
#include "shared/bus/monitor.h"

#define LASTING_US    SECOND_US /* a connection that lived this long did not fail at once */
#define TRYING_EVENTS (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED)
#define WATCHED_EVENTS \
    (TRYING_EVENTS | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | MONITOR_FAILED)

struct link {
    void *context;
    struct doors *doors;
    node_id_t node;
    char *host;
    unsigned port;
    int queue_max;
    void *socket, *monitor; /* NULL while the link pauses */
    int fd;                 /* of the monitor */
    unsigned attempts;      /* each with another key of the node, while it has several */
    struct presented presented;
    int watch; /* an epoll set where that is watched; -1: nowhere */
    uint32_t watch_as;
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
    monitor_close(link->socket, &link->monitor);
    bus_socket_close(&link->socket, linger_ms);
    link->up = link->sleeps = false;
}

static void make(struct link *link, uint64_t now_us)
{
    link->made_us = now_us;
    link->hurried = false;
    link->socket = bus_socket_try(link->context, ZMQ_DEALER);
    if (link->socket) {
        bus_limit(link->socket, link->queue_max, 1); /* nobody answers on this socket */
        if (!doors_present(link->doors, link->socket, link->node, link->attempts, &link->presented))
            link->monitor = monitor_open(link->context, link->socket, WATCHED_EVENTS);
    }
    if (!link->monitor) {
        /* Out of descriptors, or the node's key is not known yet: as a connection that failed. */
        unmake(link, 0);
        link->retry_us = now_us + RECONNECT_MAX_MS * MS_US;
        return;
    }
    /* libzmq says that something has come only to who has found nothing before: whoever makes a
     * link reads its monitor until it is empty, or nobody is woken by what happens next. */
    size_t len = sizeof link->fd;
    zmq_getsockopt(link->monitor, ZMQ_FD, &link->fd, &len);
    struct epoll_event readable = {.events = EPOLLIN, .data.u32 = link->watch_as};
    link->watched = link->watch >= 0 && !epoll_ctl(link->watch, EPOLL_CTL_ADD, link->fd, &readable);
    /* The host was checked when the program started; an unknown one is looked up again at each
     * retry. */
    if (bus_connect(link->socket, link->host, link->port))
        panic("cannot connect to %s:%u: %s", link->host, link->port, zmq_strerror(errno));
}

static void retry_later(struct link *link, uint64_t now_us)
{
    uint64_t pause_us = 0;
    link->attempts += !link->up;
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

struct link *link_new(void *context, const struct link_config *config, uint64_t now_us)
{
    struct link *link = mem_new(1, sizeof *link);
    *link = (struct link){.context = context,
                          .doors = config->doors,
                          .node = config->node,
                          .host = mem_string(config->host),
                          .port = config->port,
                          .queue_max = config->queue_max,
                          .watch = config->watch,
                          .watch_as = config->watch_as};
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

static void note_refusal(const struct link *link, uint64_t now_us)
{
    static struct log_limit limit;
    uint64_t unsaid;
    if (log_limit_allows(&limit, now_us, LOG_REJECTED_PER_S, &unsaid))
        log_write(LOG_WARN, "node %u at %s:%u refuses our key", (unsigned)link->node, link->host,
                  link->port);
}

enum link_news link_next(struct link *link, uint64_t now_us)
{
    if (!link->socket && (now_us >= link->retry_us || link->hurried))
        make(link, now_us);
    bool was_up = link->up;
    if (link->socket && !doors_still_allow(link->doors, &link->presented)) {
        retry_later(link, now_us);
        if (was_up)
            return LINK_DOWN;
    }
    unsigned event;
    while (link->socket && (event = monitor_next(link->monitor, NULL))) {
        was_up = link->up;
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
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
            note_refusal(link, now_us);
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

unsigned link_attempt(const struct link *link)
{
    return link->attempts;
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
