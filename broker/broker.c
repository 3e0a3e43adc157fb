#include "broker/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "broker/access_ask.h"
#include "broker/admission.h"
#include "broker/audience.h"
#include "broker/chunks.h"
#include "broker/link.h"
#include "broker/pass.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/gather.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/mutant.h"
#include "shared/base/version.h"
#include "shared/bus/bus.h"
#include "shared/bus/doors.h"
#include "shared/bus/descriptors.h"
#include "shared/bus/feeds.h"
#include "shared/bus/intake.h"

/* Without any message the loop still looks at the clock: a silent coordinator is logged. */
#define TICK_MS 250
/* While requests wait for their turn: a node's silence is noticed. */
#define TURN_MS 5
/* A node that lives but has answered nothing for this long (longer than any long poll) gets a new
 * connection: a connecting socket can die for good without a sign. */
#define MUTE_US (15 * SECOND_US)
/* A node that is not heard gets new connections this often: the list of keys may have changed. */
#define REFUSED_RETRY_US (5 * SECOND_US)
#define TRIM_US          SECOND_US
#define TRIM_BYTES       (16 * MIB_BYTES) /* passed on since: less than that is not worth it */

struct broker {
    const struct broker_config *config;
    void *context, *front, *feed_out;
    struct feeds *feeds; /* of the nodes */
    struct audience audience;
    struct doors *doors;
    int signals;
    struct link links[NODES_MAX + 1];
    struct fair_total waiting; /* requests that wait for their turn */
    struct tracker tracker;
    struct access_ask access;
    struct quota quota;
    struct chunks chunks;
    struct bus_parts parts; /* of the message at hand */
    node_id_t coordinator;  /* as last logged */
    struct gauges clients;  /* answers that wait in `front` */
    uint64_t forwarded, rejected, refused, dropped;
    struct log_limit complaints;
    uint64_t passed, trimmed, trimmed_us; /* bytes to clients: now, at the last trim; when */
    uint64_t turned_us;                   /* when the last turn of the loop began */
    uint64_t free_bytes;                  /* in the heap, at the last trim, or fewer since */
};

static unsigned node_port(const struct broker *broker, node_id_t node, enum plane plane)
{
    return broker->config->port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * node + (unsigned)plane;
}

static void reject(struct broker *broker, const char *where, const char *why)
{
    uint64_t unsaid;
    broker->rejected++;
    if (!log_limit_allows(&broker->complaints, clock_now_us(), LOG_REJECTED_PER_S, &unsaid))
        return;
    log_write(LOG_WARN,
              "%s: dropped a message that is malformed or does not belong there (%" PRIu64
              " since the last such line): %s",
              where, unsaid + 1, why);
}

/* --- answers of its own --- */

static void answer(struct broker *broker, struct slice client, struct message *reply)
{
    if (bus_send(broker->front, &client, 1, reply))
        broker->dropped++; /* the client is gone or does not read: it asks again */
}

static void refuse(struct broker *broker, struct slice client, uint64_t request, const char *code,
                   const char *reason)
{
    struct message *reply = message_new(MESSAGE_ERROR);
    struct wire_error *error = &reply->as.error;
    error->request = request;
    error->code = message_text(reply, code);
    error->reason = message_text(reply, reason);
    error->coordinator = tracker_coordinator(&broker->tracker, clock_now_us());
    answer(broker, client, reply);
    message_drop(&reply);
}

static void report(struct broker *broker, struct slice client, uint64_t request)
{
    struct message *reply = tracker_report(&broker->tracker, clock_now_us());
    struct wire_broker *self = &reply->as.broker;
    self->request = request;
    self->forwarded = broker->forwarded;
    self->rejected = broker->rejected + intake_ended();
    self->refused = broker->refused;
    self->dropped = broker->dropped;
    self->waiting = gauge_bytes(broker->clients.all);
    self->keys_refused = doors_refused(broker->doors);
    self->insecure = doors_are_insecure(broker->doors);
    self->pid = (uint64_t)getpid();
    self->version = message_text(reply, CONCLAVE_VERSION);
    answer(broker, client, reply);
    message_drop(&reply);
}

