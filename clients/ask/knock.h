/* knock.h - how a broker takes our key: keys of a socket that connects to it, and what its
 * handshake comes to. It tells a wrong key from a broker that is not there. */
#ifndef CONCLAVE_CLIENTS_KNOCK_H
#define CONCLAVE_CLIENTS_KNOCK_H

#include "clients/ask/address.h"
#include "shared/bus/access.h"

enum knock {
    KNOCK_NOTHING,
    KNOCK_IN,      /* the handshake is done */
    KNOCK_REFUSED, /* the broker refuses the key */
    KNOCK_NO_KEYS, /* the broker works without keys, and we brought one */
    KNOCK_NO_KEY,  /* the broker asks for a key, and we have none */
    KNOCK_SHUT     /* the broker ends connections before they are made; it may have no room */
};

/* Gives the socket our key (NULL: it has none) and the brokers'. Before it connects. */
void knock_present(void *socket, const struct access *access);

/* What the next event of a monitor_open(..., KNOCK_EVENTS) means. `shut` counts connections that
 * were ended in the middle of the handshake, which may mean anything: the broker is asked then.
 * KNOCK_NOTHING: there is no event, or none that matters. */
#define KNOCK_EVENTS (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | MONITOR_FAILED)
enum knock knock_next(void *monitor, const struct address *broker, const struct access *access,
                      unsigned *shut);

/* Whether anybody accepts connections there; 300 ms are waited for it. */
bool knock_listens(const struct address *broker);

#endif
