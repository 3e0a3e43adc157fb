/* monitor.c - conclave monitor. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/command/monitor_top.h"
#include "clients/show/feed.h"
#include "clients/ask/interrupt.h"
#include "clients/ask/subscription.h"
#include "clients/show/render.h"
#include "clients/show/keyboard.h"
#include "shared/base/terminal.h"
#include "shared/base/clock.h"
#include "shared/bus/doors.h"

static struct {
    uint64_t node, count;
    bool top, events, heartbeats, wide;
} options;

const struct option_spec monitor_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N", "only node N"},
    {"count", OPTION_U64, &options.count, 1, UINT64_MAX, "K",
     "end after K messages (with --top: tables)"},
    {"events", OPTION_FLAG, &options.events, 0, 0, NULL, "only events"},
    {"heartbeats", OPTION_FLAG, &options.heartbeats, 0, 0, NULL, "only heartbeats"},
    {"top", OPTION_FLAG, &options.top, 0, 0, NULL,
     "show nodes and jobs on a screen; keys sort, choose and open"},
    TABLE_WIDE(options.wide),
    {0}};

struct monitor {
    struct cli *cli;
    struct subscription subscription;
    struct feed feed;
    struct monitor_top top;
    uint64_t shown, deadline_us;
    bool quiet;
};

static void show_gap(const struct monitor *monitor, const struct feed_origin *origin,
                     uint64_t missed)
{
    if (monitor->cli->json)
        cli_print_json(monitor->cli, feed_gap_json(origin, missed));
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
        if (options.wide || !isatty(STDOUT_FILENO))
            feed_line(message, &line);
        else
            feed_short_line(message, &line);
        printf("%s\n", line.at);
    }
    monitor->shown++;
}

static void take(struct monitor *monitor, const struct message *message, uint64_t now_us)
{
    struct feed_origin origin;
    uint64_t missed;
    if (feed_origin(message, &origin))
        return;
    if (monitor->quiet)
        cli_note("the feed is back");
    monitor->quiet = false;
    bool wanted = (!options.node || origin.node == options.node) &&
                  (!options.events || message->type == MESSAGE_EVENT) &&
                  (!options.heartbeats || message->type == MESSAGE_HEARTBEAT);
    if (feed_hear(&monitor->feed, &origin, &missed))
        return;
    if (missed && (!options.node || origin.node == options.node) && !options.top)
        show_gap(monitor, &origin, missed);
    if (options.top)
        top_hear(&monitor->top.top, message, now_us);
    else if (wanted)
        show(monitor, message);
}

static bool satisfied(const struct monitor *monitor)
{
    return options.count && monitor->shown >= options.count;
}

static void drain(struct monitor *monitor, uint64_t now_us)
{
    struct message *message;
    for (int i = 0; i < DRAIN_MAX && !satisfied(monitor) &&
                    (message = subscription_next(&monitor->subscription, now_us));
         i++) {
        take(monitor, message, now_us);
        message_drop(&message);
    }
    fflush(stdout);
}

static void watch(struct monitor *monitor, uint64_t now_us)
{
    uint64_t quiet_us = now_us - monitor->subscription.heard_us;
    if (quiet_us > SUBSCRIPTION_QUIET_US && !monitor->quiet) {
        cli_note("nothing arrives on the feed; waiting for a broker and nodes");
        monitor->quiet = true;
    }
    subscription_watch(&monitor->subscription, now_us);
    if (options.top)
        monitor->shown += monitor_top_turn(&monitor->top, now_us);
}

static int refused(const struct monitor *monitor)
{
    const struct access *access = monitor->cli->connection.entry.access;
    if (door_admits(DOOR_feed, access->role))
        return cli_fail(
            EXIT_KEY_REFUSED,
            "the feed refused this key (%s of cluster %s): it was revoked, or has expired",
            monitor->cli->connection.entry.path, access->cluster);
    return cli_fail(EXIT_KEY_REFUSED,
                    "the feed is closed to this key (%s, role %s); it is open to monitor and admin",
                    monitor->cli->connection.entry.path, role_name(access->role));
}

static int loop(struct monitor *monitor)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        drain(monitor, now_us);
        watch(monitor, now_us);
        if (monitor->subscription.refused)
            return refused(monitor);
        if (satisfied(monitor) || interrupt_seen() || monitor->top.ended)
            return EXIT_OK;
        if (ferror(stdout) || monitor->top.failed)
            return EXIT_FAILED;
        if (now_us >= monitor->deadline_us)
            return cli_fail(EXIT_TIMEOUT, "%" PRIu64 " messages arrived in time", monitor->shown);
        zmq_pollitem_t items[SUBSCRIPTION_ITEMS + 2 + CLIENT_ITEMS_MAX] = {
            [SUBSCRIPTION_ITEMS] = {.fd = interrupt_fd(), .events = ZMQ_POLLIN}};
        size_t n = SUBSCRIPTION_ITEMS + 1;
        subscription_items(&monitor->subscription, items);
        if (monitor->top.screen)
            n += client_items(cli_client(monitor->cli), items + n);
        if (monitor->top.screen && keyboard_fd() >= 0)
            items[n++] = (zmq_pollitem_t){.fd = keyboard_fd(), .events = ZMQ_POLLIN};
        if (zmq_poll(items, (int)n, TOP_MS / 2) < 0 && errno != EINTR)
            panic("zmq_poll: %s", zmq_strerror(errno));
    }
}

int monitor_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (options.events && options.heartbeats)
        return cli_fail(EXIT_USAGE, "--events and --heartbeats exclude each other");
    /* A subscription to nobody waits for ever; so somebody must be there at first. */
    int error = cluster_knock(&cli->connection, cli->connection.timeout_us);
    if (error)
        return cli_explain(cli, error);
    struct monitor *monitor = mem_new(1, sizeof *monitor);
    cli->json_lines = true;
    monitor->cli = cli;
    uint64_t now_us = clock_now_us();
    if (options.top)
        monitor_top_begin(&monitor->top, cli, now_us);
    monitor->deadline_us = cli->timeout_given ? cli_deadline_us(cli) : UINT64_MAX;
    subscription_open(&monitor->subscription, cli_context(cli), &cli->connection.brokers,
                      cli->connection.entry.access, now_us);
    code = loop(monitor);
    if (options.top)
        monitor_top_end(&monitor->top);
    subscription_close(&monitor->subscription);
    free(monitor);
    return code;
}