/* Whether a client may get another answer of that size to wait for it. Who reads has room: it waits
 * for one or two pieces of a result at most. Who does not asks again, when it does. */
static bool has_room(const struct broker *broker, struct slice client, uint64_t len)
{
    uint64_t waiting = gauge_bytes(gauges_find(&broker->clients, client));
    if (!waiting || len < GAUGE_MIN_BYTES || MUTANT(answers_wait_unbounded))
        return true;
    return waiting + len <= CLIENT_WAITING_BYTES &&
           gauge_bytes(broker->clients.all) + len <= BROKER_WAITING_BYTES;
}

/* --- requests --- */

/* Refuses what is too much, and counts it. */
static void turn_away(struct broker *broker, struct slice client, uint64_t request,
                      const char *code, const char *why)
{
    broker->refused++;
    refuse(broker, client, request, code, why);
}

/* What the client may do is the nodes' to know: they are told its key. */
static void forward(struct broker *broker, node_id_t node, const struct link_asker *asker,
                    uint64_t now)
{
    const char *why = link_offer(&broker->links[node], asker, &broker->parts, now);
    if (!why) {
        broker->forwarded++;
        return;
    }
    chunks_take(&broker->chunks, bus_part(&broker->parts, 0), asker->request);
    turn_away(broker, bus_part(&broker->parts, 0), asker->request, "unavailable", why);
}

static void refuse_waiting(struct broker *broker, struct link_request *waited, const char *why)
{
    chunks_take(&broker->chunks, link_request_client(waited), waited->request);
    turn_away(broker, link_request_client(waited), waited->request, "unavailable", why);
    link_request_free(waited);
}

static void pump(struct broker *broker, struct link *link, uint64_t now)
{
    for (struct link_request *failed; (failed = link_pump(link, now));)
        refuse_waiting(broker, failed, "busy: the queue to the node is full");
}

static void send_bundle(struct broker *broker, struct link *link)
{
    struct slice rest = bus_bundle_bytes(&link->bundle);
    if (!rest.len || !link_send_bundle(link))
        return;
    for (struct bundled request; link_refused(link, &rest, &request);) {
        uint64_t number = 0;
        codec_find_number(request.frame, "request", &number);
        chunks_take(&broker->chunks, request.client, number);
        turn_away(broker, request.client, number, "unavailable",
                  "busy: the queue to the node is full");
    }
    bus_bundle_reset(&link->bundle);
}

static void refuse_all(struct broker *broker, struct link *link, const char *why)
{
    for (struct link_request *waited; (waited = link_unqueue(link));)
        refuse_waiting(broker, waited, why);
}

static void take_request(struct broker *broker)
{
    struct slice client = bus_part(&broker->parts, 0);
    struct visitor visitor = {0};
    if (broker->parts.n < 2) {
        reject(broker, "front", "a message without a frame");
        return;
    }
    /* The list may have changed since the connection was made. */
    if (!doors_are_insecure(broker->doors) &&
        !doors_who(broker->doors, &broker->parts, 1, &visitor)) {
        reject(broker, "front", "its key is no longer allowed");
        return;
    }
    uint64_t now_us = clock_now_us();
    bool keyed = !doors_are_insecure(broker->doors);
    struct admitted admitted =
        admission_judge(&broker->tracker, keyed ? &broker->quota : NULL, visitor.role,
                        slice_of(visitor.name), bus_part(&broker->parts, 1), now_us);
    uint64_t request = admitted.request;
    if (admitted.is == ADMISSION_MALFORMED) {
        reject(broker, "front", admitted.why.at);
        refuse(broker, client, request, "malformed", admitted.why.at);
    } else if (admitted.is == ADMISSION_OVER_QUOTA) {
        turn_away(
            broker, client, request, "quota",
            "this key makes more requests a second than one may (--quota-rate of the broker)");
    } else if (admitted.is == ADMISSION_LOCAL) {
        report(broker, client, request);
    } else if (!has_room(broker, client, MESSAGE_MAX_BYTES)) {
        turn_away(broker, client, request, "unavailable",
                  "busy: answers wait for this client to read them");
    } else if (admitted.is == ADMISSION_NOBODY) {
        refuse(broker, client, request, admitted.code, admitted.why.at);
    } else if (admitted.chunk &&
               !chunks_add(&broker->chunks, client, request, admitted.node, now_us)) {
        turn_away(broker, client, request, "unavailable",
                  "busy: as many chunks of this client are unanswered as it may have");
    } else {
        /* Without keys each connection is somebody. */
        forward(broker, admitted.node,
                &(struct link_asker){.name = keyed ? slice_of(visitor.name) : client,
                                     .stated = visitor.public_key,
                                     .request = request},
                now_us);
    }
}

