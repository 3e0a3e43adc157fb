/* monitor.c - conclave monitor. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/command/commands.h"
#include "clients/show/feed.h"
#include "clients/ask/interrupt.h"
#include "clients/ask/knock.h"
#include "clients/show/render.h"
#include "clients/show/top.h"
#include "shared/base/clock.h"
#include "shared/bus/bus.h"
#include "shared/bus/doors.h"
#include "shared/bus/monitor.h"

#define TOP_MS 500
/* Nodes beat several times a second: this is a lost broker, or a lost cluster. */
#define QUIET_US (2 * SECOND_US)
#define RENEW_US (5 * SECOND_US) /* a subscription can die without a sign: make a new one */

static struct {
    uint64_t node, count;
    bool top, events, heartbeats;
} options;

const struct option_spec monitor_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N", "only node N"},
    {"count", OPTION_U64, &options.count, 1, UINT64_MAX, "K",
     "end after K messages (with --top: tables)"},
    {"events", OPTION_FLAG, &options.events, 0, 0, NULL, "only events"},
    {"heartbeats", OPTION_FLAG, &options.heartbeats, 0, 0, NULL, "only heartbeats"},
    {"top", OPTION_FLAG, &options.top, 0, 0, NULL, "a table of the nodes, redrawn twice a second"},
    {0}};

struct monitor {
    struct cli *cli;
    void *socket, *knocks;
    struct bus_parts parts;
    bool refused; /* a broker does not take our key for its feed */
    struct feed feed;
    struct top top;
    uint64_t shown, heard_us, renewed_us, drawn_us, deadline_us;
    bool quiet;
};

static void close_socket(struct monitor *monitor)
{
    if (monitor->socket)
        monitor_close(monitor->socket, &monitor->knocks);
    bus_socket_close(&monitor->socket, 0);
}

/* Subscribes at every broker: what two of them relay is told apart by its seq. */
static void subscribe(struct monitor *monitor, uint64_t now_us)
{
    const struct addresses *brokers = &monitor->cli->brokers;
    close_socket(monitor);
    monitor->socket = bus_socket(cli_context(monitor->cli), ZMQ_SUB);
    monitor->knocks = monitor_open(cli_context(monitor->cli), monitor->socket, KNOCK_EVENTS);
    if (!monitor->knocks)
        panic("a socket cannot be watched: %s", zmq_strerror(errno));
    knock_present(monitor->socket, monitor->cli->entry.access);
    zmq_setsockopt(monitor->socket, ZMQ_SUBSCRIBE, "", 0);
    for (size_t i = 0; i < brokers->n; i++)
        (void)bus_connect(monitor->socket, brokers->at[i].host, brokers->at[i].port + 1);
    monitor->renewed_us = now_us;
}

static void show_gap(const struct monitor *monitor, const struct feed_origin *origin,
                     uint64_t missed)
{
    if (monitor->cli->json)
        cli_print_json(monitor->cli,
                       json_pack("{s:s, s:I, s:o, s:I, s:I, s:I}", "type", "gap", "node",
                                 (json_int_t)origin->node, "incarnation",
                                 render_incarnation(origin->incarnation), "from",
                                 (json_int_t)(origin->seq - missed), "to",
                                 (json_int_t)(origin->seq - 1), "missed", (json_int_t)missed));
    else
        cli_note("node %" PRIu32 ": %" PRIu64 " messages were missed, up to seq %" PRIu64,
                 origin->node, missed, origin->seq - 1);
}

static void show(struct monitor *monitor, const struct message *message)
{
    struct text line = {0};
    if (monitor->cli->json) {
        cli_print_json(monitor->cli, feed_json(message));
    } else {
        feed_line(message, &line);
        printf("%s\n", line.at);
    }
    monitor->shown++;
}

static void take(struct monitor *monitor, uint64_t now_us)
{
    struct message *message = NULL;
    struct text why = {0};
    struct feed_origin origin;
    uint64_t missed;
    if (bus_decode(&monitor->parts, 0, &message, &why) || feed_origin(message, &origin)) {
        message_drop(&message);
        return; /* the broker relays nothing else; whoever stands in its place is not listened to */
    }
    if (monitor->quiet)
        cli_note("the feed is back");
    monitor->quiet = false;
    monitor->heard_us = now_us;
    bool wanted = (!options.node || origin.node == options.node) &&
                  (!options.events || message->type == MESSAGE_EVENT) &&
                  (!options.heartbeats || message->type == MESSAGE_HEARTBEAT);
    if (!feed_hear(&monitor->feed, &origin, &missed)) {
        if (missed && (!options.node || origin.node == options.node) && !options.top)
            show_gap(monitor, &origin, missed);
        if (options.top)
            top_hear(&monitor->top, message, now_us);
        else if (wanted)
            show(monitor, message);
    }
    message_drop(&message);
}

