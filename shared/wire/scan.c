#include <string.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"

/* The format bytes are those of the msgpack specification, section "Formats". */

struct scanner {
    const uint8_t *at;
    size_t left;
    uint32_t elements; /* seen so far, in all */
};

/* One open container: how many objects it still expects. */
struct level {
    uint64_t expected;
};

static bool take_number(struct scanner *scanner, size_t width, uint64_t *out)
{
    if (scanner->left < width)
        return false;
    *out = 0;
    for (size_t i = 0; i < width; i++)
        *out = *out << 8 | scanner->at[i];
    scanner->at += width;
    scanner->left -= width;
    return true;
}

static bool skip(struct scanner *scanner, uint64_t len)
{
    if (scanner->left < len)
        return false;
    scanner->at += len;
    scanner->left -= (size_t)len;
    return true;
}

/* Reads a length of `width` bytes and skips it plus `more`. */
static bool skip_sized(struct scanner *scanner, size_t width, size_t more)
{
    uint64_t len;
    return take_number(scanner, width, &len) && skip(scanner, len + more);
}

/* Reads one object's head and its scalar body; *children is how many objects follow inside it. */
static bool scan_head(struct scanner *scanner, uint64_t *children)
{
    uint64_t byte;
    *children = 0;
    if (!take_number(scanner, 1, &byte))
        return false;
    if (byte <= 0x7f || byte >= 0xe0) /* fixint */
        return true;
    if (byte <= 0x8f) { /* fixmap */
        *children = 2 * (byte & 0x0f);
        return true;
    }
    if (byte <= 0x9f) { /* fixarray */
        *children = byte & 0x0f;
        return true;
    }
    if (byte <= 0xbf) /* fixstr */
        return skip(scanner, byte & 0x1f);
    switch (byte) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: /* true */
        return true;
    case 0xc4: /* bin 8, 16, 32 */
    case 0xc5:
    case 0xc6:
        return skip_sized(scanner, (size_t)1 << (byte - 0xc4), 0);
    case 0xc7: /* ext 8, 16, 32 */
    case 0xc8:
    case 0xc9:
        return skip_sized(scanner, (size_t)1 << (byte - 0xc7), 1);
    case 0xca: /* float 32 */
        return skip(scanner, 4);
    case 0xcb: /* float 64 */
        return skip(scanner, 8);
    case 0xcc: /* uint 8, 16, 32, 64 */
    case 0xcd:
    case 0xce:
    case 0xcf:
        return skip(scanner, (size_t)1 << (byte - 0xcc));
    case 0xd0: /* int 8, 16, 32, 64 */
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return skip(scanner, (size_t)1 << (byte - 0xd0));
    case 0xd4: /* fixext 1, 2, 4, 8, 16 */
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return skip(scanner, 1 + ((size_t)1 << (byte - 0xd4)));
    case 0xd9: /* str 8, 16, 32 */
    case 0xda:
    case 0xdb:
        return skip_sized(scanner, (size_t)1 << (byte - 0xd9), 0);
    case 0xdc: /* array 16, 32 */
    case 0xdd:
        return take_number(scanner, byte == 0xdc ? 2 : 4, children);
    case 0xde: /* map 16, 32 */
    case 0xdf:
        if (!take_number(scanner, byte == 0xde ? 2 : 4, children))
            return false;
        *children *= 2;
        return true;
    default: /* 0xc1 is never used */
        return false;
    }
}

static int refuse(struct text *why, int error, const char *what)
{
    text_add(why, "%s", what);
    return error;
}

int codec_scan(struct slice frame, struct text *why)
{
    struct scanner scanner = {.at = frame.at, .left = frame.len};
    struct level levels[MSGPACK_DEPTH_MAX];
    size_t depth = 0;
    if (frame.len > FRAME_MAP_MAX_BYTES)
        return refuse(why, ERR_TOO_BIG, "the first frame is larger than 64 KiB");
    do {
        uint64_t children;
        if (!scan_head(&scanner, &children))
            return refuse(why, ERR_MALFORMED, "the first frame is not msgpack, or is cut short");
        if (depth)
            levels[depth - 1].expected--;
        if (children > scanner.left)
            return refuse(why, ERR_MALFORMED,
                          "a msgpack container claims more elements than there are bytes");
        scanner.elements += (uint32_t)children;
        if (scanner.elements > MSGPACK_ELEMENTS_MAX)
            return refuse(why, ERR_TOO_BIG, "too many msgpack elements");
        if (children) {
            if (depth == MSGPACK_DEPTH_MAX)
                return refuse(why, ERR_TOO_BIG, "msgpack containers are nested too deeply");
            levels[depth++].expected = children;
        }
        while (depth && !levels[depth - 1].expected)
            depth--;
    } while (depth);
    if (scanner.left)
        return refuse(why, ERR_MALFORMED, "bytes are left over after the msgpack object");
    return OK;
}

/* Skips one whole object, with all that is in it. */
static bool skip_object(struct scanner *scanner)
{
    for (uint64_t left = 1, children; left; left += children - 1)
        if (!scan_head(scanner, &children) || children > scanner->left)
            return false;
    return true;
}

bool codec_find_number(struct slice frame, const char *name, uint64_t *out)
{
    struct scanner scanner = {.at = frame.at, .left = frame.len};
    size_t len = strlen(name);
    uint64_t children;
    if (!frame.len || !(*frame.at >> 4 == 0x8 || *frame.at == 0xde || *frame.at == 0xdf) ||
        !scan_head(&scanner, &children))
        return false;
    for (; children; children -= 2) {
        const uint8_t *key = scanner.at;
        if (!skip_object(&scanner))
            return false;
        /* A short text: its length in the first byte. */
        bool found = *key == (0xa0 | len) && !memcmp(key + 1, name, len);
        const uint8_t *value = scanner.at;
        if (!skip_object(&scanner))
            return false;
        if (!found)
            continue;
        struct scanner number = {.at = value + 1, .left = (size_t)(scanner.at - value) - 1};
        *out = *value;
        return *value <= 0x7f || (*value >= 0xcc && *value <= 0xcf &&
                                  take_number(&number, (size_t)1 << (*value - 0xcc), out));
    }
    return false;
}
