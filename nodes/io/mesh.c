#include "nodes/io/mesh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/bus/bundle.h"
#include "shared/bus/feeds.h"
#include "shared/bus/link.h"

#define VALUE_QUEUE_MAX 64            /* chunks that wait for a peer: at most 32 MiB */
#define PAUSED_US       (10 * MS_US)  /* when a link pauses */
#define SWEEP_US        (500 * MS_US) /* all monitors are read at least so often */
#define STIRRED_MAX     64            /* monitors that one look at the set tells of */
#define POLL_PAUSED_US  (100 * MS_US) /* the loop waits no longer while a link pauses */

#define ANSWERS_MAX   8  /* brokers whose answers are gathered at a time */
#define BROKER_ID_MAX 64 /* bytes of a routing id; libzmq makes some of 5 */

/* Answers for one broker. */
struct answers {
    uint8_t broker[BROKER_ID_MAX];
    size_t broker_len;
    struct bundle bundle;
};

struct mesh {
    void *context;
    struct mesh_config config;
    void *receivers[PLANE_COUNT]; /* ROUTERs; none on the heartbeat plane */
    int receiver_fds[PLANE_COUNT];
    bool stirred[PLANE_COUNT]; /* a ROUTER was used since it was looked at: its fd may be silent */
    void *feed;                /* PUB */
    struct feeds *feeds;       /* of the others */
    unsigned *feed_attempts;   /* by peer: which of its keys its feed is connected with */
    uint64_t *feed_heard_us;   /* by peer: its last message; 0: none since it was connected */
    struct link **links;       /* [peer * PLANE_COUNT + plane]; NULL: none */
    size_t n_links;
    int watch;             /* an epoll set of their monitors */
    bool *due;             /* by link: it is looked at in the next round, or this one */
    bool stirs;            /* some are due, or the set will tell which */
    bool sweeps;           /* this round looks at all */
    size_t at;             /* where the round goes on */
    size_t n_paused;       /* links that wait to try again, as of the last sweep */
    uint64_t swept_us;     /* when the last one ended */
    struct gauges replies; /* by broker */
    struct answers answers[ANSWERS_MAX];
    struct codec_buffer encoded; /* of an answer */
};

unsigned mesh_base_port(unsigned cluster_port, node_id_t id)
{
    return cluster_port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * id;
}

/* --- opening and closing --- */

static int listen_on(struct mesh *mesh, void *socket, enum plane plane, struct text *why)
{
    unsigned port = mesh_base_port(mesh->config.port, mesh->config.id) + plane;
    /* The planes are the first doors, in the same order. */
    int error = doors_bind(mesh->config.doors, socket, (enum door)plane, mesh->config.bind, port);
    if (error == ERR_EXISTS)
        text_add(why, "port %u (%s plane) on %s is in use", port, plane_name(plane),
                 mesh->config.bind);
    else if (error)
        text_add(why, "cannot listen on %s:%u (%s plane): %s", mesh->config.bind, port,
                 plane_name(plane), zmq_strerror(zmq_errno()));
    return error;
}

int mesh_open(void *context, const struct mesh_config *config, struct mesh **out, struct text *why)
{
    struct mesh *mesh = mem_new(1, sizeof *mesh);
    mesh->context = context;
    mesh->config = *config;
    mesh->n_links = (size_t)(config->n_nodes + 1) * PLANE_COUNT;
    mesh->links = mem_new(mesh->n_links, sizeof(struct link *));
    mesh->due = mem_new(mesh->n_links, sizeof *mesh->due);
    mesh->feed_attempts = mem_new(config->n_nodes + 1, sizeof *mesh->feed_attempts);
    mesh->feed_heard_us = mem_new(config->n_nodes + 1, sizeof *mesh->feed_heard_us);
    mesh->replies.all = gauge_new(NULL);
    mesh->feeds = feeds_new(context, config->doors, config->n_nodes, FEEDS_HEARTBEATS);
    mesh->watch = epoll_create1(EPOLL_CLOEXEC);
    if (mesh->watch < 0)
        panic("cannot watch connections: %s", strerror(errno));
    int error = OK;
    for (int plane = 0; plane < PLANE_COUNT && !error; plane++) {
        bool feed = plane == PLANE_HEARTBEAT;
        void **socket = feed ? &mesh->feed : &mesh->receivers[plane];
        size_t len = sizeof mesh->receiver_fds[plane];
        *socket = bus_socket(context, feed ? ZMQ_PUB : ZMQ_ROUTER);
        if (feed)
            mesh->receiver_fds[plane] = feeds_fd(mesh->feeds);
        else
            zmq_getsockopt(*socket, ZMQ_FD, &mesh->receiver_fds[plane], &len);
        mesh->stirred[plane] = true;
        error = listen_on(mesh, *socket, (enum plane)plane, why);
    }
    if (error)
        mesh_close(&mesh, 0);
    *out = mesh;
    return error;
}

