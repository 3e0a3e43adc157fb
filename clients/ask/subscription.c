#include "clients/ask/subscription.h"

#include <errno.h>

#include "clients/ask/knock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/bus/monitor.h"

#define RENEW_US (5 * SECOND_US)

static void close_socket(struct subscription *it)
{
    if (it->socket)
        monitor_close(it->socket, &it->knocks);
    bus_socket_close(&it->socket, 0);
}

/* What two brokers relay is told apart by its seq. */
static void subscribe(struct subscription *it, uint64_t now_us)
{
    close_socket(it);
    it->socket = bus_socket(it->context, ZMQ_SUB);
    it->knocks = monitor_open(it->context, it->socket, KNOCK_EVENTS);
    if (!it->knocks)
        panic("a socket cannot be watched: %s", zmq_strerror(errno));
    knock_present(it->socket, it->access);
    zmq_setsockopt(it->socket, ZMQ_SUBSCRIBE, "", 0);
    for (size_t i = 0; i < it->brokers->n; i++)
        (void)bus_connect(it->socket, it->brokers->at[i].host, it->brokers->at[i].port + 1);
    it->renewed_us = now_us;
}

void subscription_open(struct subscription *it, void *context, const struct addresses *brokers,
                       const struct access *access, uint64_t now_us)
{
    *it = (struct subscription){.context = context,
                                .brokers = brokers,
                                .access = access,
                                .heard_us = now_us};
    subscribe(it, now_us);
}

void subscription_close(struct subscription *it)
{
    bus_parts_clear(&it->parts);
    close_socket(it);
}

struct message *subscription_next(struct subscription *it, uint64_t now_us)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        int error = bus_receive(it->socket, &it->parts);
        if (error == ERR_NOT_FOUND)
            break;
        struct message *message = NULL;
        struct text why = {0};
        if (error || bus_decode(&it->parts, 0, &message, &why))
            continue; /* the broker relays nothing else; whoever stands in its place is not heard */
        if (message->type == MESSAGE_HEARTBEAT || message->type == MESSAGE_EVENT) {
            it->heard_us = now_us;
            return message;
        }
        message_drop(&message);
    }
    return NULL;
}

void subscription_watch(struct subscription *it, uint64_t now_us)
{
    unsigned event;
    /* The broker has taken our key at its front; its feed may be closed to our role. */
    while ((event = monitor_next(it->knocks, NULL)))
        it->refused = it->refused || event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (now_us - it->heard_us > RENEW_US && now_us - it->renewed_us > RENEW_US)
        subscribe(it, now_us);
}

void subscription_items(const struct subscription *it, zmq_pollitem_t items[SUBSCRIPTION_ITEMS])
{
    items[0] = (zmq_pollitem_t){.socket = it->socket, .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = it->knocks, .events = ZMQ_POLLIN};
}
