/* fuzz_codec.c - libFuzzer on the codec (X6): whatever the bytes are, decoding ends, and what comes
 * out can be printed, encoded, and decoded to the same again.
 *
 *   make test-fuzz FUZZ_SECONDS=60    on a corpus made from every message
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void again(const struct message *message)
{
    struct codec_buffer first = {0}, second = {0};
    struct message *copy;
    struct text why = {0}, line = {0};
    codec_print(message, &line);
    assert(strlen(line.at) == line.len);
    assert(codec_encode(message, &first) == OK);
    assert(codec_decode((struct slice){first.at, first.len}, &copy, &why) == OK);
    assert(codec_encode(copy, &second) == OK);
    assert(first.len == second.len && !memcmp(first.at, second.at, first.len));
    message_drop(&copy);
    codec_buffer_clear(&first);
    codec_buffer_clear(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct message *message;
    struct text why = {0}, scan_why = {0};
    int scanned = codec_scan((struct slice){at, len}, &scan_why);
    int error = codec_decode((struct slice){at, len}, &message, &why);
    assert(!scanned || error == scanned);
    assert(!error == (message != NULL) && !error == !why.len);
    if (message)
        again(message);
    message_drop(&message);
    return 0;
}