void mesh_connect(struct mesh *mesh, uint64_t now_us)
{
    const struct mesh_config *config = &mesh->config;
    for (node_id_t peer = 1; peer <= config->n_nodes; peer++) {
        if (peer == config->id)
            continue;
        unsigned base = mesh_base_port(config->port, peer);
        for (int plane = 0; plane < PLANE_COUNT; plane++)
            if (plane != PLANE_HEARTBEAT) {
                struct link_config link = {.doors = config->doors,
                                           .node = peer,
                                           .host = config->hosts[peer],
                                           .port = base + (unsigned)plane,
                                           .queue_max =
                                               plane == PLANE_VALUE ? VALUE_QUEUE_MAX : SOCKET_HWM,
                                           .watch = mesh->watch};
                link.watch_as = peer * PLANE_COUNT + (unsigned)plane;
                mesh->links[link.watch_as] = link_new(mesh->context, &link, now_us);
            }
        mesh_refeed(mesh, peer);
    }
}

void mesh_close(struct mesh **mesh, int linger_ms)
{
    struct mesh *it = *mesh;
    *mesh = NULL;
    if (!it)
        return;
    mesh_send_bundles(it);
    for (size_t i = 0; i < it->n_links; i++)
        link_destroy(&it->links[i], linger_ms);
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        bus_socket_close(&it->receivers[plane], linger_ms);
    bus_socket_close(&it->feed, linger_ms);
    feeds_destroy(&it->feeds);
    close(it->watch);
    gauges_clear(&it->replies);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        bus_bundle_clear(&it->answers[i].bundle);
    codec_buffer_clear(&it->encoded);
    free(it->links);
    free(it->due);
    free(it->feed_attempts);
    free(it->feed_heard_us);
    free(it);
}

struct doors *mesh_doors(const struct mesh *mesh)
{
    return mesh->config.doors;
}

/* --- polling --- */

void *mesh_socket(struct mesh *mesh, enum plane plane)
{
    mesh->stirred[plane] = true;
    return mesh->receivers[plane];
}

int mesh_take(struct mesh *mesh, enum plane plane, struct bus_parts *parts, node_id_t *feed)
{
    *feed = NODE_NONE;
    if (plane != PLANE_HEARTBEAT)
        return bus_receive(mesh_socket(mesh, plane), parts);
    int error = feeds_receive(mesh->feeds, parts, feed);
    if (*feed)
        mesh->feed_heard_us[*feed] = clock_now_us();
    return error;
}

/* Not zmq_poll(): it asks every socket twice in each turn, monitors included, and each time costs a
 * system call. That was more than all the rest of what an idle node does. Nor every ROUTER at every
 * turn: one that had nothing and was not used since wakes its fd for whatever comes. */
bool mesh_look(struct mesh *mesh, bool readable[PLANE_COUNT])
{
    bool any = false;
    for (int plane = 0; plane < PLANE_COUNT; plane++) {
        int events = 0;
        size_t len = sizeof events;
        if (mesh->receivers[plane] && mesh->stirred[plane])
            zmq_getsockopt(mesh->receivers[plane], ZMQ_EVENTS, &events, &len);
        mesh->stirred[plane] = false;
        readable[plane] = mesh->receivers[plane] ? events & ZMQ_POLLIN : feeds_pending(mesh->feeds);
        any = any || readable[plane];
    }
    return any;
}

size_t mesh_poll_items(struct mesh *mesh, struct pollfd *items, size_t n)
{
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        items[n++] = (struct pollfd){.fd = mesh->receiver_fds[plane], .events = POLLIN};
    /* One for all monitors: 25 nodes have a hundred, and to ask for each at every turn was a tenth
     * of what an idle node did. */
    items[n++] = (struct pollfd){.fd = mesh->watch, .events = POLLIN};
    return n;
}

