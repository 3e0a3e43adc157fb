#include "broker/link.h"

#include <stdlib.h>

#include "broker/pass.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

void link_init(struct link *link, struct fair_total *total)
{
    *link = (struct link){.fair = {.total = total}};
}

void link_renew(struct link *link, void *context, uint64_t now_us)
{
    struct fair_total *total = link->fair.total;
    unsigned attempts = link->attempts;
    bool bundles = link->bundles;
    link_clear(link);
    *link = (struct link){.socket = bus_socket(context, ZMQ_DEALER),
                          .gauge = gauge_new(NULL),
                          .attempts = attempts + 1,
                          .opened_us = now_us,
                          .bundles = bundles,
                          .fair = {.total = total}};
}

void link_clear(struct link *link)
{
    for (struct link_request *request; (request = link_unqueue(link));)
        link_request_free(request);
    map_clear(&link->fair.queues);
    bus_bundle_clear(&link->bundle);
    gauge_drop(&link->gauge); /* what is still under way in the socket keeps it */
    bus_socket_close(&link->socket, 0);
    waiting_clear(&link->waiting);
}

/* --- requests that wait --- */

static struct link_request *request_of(const struct turn *turn)
{
    return (struct link_request *)turn; /* its first member */
}

struct slice link_request_client(const struct link_request *request)
{
    zmq_msg_t *part = (zmq_msg_t *)&request->parts[0]; /* zmq_msg_data() takes no const */
    return (struct slice){zmq_msg_data(part), zmq_msg_size(part)};
}

void link_request_free(struct link_request *request)
{
    for (size_t i = 0; i < request->n; i++)
        zmq_msg_close(&request->parts[i]);
    free(request);
}

/* Bytes on their way to the node. */
static uint64_t length_of(const zmq_msg_t *parts, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += zmq_msg_size(&parts[i]);
    return bytes;
}

static size_t room_of(size_t n)
{
    return sizeof(struct link_request) + n * sizeof(zmq_msg_t);
}

static bool queue(struct link *link, const struct link_asker *asker, struct bus_parts *parts)
{
    struct link_request *request = mem_new(1, room_of(parts->n));
    uint64_t held_bytes = length_of(parts->at, parts->n) + room_of(parts->n);
    if (!fair_put(&link->fair, asker->name, &request->turn, held_bytes)) {
        free(request);
        return false;
    }
    request->request = asker->request;
    text_copy(request->stated, sizeof request->stated, slice_of(asker->stated));
    request->n = parts->n;
    for (size_t i = 0; i < parts->n; i++) {
        zmq_msg_init(&request->parts[i]);
        zmq_msg_move(&request->parts[i], &parts->at[i]);
        pass_settle(&request->parts[i], NULL);
    }
    return true;
}

struct link_request *link_unqueue(struct link *link)
{
    struct link_request *request = request_of(fair_take(&link->fair));
    if (request)
        waiting_take(&link->waiting, link_request_client(request));
    return request;
}

/* --- passing on --- */

static bool may_pass(const struct link *link, uint64_t bytes)
{
    return link->socket &&
           gauge_bytes(link->gauge) + bus_bundle_bytes(&link->bundle).len <= LINK_WAITING_BYTES &&
           unread_has_room(&link->unread, bytes);
}

/* Into the bundle, or behind it: a node reads requests in the order in which they are passed on. */
static int send_on(struct link *link, const struct slice envelope[2], zmq_msg_t *parts, size_t n)
{
    const struct bundled request = {envelope[0],
                                    envelope[1],
                                    {zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0])}};
    bool fits = link->bundles && n == 1 && bus_bundle_fits(&request);
    if (fits && bus_bundle_add(&link->bundle, &request))
        return OK;
    int error = link_send_bundle(link);
    if (!error && fits)
        bus_bundle_add(&link->bundle, &request);
    else if (!error)
        error = pass_on(link->socket, envelope, 2, parts, n, link->gauge);
    return error;
}

static int pass(struct link *link, struct slice client, const char *stated, uint64_t request,
                zmq_msg_t *parts, size_t n, uint64_t now_us)
{
    const struct slice envelope[] = {client, slice_of(stated)};
    uint64_t bytes = length_of(parts, n);
    int error = send_on(link, envelope, parts, n);
    if (error)
        return error;
    unread_add(&link->unread, client, request, bytes, now_us);
    if (!link->asked_us)
        link->asked_us = now_us;
    return OK;
}

const char *link_offer(struct link *link, const struct link_asker *asker, struct bus_parts *parts,
                       uint64_t now_us)
{
    struct slice client = bus_part(parts, 0);
    const char *why = NULL;
    if (!waiting_add(&link->waiting, client, LINK_WAITING_REQUESTS))
        return "busy: too many requests of this client wait for the node";
    if (fair_next(&link->fair) || !may_pass(link, length_of(parts->at + 1, parts->n - 1)))
        why = queue(link, asker, parts) ? NULL
                                        : "busy: too many requests of this key wait for their turn";
    else if (pass(link, client, asker->stated, asker->request, parts->at + 1, parts->n - 1, now_us))
        why = "busy: the queue to the node is full";
    if (why)
        waiting_take(&link->waiting, client);
    return why;
}

struct link_request *link_pump(struct link *link, uint64_t now_us)
{
    unread_turn(&link->unread, now_us);
    for (const struct turn *next; (next = fair_next(&link->fair));) {
        struct link_request *request = request_of(next);
        if (!may_pass(link, length_of(request->parts + 1, request->n - 1)))
            return NULL;
        fair_take(&link->fair);
        if (pass(link, link_request_client(request), request->stated, request->request,
                 request->parts + 1, request->n - 1, now_us)) {
            waiting_take(&link->waiting, link_request_client(request));
            return request;
        }
        link_request_free(request);
    }
    return NULL;
}

void link_answered(struct link *link, struct slice client, struct slice frame, uint64_t now_us)
{
    uint64_t request;
    waiting_take(&link->waiting, client);
    if (codec_find_number(frame, "request", &request))
        unread_answered(&link->unread, client, request, now_us);
}

int link_send_bundle(struct link *link)
{
    return link->socket
               ? bus_bundle_send(&link->bundle, link->socket, (struct slice){0}, link->gauge)
               : ERR_UNAVAILABLE;
}

bool link_refused(struct link *link, struct slice *rest, struct bundled *request)
{
    if (!bus_bundle_next(rest, request))
        return false;
    waiting_take(&link->waiting, request->client);
    return true;
}
