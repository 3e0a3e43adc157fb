#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

struct blob *codec_pack(const struct message *message)
{
    struct codec_buffer buffer = {0};
    struct blob *packed = NULL;
    if (!codec_encode(message, &buffer)) {
        size_t len = BYTES_LENGTH + buffer.len;
        for (size_t i = 0; i < message->n_frames; i++)
            len += BYTES_LENGTH + message->frames[i]->len;
        packed = blob_new(len);
        uint8_t *at = packed->at;
        at += bytes_put_part(at, buffer.at, buffer.len);
        for (size_t i = 0; i < message->n_frames; i++)
            at += bytes_put_part(at, message->frames[i]->at, message->frames[i]->len);
    }
    codec_buffer_clear(&buffer);
    return packed;
}

static int take_part(struct slice *rest, struct slice *part, struct text *why)
{
    if (bytes_take_part(rest, part))
        return OK;
    text_add(why, "packed frames are cut short");
    return ERR_MALFORMED;
}

/* `whole`: what is packed, to hold on to; NULL: frames are copied. */
static int unpack(struct slice packed, struct blob *whole, struct message **out, struct text *why)
{
    struct slice part;
    *out = NULL;
    int error = take_part(&packed, &part, why);
    if (!error)
        error = codec_decode(part, out, why);
    while (!error && packed.len) {
        error = take_part(&packed, &part, why);
        if (!error && (*out)->n_frames == MESSAGE_FRAMES_MAX) {
            text_add(why, "too many packed frames");
            error = ERR_TOO_BIG;
        }
        if (error)
            break;
        struct blob *frame = whole ? blob_part(whole, (size_t)(part.at - whole->at), part.len)
                                   : blob_copy(part.at, part.len);
        message_add_frame(*out, frame);
        blob_drop(&frame);
    }
    if (error)
        message_drop(out);
    return error;
}

int codec_unpack(struct slice packed, struct message **out, struct text *why)
{
    return unpack(packed, NULL, out, why);
}

int codec_unpack_shared(struct blob *packed, struct message **out, struct text *why)
{
    return unpack((struct slice){packed->at, packed->len}, packed, out, why);
}