uint64_t mesh_patience_us(const struct mesh *mesh)
{
    return mesh->n_paused ? POLL_PAUSED_US : SWEEP_US;
}

/* The feed takes the key that the peer is known to have now: a SUB is never told that its own does
 * not fit. */
static void feed_as(struct mesh *mesh, node_id_t peer, unsigned attempt)
{
    if (mesh->feed_attempts[peer] == attempt && feeds_follow(mesh->feeds, peer))
        return;
    mesh->feed_attempts[peer] = attempt;
    mesh_refeed(mesh, peer);
}

/* Of 25 nodes each has a hundred links, and asking a monitor costs a system call: while all connect
 * that was most of what the loop did. All are asked only now and then, in case one told nothing. */
static void begin_round(struct mesh *mesh)
{
    struct epoll_event events[STIRRED_MAX];
    int n = mesh->sweeps ? 0 : epoll_wait(mesh->watch, events, STIRRED_MAX, 0);
    if (mesh->sweeps) {
        memset(mesh->due, true, mesh->n_links * sizeof *mesh->due);
        mesh->n_paused = 0;
    }
    for (int i = 0; i < n; i++)
        mesh->due[events[i].data.u32] = true;
    mesh->stirs = n == STIRRED_MAX;
}

/* Each once: what is connected and not heard is tried by libzmq as long as it is not there. */
static void refeed_silent(struct mesh *mesh, uint64_t now_us)
{
    for (node_id_t peer = 1; peer <= mesh->config.n_nodes; peer++) {
        uint64_t heard_us = mesh->feed_heard_us[peer];
        if (heard_us && now_us > heard_us + mesh->config.feed_silent_us)
            mesh_refeed(mesh, peer);
    }
}

static void end_round(struct mesh *mesh, uint64_t now_us)
{
    mesh->at = 0;
    if (!mesh->sweeps)
        return;
    mesh->swept_us = now_us;
    gauges_sweep(&mesh->replies);
    doors_watch(mesh->config.doors, now_us);
    feeds_check(mesh->feeds);
    refeed_silent(mesh, now_us);
}

bool mesh_next(struct mesh *mesh, uint64_t now_us, bool *up, enum plane *plane, node_id_t *peer)
{
    if (mesh->at == 0) {
        /* Links that pause have no monitor to wait for, so the clock alone wakes them. */
        mesh->sweeps = now_us >= mesh->swept_us + (mesh->n_paused ? PAUSED_US : SWEEP_US);
        if (!mesh->sweeps && !mesh->stirs)
            return false;
        begin_round(mesh);
    }
    for (; mesh->at < mesh->n_links; mesh->at++) {
        struct link *link = mesh->links[mesh->at];
        enum link_news news = link && mesh->due[mesh->at] ? link_next(link, now_us) : LINK_NOTHING;
        if (news != LINK_NOTHING) {
            *up = news == LINK_UP;
            *plane = (enum plane)(mesh->at % PLANE_COUNT);
            *peer = (node_id_t)(mesh->at / PLANE_COUNT);
            if (*up && *plane == PLANE_CONTROL)
                feed_as(mesh, *peer, link_attempt(link));
            return true;
        }
        mesh->n_paused += link && mesh->due[mesh->at] && link_fd(link) < 0;
        mesh->due[mesh->at] = false;
    }
    end_round(mesh, now_us);
    return false;
}

void mesh_monitors_stir(struct mesh *mesh)
{
    mesh->stirs = true;
}

void mesh_sweep_now(struct mesh *mesh)
{
    mesh->swept_us = 0;
}

/* --- connections --- */

static struct link *link_of(const struct mesh *mesh, enum plane plane, node_id_t peer)
{
    size_t i = (size_t)peer * PLANE_COUNT + plane;
    return i < mesh->n_links ? mesh->links[i] : NULL;
}

/* Its monitor is a new one, or it is to try again. */
static void look_soon(struct mesh *mesh, enum plane plane, node_id_t peer)
{
    mesh->due[(size_t)peer * PLANE_COUNT + plane] = true;
    mesh->stirs = true;
}

void mesh_remake(struct mesh *mesh, enum plane plane, node_id_t peer, uint64_t now_us)
{
    struct link *link = link_of(mesh, plane, peer);
    if (!link)
        return;
    link_remake(link, now_us);
    look_soon(mesh, plane, peer);
}

