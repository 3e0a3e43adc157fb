#include "clients/web/look.h"

#include <stdlib.h>

#include "clients/show/status_json.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

static void end(struct look *look)
{
    if (--look->pending)
        return;
    cluster_view_clear(&look->view);
    look->view = look->next;
    look->code = look->view.status ? EXIT_OK : look->next_code;
    look->next = (struct cluster_view){0};
    look->finished = look->begun;
    events_take_look(&look->web->events, look);
    for (struct request *request = http_requests(look->web->http), *next; request; request = next) {
        void (*looked)(struct request *) = request->looked;
        next = request->next;
        if (!looked || request->look > look->finished)
            continue;
        request->looked = NULL;
        looked(request);
    }
}

static void take_status(struct waiter *waiter, struct client_call *call)
{
    struct look *look = (struct look *)waiter;
    look->next_code = cluster_take_status(&look->next, look->web->cli->connection.client,
                                          call->outcome, call->reply);
    call->reply = NULL;
    client_call_drop(&call);
    end(look);
}

static void take_broker(struct waiter *waiter, struct client_call *call)
{
    struct look_broker *broker = (struct look_broker *)waiter;
    if (!call->outcome && call->reply->type == MESSAGE_BROKER) {
        broker->web->look.next.brokers[broker->number] = call->reply;
        call->reply = NULL;
    }
    client_call_drop(&call);
    end(&broker->web->look);
}

void look_init(struct look *look, struct web *web)
{
    const struct addresses *brokers = &web->cli->connection.brokers;
    look->waiter.take = take_status;
    look->web = web;
    look->n_brokers = brokers->n;
    look->code = EXIT_UNREACHABLE;
    for (size_t i = 0; i < brokers->n; i++) {
        struct addresses *only = mem_new(1, sizeof *only);
        *only = (struct addresses){.n = 1, .at = {brokers->at[i]}};
        look->brokers[i] = (struct look_broker){{take_broker}, web, i, NULL, only};
        look->brokers[i].client =
            client_new(cli_context(web->cli), only, &web->cli->connection.entry);
    }
}

void look_clear(struct look *look)
{
    for (size_t i = 0; i < look->n_brokers; i++) {
        client_destroy(&look->brokers[i].client);
        free(look->brokers[i].only);
    }
    cluster_view_clear(&look->next);
    cluster_view_clear(&look->view);
}

uint64_t look_want(struct look *look)
{
    look->wanted = true;
    return look->begun + 1;
}

void look_await(struct request *request, void (*looked)(struct request *request))
{
    request->looked = looked;
    request->look = look_want(&request->web->look);
}

void look_turn(struct look *look, uint64_t now_us)
{
    if (!look->wanted || look->pending)
        return;
    look->wanted = false;
    look->begun++;
    look->began_us = now_us;
    look->pending = 1 + (unsigned)look->n_brokers;
    client_start(cli_client(look->web->cli), message_new(MESSAGE_STATUS_GET), CLIENT_ONCE, 0,
                 now_us + WEB_CALL_US, &look->waiter);
    for (size_t i = 0; i < look->n_brokers; i++)
        client_start(look->brokers[i].client, message_new(MESSAGE_BROKER_GET), CLIENT_ONCE, 0,
                     now_us + WEB_BROKER_US, &look->brokers[i].waiter);
    look->web->asked = true;
}

/* --- GET /api/status --- */

static void show(struct request *request)
{
    const struct look *look = &request->web->look;
    const struct wire_node_row *rows;
    size_t n;
    if (!cluster_nodes(&look->view, &rows, &n)) {
        request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "unreachable", look->code, "%s",
                      look->view.reason.at);
        return;
    }
    request_json(request, look->code ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
                 status_json(&look->view, &request->web->cli->connection.brokers,
                             request->web->dir));
}

void status_get(struct request *request)
{
    look_await(request, show);
}