static void take_answer(struct broker *broker, struct link *link, struct slice client,
                        zmq_msg_t *parts, size_t n, uint64_t now_us)
{
    uint64_t len = 0, request;
    struct slice frame = {zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0])};
    if (codec_find_number(frame, "request", &request))
        chunks_take(&broker->chunks, client, request);
    link_answered(link, client, frame, now_us);
    for (size_t i = 0; i < n; i++)
        len += zmq_msg_size(&parts[i]);
    struct gauge *gauge = len < GAUGE_MIN_BYTES ? NULL : gauges_get(&broker->clients, client);
    if (!has_room(broker, client, len) || pass_on(broker->front, &client, 1, parts, n, gauge))
        broker->dropped++;
    else
        broker->passed += len;
}

static void take_bundle(struct broker *broker, struct link *link, uint64_t now_us)
{
    struct slice rest = bus_part(&broker->parts, 2);
    for (struct bundled answer; bus_bundle_next(&rest, &answer);) {
        zmq_msg_t part;
        bus_bundle_part(&part, answer.frame);
        take_answer(broker, link, answer.client, &part, 1, now_us);
        zmq_msg_close(&part);
    }
    if (rest.len)
        reject(broker, "node's answer", "a bundle that is cut short");
}

static void take_reply(struct broker *broker, struct link *link)
{
    uint64_t now_us = clock_now_us();
    link->asked_us = 0;
    /* [client][""][frame 0]...: the delimiter goes, the rest is passed on as it is. */
    if (broker->parts.n < 3 || bus_part(&broker->parts, 1).len)
        reject(broker, "node's answer", "an answer without its envelope");
    else if (access_is_answer(bus_part(&broker->parts, 0)))
        access_answered(&broker->access, broker->doors, &broker->parts, 2);
    else if (bus_bundle_is(&broker->parts, 0))
        take_bundle(broker, link, now_us);
    else
        take_answer(broker, link, bus_part(&broker->parts, 0), broker->parts.at + 2,
                    broker->parts.n - 2, now_us);
    pump(broker, link, now_us);
}

/* --- the feed --- */

static void take_feed(struct broker *broker, node_id_t from)
{
    struct message *message = NULL;
    struct text why = {0};
    int error = bus_decode(&broker->parts, 0, &message, &why);
    if (!error)
        error = admission_hear(&broker->tracker, from, message, clock_now_us(), &why);
    bool heartbeat = message && message->type == MESSAGE_HEARTBEAT;
    message_drop(&message);
    if (!error)
        broker->links[from].bundles = broker->tracker.nodes[from].bundles;
    if (error && error != ERR_STALE)
        reject(broker, "feed", why.at);
    else if (audience_hears(&broker->audience, heartbeat, clock_now_us()) &&
             pass_on(broker->feed_out, NULL, 0, broker->parts.at, broker->parts.n, NULL))
        broker->dropped++;
}