void mesh_hurry(struct mesh *mesh, enum plane plane, node_id_t peer)
{
    struct link *link = link_of(mesh, plane, peer);
    if (!link || link_is_up(link))
        return;
    link_hurry(link);
    look_soon(mesh, plane, peer);
}

void mesh_refeed(struct mesh *mesh, node_id_t peer)
{
    unsigned port = mesh_base_port(mesh->config.port, peer) + PLANE_HEARTBEAT;
    mesh->feed_heard_us[peer] = 0;
    feeds_connect(mesh->feeds, peer, mesh->config.hosts[peer], port, mesh->feed_attempts[peer]);
}

/* --- sending --- */

int mesh_send(struct mesh *mesh, enum plane plane, node_id_t to, const struct message *message)
{
    struct link *link = link_of(mesh, plane, to);
    return link ? link_send(link, message) : ERR_UNAVAILABLE;
}

int mesh_receive(struct mesh *mesh, enum plane plane, node_id_t from, struct bus_parts *parts)
{
    struct link *link = link_of(mesh, plane, from);
    return link ? link_receive(link, parts) : ERR_NOT_FOUND;
}

int mesh_publish(struct mesh *mesh, const struct message *message)
{
    return bus_send(mesh->feed, NULL, 0, message);
}

uint64_t mesh_replies_bytes(const struct mesh *mesh)
{
    return gauge_bytes(mesh->replies.all);
}

static struct slice broker_of(const struct answers *answers)
{
    return (struct slice){answers->broker, answers->broker_len};
}

/* A broker that does not read loses them; whoever needs one asks again. */
static void send_bundle(struct mesh *mesh, struct answers *answers)
{
    struct slice broker = broker_of(answers);
    if (bus_bundle_send(&answers->bundle, mesh_socket(mesh, PLANE_CONTROL), broker,
                        gauges_get(&mesh->replies, broker)))
        bus_bundle_reset(&answers->bundle);
}

void mesh_send_bundles(struct mesh *mesh)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (mesh->answers[i].bundle.n)
            send_bundle(mesh, &mesh->answers[i]);
}

/* Where answers for the broker are gathered; the first place, emptied, when all are taken. */
static struct answers *answers_for(struct mesh *mesh, struct slice broker)
{
    struct answers *unused = NULL;
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct answers *it = &mesh->answers[i];
        if (!it->bundle.n)
            unused = unused ? unused : it;
        else if (slice_same((struct slice){it->broker, it->broker_len}, broker))
            return it;
    }
    if (!unused) {
        unused = &mesh->answers[0];
        send_bundle(mesh, unused);
    }
    slice_copy(unused->broker, broker);
    unused->broker_len = broker.len;
    return unused;
}

/* False: it has to go by itself. */
static bool gather(struct mesh *mesh, const struct slice envelope[ENVELOPE_PARTS],
                   const struct message *message)
{
    if (message->n_frames || envelope[0].len > BROKER_ID_MAX ||
        codec_encode(message, &mesh->encoded))
        return false;
    const struct bundled answer = {envelope[1], envelope[2], {mesh->encoded.at, mesh->encoded.len}};
    if (!bus_bundle_fits(&answer))
        return false;
    struct answers *answers = answers_for(mesh, envelope[0]);
    if (bus_bundle_add(&answers->bundle, &answer))
        return true;
    send_bundle(mesh, answers);
    return bus_bundle_add(&answers->bundle, &answer);
}

int mesh_reply(struct mesh *mesh, const struct client *client, const struct message *message)
{
    struct slice envelope[ENVELOPE_PARTS];
    client_envelope(client, envelope);
    struct gauge *gauge = gauges_get(&mesh->replies, envelope[0]);
    uint64_t waiting = gauge_bytes(gauge), all = gauge_bytes(mesh->replies.all);
    uint64_t limit = message->n_frames ? REPLIES_WAITING_BYTES : 2 * REPLIES_WAITING_BYTES;
    bool full = waiting > limit || (waiting && all > REPLIES_WAITING_ALL_BYTES);
    if (full && !MUTANT(replies_wait_unbounded))
        return ERR_FULL; /* the broker does not read; whoever needs the answer asks again */
    if (client_is_bundled(client) && gather(mesh, envelope, message))
        return OK;
    return bus_send_counted(mesh_socket(mesh, PLANE_CONTROL), envelope, ENVELOPE_PARTS, message,
                            gauge);
}
