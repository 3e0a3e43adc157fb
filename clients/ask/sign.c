#include "clients/ask/sign.h"

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/bus/signature.h"
#include "shared/wire/codec.h"

/* No request has frames of its own: its only one is the signature. */
#define SIGNATURE_PLACE 0

bool sign_is_needed(enum message_type type)
{
    return type == MESSAGE_INIT || type == MESSAGE_SNAPSHOT_TAKE || type == MESSAGE_SNAPSHOT_GET ||
           type == MESSAGE_SNAPSHOT_VALUE || type == MESSAGE_ACCESS_SET ||
           type == MESSAGE_SUBMIT_COMMANDS;
}

/* Greater than all before: of two programs with one key that began at the same count, the clock
 * tells them apart. It need not be right. */
static uint64_t next_counter(const struct sign *sign)
{
    uint64_t by_clock = clock_wall_ms() * MS_US;
    return by_clock > sign->counter ? by_clock : sign->counter + 1;
}

static void put_frame(struct message *request, struct blob *frame)
{
    if (request->n_frames > SIGNATURE_PLACE) {
        blob_drop(&request->frames[SIGNATURE_PLACE]);
        request->frames[SIGNATURE_PLACE] = blob_ref(frame);
    } else {
        message_add_frame(request, frame);
    }
    blob_drop(&frame);
}

void sign_request(struct sign *sign, const struct access *access, struct message *request)
{
    uint8_t frame[SIGNATURE_FRAME];
    struct codec_buffer bytes = {0};
    if (!access || !access->signing_secret || !sign_is_needed(request->type))
        return;
    if (!sign->node || codec_encode(request, &bytes)) {
        put_frame(request, blob_copy("", 0));
        codec_buffer_clear(&bytes);
        return;
    }
    sign->counter = next_counter(sign);
    const struct slice body = {bytes.at, bytes.len};
    const struct signed_request what = {.cluster = access->cluster,
                                        .public_key = access->public_key,
                                        .node = sign->node,
                                        .incarnation = sign->incarnation,
                                        .counter = sign->counter,
                                        .frames = &body,
                                        .n = 1};
    signature_make(&what, access->signing_secret, frame);
    put_frame(request, blob_copy(frame, sizeof frame));
    codec_buffer_clear(&bytes);
}

bool sign_take(struct sign *sign, const struct message *answer)
{
    const struct wire_error *error = &answer->as.error;
    if (answer->type != MESSAGE_ERROR || !slice_equals(error->code, "unsigned") || !error->node)
        return false;
    bool same = sign->node == error->node && sign->incarnation == error->incarnation;
    uint64_t counter = same && sign->counter > error->counter ? sign->counter : error->counter;
    *sign = (struct sign){(node_id_t)error->node, error->incarnation, counter};
    return true;
}
