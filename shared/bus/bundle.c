#include "shared/bus/bundle.h"

#include <stdlib.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define ENVELOPE_MAX 3 /* the peer's routing id, the client's, and what stands before frame 0 */

static size_t size_of(const struct bundled *message)
{
    return 3 * BYTES_LENGTH + message->client.len + message->stated.len + message->frame.len;
}

bool bus_bundle_fits(const struct bundled *message)
{
    return message->client.len && size_of(message) <= BUNDLED_MAX_BYTES;
}

bool bus_bundle_add(struct bundle *bundle, const struct bundled *message)
{
    struct codec_buffer *buffer = &bundle->buffer;
    if (buffer->len + size_of(message) > BUNDLE_MAX_BYTES)
        return false;
    if (!buffer->at) {
        buffer->size = BUNDLE_MAX_BYTES;
        buffer->at = mem_new(buffer->size, 1);
    }
    uint8_t *at = (uint8_t *)buffer->at + buffer->len;
    at += bytes_put_part(at, message->client.at, message->client.len);
    at += bytes_put_part(at, message->stated.at, message->stated.len);
    bytes_put_part(at, message->frame.at, message->frame.len);
    buffer->len += size_of(message);
    bundle->n++;
    return true;
}

struct slice bus_bundle_bytes(const struct bundle *bundle)
{
    return (struct slice){(const uint8_t *)bundle->buffer.at, bundle->buffer.len};
}

int bus_bundle_send(struct bundle *bundle, void *socket, struct slice peer, struct gauge *gauge)
{
    struct bundled only = {0};
    struct slice envelope[ENVELOPE_MAX], frame = bus_bundle_bytes(bundle);
    size_t n = 0;
    if (!bundle->n)
        return OK;
    if (bundle->n == 1) {
        struct slice rest = frame;
        bus_bundle_next(&rest, &only);
        frame = only.frame;
    }
    if (peer.len)
        envelope[n++] = peer;
    envelope[n++] = only.client;
    envelope[n++] = only.stated;
    int error = bus_send_bytes(socket, envelope, n, frame, gauge);
    if (!error)
        bus_bundle_reset(bundle);
    return error;
}

void bus_bundle_reset(struct bundle *bundle)
{
    bundle->buffer.len = 0;
    bundle->n = 0;
}

void bus_bundle_clear(struct bundle *bundle)
{
    codec_buffer_clear(&bundle->buffer);
    bundle->n = 0;
}

bool bus_bundle_is(const struct bus_parts *parts, size_t client)
{
    return parts->n == client + ENVELOPE_MAX && !bus_part(parts, client).len &&
           !bus_part(parts, client + 1).len;
}

bool bus_bundle_next(struct slice *rest, struct bundled *message)
{
    struct slice left = *rest;
    if (!bytes_take_part(&left, &message->client) || !bytes_take_part(&left, &message->stated) ||
        !bytes_take_part(&left, &message->frame) || !bus_bundle_fits(message))
        return false;
    *rest = left;
    return true;
}

void bus_bundle_part(zmq_msg_t *part, struct slice bytes)
{
    /* libzmq neither changes nor frees what comes without a function for that. */
    zmq_msg_init_data(part, (void *)(uintptr_t)bytes.at, bytes.len, NULL, NULL);
}
