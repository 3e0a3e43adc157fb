/* codec.h - messages as msgpack: encode, pre-scan, decode, print. The only door to msgpack.
 *
 * Decoding trusts nothing: the pre-scan walks the bytes without allocating and refuses depth beyond
 * MSGPACK_DEPTH_MAX, counts beyond the bytes that are left or MSGPACK_ELEMENTS_MAX, and bytes left
 * over. */
#ifndef CONCLAVE_WIRE_CODEC_H
#define CONCLAVE_WIRE_CODEC_H

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* An encoder's reusable buffer. Zero-initialize. */
struct codec_buffer {
    size_t len, size;
    uint8_t *at;
};

/* Encodes frame 0 into the buffer, replacing what is there. ERR_TOO_BIG when it exceeds
 * FRAME_MAP_MAX_BYTES or a field its limit: a programming error or a refusable request, never sent.
 * The further frames are the message's own. */
int codec_encode(const struct message *message, struct codec_buffer *out);

void codec_buffer_clear(struct codec_buffer *buffer);

/* Checks that the frame is one complete msgpack object within the limits. ERR_MALFORMED or
 * ERR_TOO_BIG with one line in `why`. Allocates nothing. */
int codec_scan(struct slice frame, struct text *why);

/* Finds a number of the map, by its name of less than 32 bytes, and decodes nothing else. false: it
 * has none, or is no map. Allocates nothing. */
bool codec_find_number(struct slice frame, const char *name, uint64_t *out);

/* Decodes frame 0 into a new message (caller drops); copies all that it keeps. The caller adds the
 * further frames. ERR_MALFORMED, ERR_TOO_BIG or ERR_RANGE with one line in `why` that names the
 * message and the field. */
int codec_decode(struct slice frame, struct message **out, struct text *why);

/* Packs a message with its further frames into one run of bytes, for the log and checkpoints:
 * per frame a little-endian 32-bit length and the bytes. NULL when the message cannot be encoded
 * (see codec_encode()). */
struct blob *codec_pack(const struct message *message);

/* Takes such bytes apart again (caller drops). Errors as codec_decode(). */
int codec_unpack(struct slice packed, struct message **out, struct text *why);

/* The same, and the frames are parts of `packed`, which they hold, instead of copies. */
int codec_unpack_shared(struct blob *packed, struct message **out, struct text *why);

/* Appends the message as one readable line: type{field=value, ...}. Strangers' bytes
 * are escaped. */
void codec_print(const struct message *message, struct text *out);

#endif