static void take_subscription(struct broker *broker)
{
    audience_take(&broker->audience, bus_part(&broker->parts, 0), clock_now_us());
    feeds_want(broker->feeds, broker->audience.topics ? FEEDS_ALL : FEEDS_HEARTBEATS);
}

static void log_coordinator(struct broker *broker)
{
    uint64_t now = clock_now_us();
    node_id_t coordinator = tracker_coordinator(&broker->tracker, now);
    if (coordinator == broker->coordinator)
        return;
    struct text line = {0};
    if (coordinator)
        text_add(&line, "node %" PRIu32 " is the coordinator in term %" PRIu64, coordinator,
                 broker->tracker.nodes[coordinator].term);
    else
        tracker_reason(&broker->tracker, now, &line);
    log_write(LOG_INFO, "%s", line.at);
    broker->coordinator = coordinator;
}

/* --- the loop --- */

enum source { FROM_SUBSCRIBER, FROM_NODE, FROM_CLIENT };

static void drain(struct broker *broker, void *socket, enum source source, struct link *link)
{
    uint64_t end_us = clock_now_us() + DRAIN_US;
    for (int i = 0; i < DRAIN_MAX && clock_now_us() < end_us; i++) {
        int error = bus_receive(socket, &broker->parts);
        if (error == ERR_NOT_FOUND)
            return;
        if (error)
            reject(broker, "socket", error_text(error));
        else if (source == FROM_NODE)
            take_reply(broker, link);
        else if (source == FROM_CLIENT)
            take_request(broker);
        else
            take_subscription(broker);
    }
}

static void drain_feeds(struct broker *broker)
{
    uint64_t end_us = clock_now_us() + DRAIN_US;
    for (int i = 0; i < DRAIN_MAX && clock_now_us() < end_us; i++) {
        node_id_t from;
        int error = feeds_receive(broker->feeds, &broker->parts, &from);
        if (error == ERR_NOT_FOUND)
            return;
        if (error)
            reject(broker, "feed", error_text(error));
        else
            take_feed(broker, from);
    }
}

static void link_open(struct broker *broker, node_id_t node)
{
    struct link *link = &broker->links[node];
    unsigned attempt = link->attempts;
    refuse_all(broker, link, "the connection to the node is being made again");
    chunks_forget(&broker->chunks, node, clock_now_us());
    link_renew(link, broker->context, clock_now_us());
    const char *host = broker->config->peers[node];
    unsigned control = node_port(broker, node, PLANE_CONTROL),
             feed = node_port(broker, node, PLANE_HEARTBEAT);
    feeds_connect(broker->feeds, node, host, feed, attempt);
    /* A node whose key is not in the list is tried again later: mend_links(). */
    if (doors_present(broker->doors, link->socket, node, attempt, &link->presented))
        return;
    if (bus_connect(link->socket, host, control))
        log_write(LOG_ERROR, "node %" PRIu32 " at '%s': cannot connect to this address", node,
                  host);
}

static void *socket_to(void *context, node_id_t node)
{
    return ((struct broker *)context)->links[node].socket;
}

static void mend_links(struct broker *broker)
{
    uint64_t now = clock_now_us();
    for (node_id_t id = 1; id <= broker->tracker.n_nodes; id++) {
        struct link *link = &broker->links[id];
        bool alive = tracker_alive(&broker->tracker, id, now);
        waiting_turn(&link->waiting, now);
        pump(broker, link, now);
        if (!alive)
            refuse_all(broker, link, "the node is no longer alive");
        send_bundle(broker, link);
        if (alive)
            link->attempts = 0; /* the next time with its newest key first */
        /* A connection that was refused for its key is not tried again by libzmq. */
        if ((!alive && !doors_are_insecure(broker->doors) &&
             now - link->opened_us >= REFUSED_RETRY_US) ||
            !doors_still_allow(broker->doors, &link->presented))
            link_open(broker, id);
        if (!alive || !link->asked_us || now - link->asked_us < MUTE_US)
            continue;
        log_write(LOG_WARN, "node %" PRIu32 " is alive but does not answer: connecting again", id);
        link_open(broker, id);
    }
}

