/* bundle.h - several small messages between a broker and a node as one frame: a message of 150
 * bytes costs more for being sent, sealed and read than for what is in it.
 *
 * A bundle travels where a request or an answer does, in an envelope whose client is empty:
 *
 *     [""][""][bundle]
 *
 * and the bundle is, of each message in it, the three parts that it would have outside, each after
 * its length (shared/base/bytes.h): the client's routing id, of a request the client's public key
 * (of an answer nothing), frame 0. So only messages without further frames go in bundles.
 *
 * A broker sends bundles to nodes whose heartbeats say that they take them (`bundles`), and a node
 * answers in bundles only what came in one: who knows neither sees none. */
#ifndef CONCLAVE_BUS_BUNDLE_H
#define CONCLAVE_BUS_BUNDLE_H

#include "shared/bus/bus.h"

#define BUNDLE_MAX_BYTES  (32 * KIB_BYTES) /* of one frame: some two hundred requests */
#define BUNDLED_MAX_BYTES (4 * KIB_BYTES)  /* of a message in it: a larger one goes by itself */

/* One message. */
struct bundled {
    struct slice client, stated, frame;
};

/* What is gathered. Zero-initialize before the first use. */
struct bundle {
    struct codec_buffer buffer;
    size_t n;
};

/* Whether a message of these parts may go in a bundle at all. */
bool bus_bundle_fits(const struct bundled *message);

/* Adds one that fits (copies). False, and it is not in it: the bundle is full, send it first. */
bool bus_bundle_add(struct bundle *bundle, const struct bundled *message);

/* Sends what is in it, in an envelope that begins with the peer's routing id (an empty one: none,
 * on a DEALER), and empties it; a single message goes without a bundle. Nothing to send is OK.
 * Errors as bus_send(): it is as it was then. The gauge (may be NULL) counts the bytes until they
 * are sent. */
int bus_bundle_send(struct bundle *bundle, void *socket, struct slice peer, struct gauge *gauge);

/* What is in it, for bus_bundle_next(). */
struct slice bus_bundle_bytes(const struct bundle *bundle);

/* Empties it; bus_bundle_clear() frees its memory as well. */
void bus_bundle_reset(struct bundle *bundle);
void bus_bundle_clear(struct bundle *bundle);

/* Whether a received message is a bundle: from part `client` on it is such an envelope and one
 * frame. */
bool bus_bundle_is(const struct bus_parts *parts, size_t client);

/* Takes the next message off the bytes of a bundle (borrows from them). False: none is left, or
 * what is left is malformed, and `rest` is not empty then. What is larger than a sender would have
 * put into it is malformed: whoever passes small messages on copies them, and larger ones not. */
bool bus_bundle_next(struct slice *rest, struct bundled *message);

/* A part of a message as ZeroMQ has them, without a copy: the bytes must stay until it is closed.
 */
void bus_bundle_part(zmq_msg_t *part, struct slice bytes);

#endif
