#include "shared/bus/feeds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

/* msgpack's maps: up to 15 fields, and more. */
#define MAP_SMALL        0x80
#define MAP_SMALL_FIELDS 15
#define MAP_LARGE        "\xde"

#define READY_MAX 64 /* sockets that one look at the descriptors tells of */

struct feed {
    void *socket; /* NULL: of this node we have no key, or ourselves */
    int fd;
    bool ready; /* it may hold something */
    struct presented presented;
};

struct feeds {
    enum feeds_of what;
    void *context;
    struct doors *doors;
    uint32_t n_nodes;
    int watch;       /* an epoll set of all sockets' descriptors */
    struct feed *of; /* by node */
    size_t n_ready;
    node_id_t at; /* whose turn was last */
};

struct feeds *feeds_new(void *context, struct doors *doors, uint32_t n_nodes, enum feeds_of what)
{
    struct feeds *feeds = mem_new(1, sizeof *feeds);
    *feeds = (struct feeds){.what = what, .context = context, .doors = doors, .n_nodes = n_nodes};
    feeds->of = mem_new(n_nodes + 1, sizeof *feeds->of);
    feeds->watch = epoll_create1(EPOLL_CLOEXEC);
    if (feeds->watch < 0)
        panic("cannot watch feeds: %s", strerror(errno));
    return feeds;
}

static void set_ready(struct feeds *feeds, struct feed *feed, bool ready)
{
    feeds->n_ready += (size_t)ready - (size_t)feed->ready;
    feed->ready = ready;
}

static void leave(struct feeds *feeds, struct feed *feed)
{
    if (!feed->socket)
        return;
    set_ready(feeds, feed, false);
    epoll_ctl(feeds->watch, EPOLL_CTL_DEL, feed->fd, NULL);
    bus_socket_close(&feed->socket, 0);
}

void feeds_destroy(struct feeds **feeds)
{
    struct feeds *it = *feeds;
    *feeds = NULL;
    if (!it)
        return;
    for (node_id_t node = 1; node <= it->n_nodes; node++)
        leave(it, &it->of[node]);
    close(it->watch);
    free(it->of);
    free(it);
}

/* A subscription is for how a message begins: with a map of so many fields, of which the first is
 * its type. A map of more than 15 fields, which few heartbeats have less than and no event has,
 * begins with a byte of its own. */
static void subscribe(const struct feeds *feeds, void *socket)
{
    static const char type[] = "\xa4type\xa9heartbeat"; /* msgpack: short texts */
    if (feeds->what == FEEDS_ALL)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, MAP_LARGE, 1);
    for (int n = 1; n <= MAP_SMALL_FIELDS; n++) {
        char begin[sizeof type];
        begin[0] = (char)(MAP_SMALL + n);
        memcpy(begin + 1, type, sizeof type - 1);
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, begin, sizeof begin);
    }
}

void feeds_connect(struct feeds *feeds, node_id_t node, const char *host, unsigned port,
                   unsigned attempt)
{
    struct feed *feed = &feeds->of[node];
    struct epoll_event readable = {.events = EPOLLIN, .data.u32 = node};
    size_t len = sizeof feed->fd;
    leave(feeds, feed);
    feed->socket = bus_socket(feeds->context, ZMQ_SUB);
    if (doors_present(feeds->doors, feed->socket, node, attempt, &feed->presented)) {
        bus_socket_close(&feed->socket, 0);
        return;
    }
    subscribe(feeds, feed->socket);
    zmq_getsockopt(feed->socket, ZMQ_FD, &feed->fd, &len);
    if (epoll_ctl(feeds->watch, EPOLL_CTL_ADD, feed->fd, &readable))
        panic("cannot watch a feed: %s", strerror(errno));
    bus_connect(feed->socket, host, port);
    set_ready(feeds, feed, true); /* its descriptor tells only who has found nothing before */
}

void feeds_want(struct feeds *feeds, enum feeds_of what)
{
    int option = what == FEEDS_ALL ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE;
    if (what == feeds->what)
        return;
    feeds->what = what;
    for (node_id_t node = 1; node <= feeds->n_nodes; node++)
        if (feeds->of[node].socket)
            zmq_setsockopt(feeds->of[node].socket, option, "", 0);
}

bool feeds_follow(const struct feeds *feeds, node_id_t node)
{
    return feeds->of[node].socket != NULL;
}

int feeds_fd(const struct feeds *feeds)
{
    return feeds->watch;
}

bool feeds_pending(const struct feeds *feeds)
{
    return feeds->n_ready > 0;
}

static void look(struct feeds *feeds)
{
    struct epoll_event events[READY_MAX];
    int n = epoll_wait(feeds->watch, events, READY_MAX, 0);
    for (int i = 0; i < n; i++)
        set_ready(feeds, &feeds->of[events[i].data.u32], true);
}

int feeds_receive(struct feeds *feeds, struct bus_parts *parts, node_id_t *from)
{
    bus_parts_clear(parts);
    if (!feeds->n_ready)
        look(feeds);
    while (feeds->n_ready) {
        feeds->at = feeds->at % feeds->n_nodes + 1;
        struct feed *feed = &feeds->of[feeds->at];
        if (!feed->ready)
            continue;
        int error = bus_receive(feed->socket, parts);
        if (error != ERR_NOT_FOUND) {
            *from = feeds->at;
            return error;
        }
        set_ready(feeds, feed, false);
    }
    return ERR_NOT_FOUND;
}

void feeds_check(struct feeds *feeds)
{
    for (node_id_t node = 1; node <= feeds->n_nodes; node++) {
        struct feed *feed = &feeds->of[node];
        if (feed->socket && !doors_still_allow(feeds->doors, &feed->presented))
            leave(feeds, feed);
    }
}
