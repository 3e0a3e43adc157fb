#include "clients/web/web.h"

#include <errno.h>

#include "clients/ask/cluster.h"
#include "clients/ask/interrupt.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/bus/doors.h"

#define TURN_MS 50 /* how late deadlines and renewals may be */
#define ITEMS_MAX                                                    \
    (2 + SUBSCRIPTION_ITEMS + (1 + BROKERS_MAX) * CLIENT_ITEMS_MAX + \
     WEB_DELEGATES_MAX * DELEGATE_ITEMS)

void web_ask(struct web *web, struct message *request, struct waiter *waiter)
{
    client_start(cli_client(web->cli), request, CLIENT_PATIENT, 0, clock_now_us() + WEB_CALL_US,
                 waiter);
    web->asked = true;
}

static void work(struct client *client, uint64_t now_us)
{
    struct client_call *call;
    (void)client_work(client, now_us);
    while ((call = client_finished(client))) {
        struct waiter *waiter = call->context;
        waiter->take(waiter, call);
    }
}

static void listen_to_feed(struct web *web, uint64_t now_us)
{
    struct message *message;
    for (int i = 0; i < DRAIN_MAX && (message = subscription_next(&web->subscription, now_us));
         i++) {
        events_hear(&web->events, message);
        message_drop(&message);
    }
    subscription_watch(&web->subscription, now_us);
}

static void turn(struct web *web)
{
    uint64_t now_us = clock_now_us();
    web->asked = false;
    if (web->subscribed)
        listen_to_feed(web, now_us);
    work(cli_client(web->cli), now_us);
    for (size_t i = 0; i < web->look.n_brokers; i++)
        work(web->look.brokers[i].client, now_us);
    delegates_turn(web);
    events_turn(&web->events, now_us);
    http_turn(web->http, now_us);
    look_turn(&web->look, now_us);
}

static void wait(struct web *web)
{
    zmq_pollitem_t items[ITEMS_MAX] = {{.fd = interrupt_fd(), .events = ZMQ_POLLIN},
                                       {.fd = http_fd(web->http), .events = ZMQ_POLLIN}};
    int n = 2;
    if (web->subscribed) {
        subscription_items(&web->subscription, items + n);
        n += SUBSCRIPTION_ITEMS;
    }
    n += (int)client_items(cli_client(web->cli), items + n);
    for (size_t i = 0; i < web->look.n_brokers; i++)
        n += (int)client_items(web->look.brokers[i].client, items + n);
    n += delegates_items(web, items + n);
    uint64_t wait_ms = http_wait_ms(web->http);
    wait_ms = web->asked ? 0 : wait_ms < TURN_MS ? wait_ms : TURN_MS;
    if (zmq_poll(items, n, (long)wait_ms) < 0 && errno != EINTR)
        panic("zmq_poll: %s", zmq_strerror(errno));
}

/* Asks once, so that a key that is refused is told at the start; a cluster that is not there may
 * come. */
static int knock(struct web *web)
{
    int error = cluster_knock(&web->cli->connection, WEB_CALL_US);
    if (error == ERR_REFUSED || error == ERR_MALFORMED || error == ERR_INTERRUPTED)
        return cli_explain(web->cli, error);
    if (error)
        cli_note("%s; it is asked again for each request",
                 client_reason(web->cli->connection.client));
    return EXIT_OK;
}

int web_serve(struct web *web)
{
    const struct access *access;
    int code = knock(web);
    if (code)
        return code;
    access = web->cli->connection.entry.access;
    web->subscribed = !access || door_admits(DOOR_feed, access->role);
    if (!web->subscribed)
        cli_note("the feed is closed to this key (role %s): there are no events",
                 role_name(access->role));
    else
        subscription_open(&web->subscription, cli_context(web->cli), &web->cli->connection.brokers,
                          access, clock_now_us());
    while (!interrupt_seen()) {
        turn(web);
        wait(web);
    }
    if (web->subscribed)
        subscription_close(&web->subscription);
    return EXIT_OK;
}