static bool satisfied(const struct monitor *monitor)
{
    return options.count && monitor->shown >= options.count;
}

static void drain(struct monitor *monitor, uint64_t now_us)
{
    for (int i = 0; i < DRAIN_MAX && !satisfied(monitor); i++) {
        int error = bus_receive(monitor->socket, &monitor->parts);
        if (error == ERR_NOT_FOUND)
            break;
        if (!error)
            take(monitor, now_us);
    }
    fflush(stdout);
}

/* The broker has taken our key at its front; its feed may be closed to our role. */
static void take_knocks(struct monitor *monitor)
{
    unsigned event;
    while ((event = monitor_next(monitor->knocks, NULL)))
        monitor->refused = monitor->refused || event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
}

static void watch(struct monitor *monitor, uint64_t now_us)
{
    uint64_t quiet_us = now_us - monitor->heard_us;
    if (quiet_us > QUIET_US && !monitor->quiet) {
        cli_note("nothing arrives on the feed; waiting for a broker and nodes");
        monitor->quiet = true;
    }
    if (quiet_us > RENEW_US && now_us - monitor->renewed_us > RENEW_US)
        subscribe(monitor, now_us);
    if (options.top && now_us - monitor->drawn_us >= TOP_MS * MS_US) {
        top_draw(&monitor->top, now_us, isatty(STDOUT_FILENO), stdout);
        monitor->drawn_us = now_us;
        monitor->shown++;
    }
}

static int refused(const struct monitor *monitor)
{
    const struct access *access = monitor->cli->entry.access;
    if (door_admits(DOOR_feed, access->role))
        return cli_fail(
            EXIT_KEY_REFUSED,
            "the feed refused this key (%s of cluster %s): it was revoked, or has ended",
            monitor->cli->entry.path, access->cluster);
    return cli_fail(EXIT_KEY_REFUSED,
                    "the feed is closed to this key (%s, role %s); it takes monitor or admin",
                    monitor->cli->entry.path, role_name(access->role));
}

static int loop(struct monitor *monitor)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        drain(monitor, now_us);
        take_knocks(monitor);
        watch(monitor, now_us);
        if (monitor->refused)
            return refused(monitor);
        if (satisfied(monitor) || interrupt_seen())
            return EXIT_OK;
        if (ferror(stdout))
            return EXIT_FAILED;
        if (now_us >= monitor->deadline_us)
            return cli_fail(EXIT_TIMEOUT, "%" PRIu64 " messages arrived in time", monitor->shown);
        zmq_pollitem_t items[] = {{.socket = monitor->socket, .events = ZMQ_POLLIN},
                                  {.socket = monitor->knocks, .events = ZMQ_POLLIN},
                                  {.fd = interrupt_fd(), .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 3, TOP_MS / 2) < 0 && errno != EINTR)
            panic("zmq_poll: %s", zmq_strerror(errno));
    }
}

int monitor_run(struct cli *cli, int n_words, char **words)
{
    struct message *reply = NULL;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (options.events && options.heartbeats)
        return cli_fail(EXIT_USAGE, "--events and --heartbeats exclude each other");
    /* A subscription to nobody waits for ever; so somebody must be there at first. */
    int error = client_ask(cli_client(cli), message_new(MESSAGE_BROKER_GET), CLIENT_ONCE, 0,
                           cli_deadline_us(cli), &reply);
    message_drop(&reply);
    if (error)
        return cli_explain(cli, error);
    struct monitor *monitor = mem_new(1, sizeof *monitor);
    cli->json_lines = true;
    monitor->cli = cli;
    monitor->heard_us = monitor->drawn_us = clock_now_us();
    monitor->deadline_us = cli->timeout_given ? cli_deadline_us(cli) : UINT64_MAX;
    subscribe(monitor, monitor->heard_us);
    code = loop(monitor);
    bus_parts_clear(&monitor->parts);
    close_socket(monitor);
    free(monitor);
    return code;
}