/* What clients let wait is freed piece by piece, between other things; whole pages of it go back to
 * the system now and then. */
static void give_back(struct broker *broker)
{
    uint64_t now = clock_now_us();
    if (now - broker->trimmed_us < TRIM_US)
        return;
    broker->trimmed_us = now;
    gauges_sweep(&broker->clients);
    chunks_sweep(&broker->chunks, now);
    /* What connections had that are gone counts as well. */
    uint64_t free_bytes = mallinfo2().fordblks;
    bool more = free_bytes >= broker->free_bytes + TRIM_BYTES;
    if (more || free_bytes < broker->free_bytes)
        broker->free_bytes = free_bytes;
    if (!more && broker->passed - broker->trimmed < TRIM_BYTES)
        return;
    /* Once more after all has been read, or dropped. */
    if (!gauge_bytes(broker->clients.all))
        broker->trimmed = broker->passed;
    malloc_trim(0);
}

static void gather(struct broker *broker)
{
    uint64_t waiting = 0;
    for (node_id_t id = 1; id <= broker->tracker.n_nodes; id++)
        waiting += waiting_count(&broker->links[id].waiting);
    gather_wait(broker->turned_us, waiting);
    broker->turned_us = clock_now_us();
}

static int loop(struct broker *broker)
{
    /* The feed comes first: what it tells decides where requests go. */
    enum { SIGNALS, FEED, SUBSCRIBERS, FRONT, NODES };
    zmq_pollitem_t items[NODES + NODES_MAX] = {
        [SIGNALS] = {.fd = broker->signals, .events = ZMQ_POLLIN},
        [FEED] = {.fd = feeds_fd(broker->feeds), .events = ZMQ_POLLIN},
        [SUBSCRIBERS] = {.socket = broker->feed_out, .events = ZMQ_POLLIN},
        [FRONT] = {.socket = broker->front, .events = ZMQ_POLLIN}};
    uint32_t n = broker->tracker.n_nodes;
    for (;;) {
        for (node_id_t id = 1; id <= n; id++)
            items[NODES + id - 1] =
                (zmq_pollitem_t){.socket = broker->links[id].socket, .events = ZMQ_POLLIN};
        int wait_ms = feeds_pending(broker->feeds) ? 0 : broker->waiting.n ? TURN_MS : TICK_MS;
        if (zmq_poll(items, (int)(NODES + n), wait_ms) < 0 && errno != EINTR)
            panic("zmq_poll: %s", zmq_strerror(errno));
        if (items[SIGNALS].revents)
            return EXIT_OK;
        gather(broker);
        drain_feeds(broker);
        if (items[SUBSCRIBERS].revents)
            drain(broker, broker->feed_out, FROM_SUBSCRIBER, NULL);
        for (node_id_t id = 1; id <= n; id++)
            if (items[NODES + id - 1].revents)
                drain(broker, broker->links[id].socket, FROM_NODE, &broker->links[id]);
        if (items[FRONT].revents)
            drain(broker, broker->front, FROM_CLIENT, NULL);
        log_coordinator(broker);
        doors_watch(broker->doors, clock_now_us());
        mend_links(broker);
        access_ask(&broker->access, &broker->tracker, broker->doors, socket_to, broker,
                   clock_now_us());
        give_back(broker);
    }
}

static int bind_or_explain(const struct broker *broker, void *socket, enum door door, unsigned port)
{
    const struct broker_config *config = broker->config;
    int error = doors_bind(broker->doors, socket, door, config->bind, port);
    if (error == ERR_EXISTS)
        fprintf(stderr,
                "conclave-broker: port %u is in use (%s); choose another with --front or --port\n",
                port, config->bind);
    else if (error)
        fprintf(stderr, "conclave-broker: cannot bind %s port %u: %s\n", config->bind, port,
                error_text(error));
    return error;
}

