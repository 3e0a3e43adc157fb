/* link.h - a broker's connection to the control plane of one node: requests wait here for their
 * key's turn (fair.h), and few are on their way that the node may not have read (unread.h). */
#ifndef CONCLAVE_BROKER_LINK_H
#define CONCLAVE_BROKER_LINK_H

#include "broker/fair.h"
#include "broker/unread.h"
#include "broker/waiting.h"
#include "shared/bus/bundle.h"
#include "shared/bus/doors.h"

struct link {
    void *socket;      /* DEALER; NULL: not open */
    unsigned attempts; /* each with another key of the node, while it has several */
    uint64_t opened_us;
    struct presented presented;
    struct gauge *gauge;    /* requests that wait in the socket */
    struct waiting waiting; /* requests that the node has not answered, queued ones too */
    struct fair fair;
    struct unread unread;
    bool bundles;         /* the node takes requests in bundles */
    struct bundle bundle; /* what link_send_bundle() sends */
    uint64_t
        asked_us; /* when the first request went out that nothing has come back after; 0: none */
};

/* Who asks: the name that takes turns, the public key that the node is told (empty: without keys),
 * and the number that the client gave its request. */
struct link_asker {
    struct slice name;
    const char *stated;
    uint64_t request;
};

/* A request that has waited, and cannot be passed on. */
struct link_request {
    struct turn turn; /* first */
    uint64_t request;
    char stated[KEY_TEXT_MAX];
    size_t n; /* the client's routing id, frame 0, and what follows */
    zmq_msg_t parts[];
};

/* Begins without a socket. `total` (borrowed): of all links of the broker. */
void link_init(struct link *link, struct fair_total *total);

/* Opens a new socket, not connected, in the place of the old one; nothing waits any more. */
void link_renew(struct link *link, void *context, uint64_t now_us);

/* Closes the socket, and frees what waits. */
void link_clear(struct link *link);

/* Passes a request on, or queues it: [client][frame 0]..., whose parts it takes, but for the
 * client's. Returns NULL, or why it is refused: one clause. */
const char *link_offer(struct link *link, const struct link_asker *asker, struct bus_parts *parts,
                       uint64_t now_us);

/* Passes on what may go now. Returns one that did not go, to be refused, and freed with
 * link_request_free(); then call it again. NULL: done. */
struct link_request *link_pump(struct link *link, uint64_t now_us);

/* Sends what was passed on and is gathered in a bundle; call it at the end of each turn. Other than
 * OK: the node takes nothing now. What is in the bundle is to be refused then: see link_refused().
 */
int link_send_bundle(struct link *link);

/* Takes the next request that link_send_bundle() could not send; false: that was the last. `rest`
 * begins as bus_bundle_bytes() of the link's bundle, which the caller empties at the end. */
bool link_refused(struct link *link, struct slice *rest, struct bundled *request);

/* Takes the next one out of the queue, as link_pump() does; NULL: nothing waits. */
struct link_request *link_unqueue(struct link *link);
struct slice link_request_client(const struct link_request *request);
void link_request_free(struct link_request *request);

/* An answer for the client has come; `frame` is its frame 0. */
void link_answered(struct link *link, struct slice client, struct slice frame, uint64_t now_us);

#endif
