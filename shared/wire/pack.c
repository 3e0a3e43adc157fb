#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

#define LENGTH_BYTES 4

static void put_part(uint8_t **at, const void *bytes, size_t len)
{
    for (int i = 0; i < LENGTH_BYTES; i++)
        *(*at)++ = (uint8_t)(len >> 8 * i);
    if (len)
        memcpy(*at, bytes, len);
    *at += len;
}

struct blob *codec_pack(const struct message *message)
{
    struct codec_buffer buffer = {0};
    struct blob *packed = NULL;
    if (!codec_encode(message, &buffer)) {
        size_t len = LENGTH_BYTES + buffer.len;
        for (size_t i = 0; i < message->n_frames; i++)
            len += LENGTH_BYTES + message->frames[i]->len;
        packed = blob_new(len);
        uint8_t *at = packed->at;
        put_part(&at, buffer.at, buffer.len);
        for (size_t i = 0; i < message->n_frames; i++)
            put_part(&at, message->frames[i]->at, message->frames[i]->len);
    }
    codec_buffer_clear(&buffer);
    return packed;
}

static int take_part(struct slice *rest, struct slice *part, struct text *why)
{
    size_t len = 0;
    for (size_t i = 0; i < LENGTH_BYTES && i < rest->len; i++)
        len |= (size_t)rest->at[i] << 8 * i;
    if (rest->len < LENGTH_BYTES || rest->len - LENGTH_BYTES < len) {
        text_add(why, "packed frames are cut short");
        return ERR_MALFORMED;
    }
    *part = (struct slice){rest->at + LENGTH_BYTES, len};
    rest->at += LENGTH_BYTES + len;
    rest->len -= LENGTH_BYTES + len;
    return OK;
}

int codec_unpack(struct slice packed, struct message **out, struct text *why)
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
        struct blob *frame = blob_copy(part.at, part.len);
        message_add_frame(*out, frame);
        blob_drop(&frame);
    }
    if (error)
        message_drop(out);
    return error;
}