/* Before anything is bound. */
static int open_doors(struct broker *broker)
{
    const struct broker_config *config = broker->config;
    struct text why = {0};
    int error = OK;
    if (config->insecure)
        broker->doors = doors_open_to_all();
    else
        error = doors_open(broker->context, config->access, NODE_NONE, &broker->doors, &why);
    if (config->insecure)
        log_write(LOG_WARN,
                  "--insecure: anyone who can reach %s can do everything; no keys are required",
                  config->bind);
    else if (error)
        fprintf(stderr, "conclave-broker: %s\n", why.at);
    return error;
}

static int open_sockets(struct broker *broker)
{
    const struct broker_config *config = broker->config;
    broker->front = bus_socket(broker->context, ZMQ_ROUTER);
    bus_limit(broker->front, FRONT_HWM, FRONT_HWM);
    broker->feed_out = bus_socket(broker->context, ZMQ_XPUB);
    broker->feeds = feeds_new(broker->context, broker->doors, config->n_nodes, FEEDS_HEARTBEATS);
    int error = bind_or_explain(broker, broker->front, DOOR_front, config->front);
    if (!error)
        error = bind_or_explain(broker, broker->feed_out, DOOR_feed, config->front + 1);
    if (error)
        return error;
    for (node_id_t id = 1; id <= config->n_nodes; id++)
        link_open(broker, id);
    return OK;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        panic("signalfd failed");
    return fd;
}

static int claim_descriptors(uint32_t n_nodes)
{
    struct text why = {0};
    uint64_t links = (uint64_t)FILES_LINK_OF_BROKER * n_nodes;
    int error =
        descriptors_claim(FILES_OWN + links + FILES_HALF_OPEN + FILES_CLIENTS + links, links, &why);
    if (error)
        fprintf(stderr, "conclave-broker: %s\n", why.at);
    return error;
}

int broker_run(const struct broker_config *config)
{
    int refused = claim_descriptors(config->n_nodes);
    if (refused)
        return exit_code_of(refused);
    struct broker *broker = mem_new(1, sizeof *broker);
    broker->config = config;
    broker->signals = open_signals();
    broker->context = bus_open();
    broker->clients.all = gauge_new(NULL);
    quota_init(&broker->quota, config->quota_rate);
    for (node_id_t id = 1; id <= config->n_nodes; id++)
        link_init(&broker->links[id], &broker->waiting);
    tracker_init(&broker->tracker, config->n_nodes, config->n_voters, config->silence_us);
    int error = open_doors(broker);
    if (!error)
        error = open_sockets(broker);
    int code = exit_code_of(error);
    if (!error) {
        log_write(LOG_INFO,
                  "conclave-broker %s: front at port %" PRIu32 ", feed at port %" PRIu32
                  ", %" PRIu32 " nodes from port %u, pid %d",
                  CONCLAVE_VERSION, config->front, config->front + 1, config->n_nodes,
                  node_port(broker, 1, PLANE_CONTROL), (int)getpid());
        code = loop(broker);
        log_write(LOG_INFO,
                  "ends: %" PRIu64 " requests passed on, %" PRIu64 " refused, %" PRIu64
                  " answers dropped, %" PRIu64 " messages rejected",
                  broker->forwarded, broker->refused, broker->dropped, broker->rejected);
    }
    bus_parts_clear(&broker->parts);
    for (node_id_t id = 1; id <= config->n_nodes; id++)
        link_clear(&broker->links[id]);
    feeds_destroy(&broker->feeds);
    bus_socket_close(&broker->feed_out, 0);
    bus_socket_close(&broker->front, LINGER_CLEAN_MS);
    doors_close(&broker->doors);
    bus_close(broker->context);
    gauges_clear(&broker->clients);
    quota_clear(&broker->quota);
    chunks_clear(&broker->chunks);
    close(broker->signals);
    free(broker);
    return code;
}
