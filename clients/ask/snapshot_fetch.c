#include "clients/ask/snapshot_fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/limits.h"

uint8_t *snapshot_bytes_room(struct snapshot_bytes *bytes, size_t len)
{
    if (bytes->len + len > bytes->size) {
        bytes->size = 2 * bytes->size > bytes->len + len ? 2 * bytes->size : bytes->len + len;
        bytes->at = mem_grow(bytes->at, bytes->size, 1);
    }
    return bytes->at + bytes->len;
}

int snapshot_id_read(struct conclave *cluster, const char *text, struct snapshot_name *out)
{
    char room[TEXT_MAX / 4];
    if (!snapshot_name_parse(slice_of(text), out))
        return EXIT_OK;
    return connection_fail(cluster, EXIT_USAGE,
                           "'%s' is not a snapshot id, which looks like 3-00000001b9ffba8b-4",
                           text_escape(room, sizeof room, slice_of(text)));
}

static int fetch_chunk(struct conclave *cluster, const struct snapshot_name *name,
                       struct snapshot_bytes *bytes, uint64_t *total)
{
    struct message *request = message_new(MESSAGE_SNAPSHOT_GET), *reply = NULL;
    struct wire_snapshot_get *get = &request->as.snapshot_get;
    get->node = name->initiator;
    get->incarnation = name->incarnation;
    get->counter = name->counter;
    get->offset = bytes->len;
    int code = connection_ask(cluster, request, MESSAGE_SNAPSHOT_CHUNK, &reply);
    if (code)
        return code;
    const struct wire_snapshot_chunk *chunk = &reply->as.snapshot_chunk;
    const struct blob *frame = message_frame(reply, 1);
    bool fits = frame && frame->len && chunk->offset == bytes->len &&
                chunk->total <= SNAPSHOT_FILE_BYTES_MAX && (!bytes->len || chunk->total == *total);
    fits = fits && frame->len <= chunk->total - bytes->len;
    if (fits) {
        *total = chunk->total;
        memcpy(snapshot_bytes_room(bytes, frame->len), frame->at, frame->len);
        bytes->len += frame->len;
    } else {
        code = connection_fail(cluster, EXIT_FAILED,
                               "node %" PRIu64 " sent a part of the snapshot that does not fit",
                               name->initiator);
    }
    message_drop(&reply);
    return code;
}

int snapshot_fetch_bytes(struct conclave *cluster, const struct snapshot_name *name,
                         struct snapshot_bytes *out)
{
    uint64_t total = 1;
    int code = EXIT_OK;
    *out = (struct snapshot_bytes){0};
    while (!code && out->len < total)
        code = fetch_chunk(cluster, name, out, &total);
    return code;
}

int snapshot_load(struct conclave *cluster, const struct snapshot_name *name,
                  struct slice container, struct snapshot_model **out)
{
    struct text why = {0};
    *out = NULL;
    if (snapshot_model_load(container, out, &why))
        return connection_fail(cluster, EXIT_FAILED,
                               "the snapshot that node %" PRIu64 " keeps is malformed: %s",
                               name->initiator, why.at);
    /* as `snapshot list` has it: of all parts, which the head did not know yet */
    (*out)->bytes = container.len;
    return EXIT_OK;
}

int snapshot_fetch(struct conclave *cluster, const struct snapshot_name *name,
                   struct snapshot_model **out)
{
    struct snapshot_bytes bytes;
    *out = NULL;
    int code = snapshot_fetch_bytes(cluster, name, &bytes);
    if (!code)
        code = snapshot_load(cluster, name, (struct slice){bytes.at, bytes.len}, out);
    free(bytes.at);
    return code;
}
