/* subscription.h - the feed of the brokers: subscribing with our key, again when it is quiet. What
 * it brings is lossy, and doubled by two brokers: see clients/show/feed.h. */
#ifndef CONCLAVE_CLIENTS_SUBSCRIPTION_H
#define CONCLAVE_CLIENTS_SUBSCRIPTION_H

#include <zmq.h>

#include "clients/ask/address.h"
#include "clients/ask/entry.h"
#include "shared/bus/bus.h"

/* Nodes beat several times a second: this is a lost broker, or a lost cluster. */
#define SUBSCRIPTION_QUIET_US (2 * SECOND_US)

struct subscription {
    void *context;
    const struct addresses *brokers;
    const struct access *access;
    void *socket, *knocks;
    struct bus_parts parts;
    uint64_t heard_us, renewed_us; /* the last message of the feed; the last subscribing */
    bool refused;                  /* a broker does not take our key for its feed */
};

/* Subscribes at every broker. Borrows the context that bus_open() made, the brokers and the key
 * (NULL: none), until subscription_close(). */
void subscription_open(struct subscription *it, void *context, const struct addresses *brokers,
                       const struct access *access, uint64_t now_us);
void subscription_close(struct subscription *it);

/* Takes the next message without waiting (caller drops); NULL: there is none now. Skips what is
 * neither a heartbeat nor an event. */
struct message *subscription_next(struct subscription *it, uint64_t now_us);

/* From time to time: sees refusals, and subscribes anew when nothing has come for long, because a
 * subscription can die without a sign. */
void subscription_watch(struct subscription *it, uint64_t now_us);

/* What becomes readable when there is something to take. */
#define SUBSCRIPTION_ITEMS 2
void subscription_items(const struct subscription *it, zmq_pollitem_t items[SUBSCRIPTION_ITEMS]);

#endif
