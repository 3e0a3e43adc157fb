#include "nodes/core/state/checkpoint_sink.h"

#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

#define BUNDLE_BYTES (MESSAGE_MAX_BYTES / 4) /* a bundle of rows ends when it is this large */

struct blob *checkpoint_pack(const struct message *message)
{
    struct blob *packed = codec_pack(message);
    if (!packed)
        panic("a part of a checkpoint cannot be encoded: %s", message_name(message->type));
    return packed;
}

/* --- sinks --- */

static void *grown(void *at, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return at;
    *size = *size ? 2 * *size : 16;
    return mem_grow(at, *size, item);
}

void checkpoint_sink_add(struct checkpoint_sink *sink, struct message *message)
{
    if (!sink->late_only) {
        struct blob *packed = checkpoint_pack(message);
        sink->at = grown(sink->at, sink->n, &sink->size, sizeof *sink->at);
        sink->at[sink->n++] = packed;
        sink->bytes += packed->len;
    }
    message_drop(&message);
}

void checkpoint_sink_add_late(struct checkpoint_sink *sink, struct message *message)
{
    if (MUTANT(live_results_at_once)) {
        checkpoint_sink_add(sink, message);
        return;
    }
    sink->late = grown(sink->late, sink->n_late, &sink->late_size, sizeof *sink->late);
    sink->late[sink->n_late++] = message;
}

void checkpoint_sink_clear(struct checkpoint_sink *sink)
{
    for (size_t i = 0; i < sink->n; i++)
        blob_drop(&sink->at[i]);
    for (size_t i = 0; i < sink->n_late; i++)
        message_drop(&sink->late[i]);
    free(sink->at);
    free(sink->late);
    *sink = (struct checkpoint_sink){0};
}

/* --- bundles --- */

void bundle_flush(struct bundle *bundle, struct checkpoint *parts)
{
    struct message *message = bundle->message;
    if (!message)
        return;
    if (message->n_frames == 1) {
        checkpoint_add(parts, message->frames[0]);
    } else {
        message->as.image_bundle.rows = message->n_frames;
        struct blob *part = checkpoint_pack(message);
        checkpoint_add(parts, part);
        blob_drop(&part);
    }
    message_drop(&bundle->message);
    bundle->bytes = 0;
}

void bundle_add(struct bundle *bundle, struct checkpoint *parts, struct blob *row, size_t rows_max)
{
    /* What is large is not copied once more. */
    if (row->len >= BUNDLE_BYTES / 2) {
        bundle_flush(bundle, parts);
        checkpoint_add(parts, row);
        return;
    }
    if (!bundle->message)
        bundle->message = message_new(MESSAGE_IMAGE_BUNDLE);
    message_add_frame(bundle->message, row);
    bundle->bytes += row->len;
    if (bundle->message->n_frames >= rows_max || bundle->bytes >= BUNDLE_BYTES)
        bundle_flush(bundle, parts);
}

struct checkpoint *checkpoint_sink_bundle(const struct checkpoint_sink *sink, size_t rows_max)
{
    struct checkpoint *parts = checkpoint_new(0, 0);
    struct bundle bundle = {0};
    for (size_t i = 0; i < sink->n; i++)
        bundle_add(&bundle, parts, sink->at[i], rows_max);
    bundle_flush(&bundle, parts);
    return parts;
}
