/* link.h - the life of our connection to one peer on one plane: a DEALER that only sends.
 *
 * Made -> up (the ZMTP handshake is done) -> down (disconnected, or the handshake failed) -> made
 * again, with a growing pause when connections do not last. A link that goes down takes its socket
 * with it, and everything that was queued for the peer: what must arrive is sent again by whoever
 * sent it, in the next connection. A socket is never kept across a disconnect, because libzmq would
 * hand old messages to the peer's next incarnation and mix their order, and because some sockets
 * never reconnect.
 *
 * All functions are for the one thread that made the link. */
#ifndef CONCLAVE_BUS_LINK_H
#define CONCLAVE_BUS_LINK_H

#include "shared/bus/doors.h"

struct link;

enum link_news { LINK_NOTHING, LINK_UP, LINK_DOWN };

struct link_config {
    struct doors *doors; /* borrowed for the link's life */
    node_id_t node;      /* whom it connects to: whose key it must have */
    const char *host;    /* copied */
    unsigned port;
    int queue_max; /* so many messages wait in it at most */
    int watch; /* an epoll set that becomes readable when link_next() may have something to say; -1:
                  none */
    uint32_t watch_as; /* the set's data.u32 of it */
};

/* Makes a link and starts to connect. Caller destroys, before the set is closed. */
struct link *link_new(void *context, const struct link_config *config, uint64_t now_us);

/* Ends the connection; what is queued is still sent within `linger_ms`. Accepts NULL, nulls the
 * pointer. */
void link_destroy(struct link **link, int linger_ms);

/* Takes the next change of state, LINK_NOTHING when there is none; makes a new socket when it is
 * time to. Call it until LINK_NOTHING, often enough that monitors do not fill: at least every
 * second. */
enum link_news link_next(struct link *link, uint64_t now_us);

/* Gives the socket up and makes a new one, at once or after the pause. Causes no LINK_DOWN. */
void link_remake(struct link *link, uint64_t now_us);

/* Says that the peer is there: a link that waits to retry does so in the next link_next(). One that
 * is connecting, or is up, is left alone. */
void link_hurry(struct link *link);

/* Which of the node's keys the present socket tries: for doors_present(). */
unsigned link_attempt(const struct link *link);

bool link_is_up(const struct link *link);

/* A descriptor that becomes readable when link_next() may have something to say; -1 between two
 * sockets. It is ZMQ_FD, which signals once: after it, call link_next() until LINK_NOTHING. */
int link_fd(const struct link *link);

/* Sends without waiting. As bus_send(); ERR_UNAVAILABLE when the link is not up. */
int link_send(struct link *link, const struct message *message);

/* Receives without waiting what the peer answers on this very connection, as bus_receive();
 * ERR_NOT_FOUND when the link is not up. */
int link_receive(struct link *link, struct bus_parts *parts);

#endif
