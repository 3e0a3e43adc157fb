#include "clients/input/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define READ_BYTES ((size_t)262144)

void content_clear(struct content *content)
{
    spool_clear(&content->spool);
    free(content->segments);
    *content = (struct content){.spool.fd = -1};
}

static struct content_segment *add_segment(struct content *content, uint64_t offset)
{
    if (content->n_segments == content->room) {
        content->room = content->room ? 2 * content->room : CONTENT_SEGMENTS;
        content->segments = mem_grow(content->segments, content->room, sizeof *content->segments);
    }
    struct content_segment *segment = &content->segments[content->n_segments++];
    *segment = (struct content_segment){.offset = offset};
    return segment;
}

/* --- parts --- */

static uint64_t aim_of(uint64_t len)
{
    uint64_t aim = (len + CONTENT_SEGMENTS - 1) / CONTENT_SEGMENTS;
    return aim < CONTENT_LEAST_BYTES  ? CONTENT_LEAST_BYTES
           : aim > CONTENT_MOST_BYTES ? CONTENT_MOST_BYTES
                                      : aim;
}

/* Where a part begins and ends: only the lengths are read. */
static int cut(struct content *content, bool each, char *why)
{
    uint64_t aim = aim_of(content->len);
    struct content_segment *segment = NULL;
    uint8_t window[4096];
    uint64_t held = 0; /* where the window begins */
    size_t n = 0;
    for (uint64_t at = 0, len; at < content->len; at += len) {
        if (!n || at < held || at + BYTES_LENGTH > held + n) {
            held = at;
            n = content->len - at < sizeof window ? (size_t)(content->len - at) : sizeof window;
            int error = spool_read(&content->spool, at, window, n, why);
            if (error)
                return error;
        }
        len = BYTES_LENGTH;
        for (size_t byte = 0; byte < BYTES_LENGTH; byte++)
            len += (uint64_t)window[at - held + byte] << 8 * byte;
        if (len > content->len - at) {
            text_format(why, TEXT_MAX, "what is to be stored as %s does not fit into its length",
                        content->format);
            return ERR_MALFORMED;
        }
        if (!segment || each || segment->len >= aim || segment->len + len > CONTENT_MOST_BYTES)
            segment = add_segment(content, at);
        segment->len += len;
        segment->items++;
        content->items++;
    }
    return OK;
}

static int hash_segments(struct content *content, char *why)
{
    uint8_t *at = mem_new(READ_BYTES, 1);
    int error = OK;
    for (size_t i = 0; i < content->n_segments && !error; i++) {
        struct content_segment *segment = &content->segments[i];
        struct hash_stream hash;
        hash_begin(&hash);
        for (uint64_t done = 0; done < segment->len && !error;) {
            uint64_t left = segment->len - done;
            size_t n = left < READ_BYTES ? (size_t)left : READ_BYTES;
            error = spool_read(&content->spool, segment->offset + done, at, n, why);
            if (!error)
                hash_add(&hash, at, n);
            done += n;
        }
        hash_end(&hash, segment->sha256);
    }
    free(at);
    return error;
}

static int take_parts(struct content *content, const char *format, struct spool *spool, bool each,
                      char *why)
{
    *content = (struct content){.format = format, .spool = *spool, .len = spool->len};
    *spool = (struct spool){.fd = -1};
    spool_hash(&content->spool, content->sha256);
    int error = cut(content, each, why);
    return error ? error : hash_segments(content, why);
}

int content_of_parts(struct content *content, const char *format, struct spool *spool, char *why)
{
    return take_parts(content, format, spool, false, why);
}

int content_of_each_part(struct content *content, const char *format, struct spool *spool,
                         char *why)
{
    return take_parts(content, format, spool, true, why);
}

/* --- bytes --- */

int content_of_spool(struct content *content, struct spool *spool, char *why)
{
    *content = (struct content){.format = "bytes", .spool = *spool, .len = spool->len};
    *spool = (struct spool){.fd = -1};
    spool_hash(&content->spool, content->sha256);
    for (uint64_t at = 0; at < content->len; at += CONTENT_MOST_BYTES) {
        uint64_t left = content->len - at;
        struct content_segment *segment = add_segment(content, at);
        segment->len = left < CONTENT_MOST_BYTES ? left : CONTENT_MOST_BYTES;
        segment->items = 1; /* each is an item of this format */
        content->items++;
    }
    return hash_segments(content, why);
}

/* What is read is hashed, whole and by segments. */
struct bytes {
    struct content *content;
    struct hash_stream whole, part;
};

static void end_segment(struct bytes *bytes)
{
    struct content *content = bytes->content;
    if (content->n_segments)
        hash_end(&bytes->part, content->segments[content->n_segments - 1].sha256);
}

static void take_bytes(struct bytes *bytes, const uint8_t *at, size_t len)
{
    struct content *content = bytes->content;
    hash_add(&bytes->whole, at, len);
    while (len) {
        struct content_segment *segment =
            content->n_segments ? &content->segments[content->n_segments - 1] : NULL;
        if (!segment || segment->len == CONTENT_MOST_BYTES) {
            end_segment(bytes);
            segment = add_segment(content, content->len);
            segment->items = 1; /* each is an item of this format */
            content->items++;
            hash_begin(&bytes->part);
        }
        uint64_t room = CONTENT_MOST_BYTES - segment->len;
        size_t n = len < room ? len : (size_t)room;
        hash_add(&bytes->part, at, n);
        segment->len += n;
        content->len += n;
        at += n;
        len -= n;
    }
}

/* As they are: the source is not asked whether they are packed. */
static int read_bytes(struct bytes *bytes, struct source *source, bool copy, char *why)
{
    uint8_t *at = mem_new(READ_BYTES, 1);
    int error = OK;
    for (size_t n = 1; n && !error;) {
        error = source->read(source, at, READ_BYTES, &n);
        if (error)
            text_format(why, TEXT_MAX, "%s", source->why.at);
        else if (interrupt_seen())
            error = ERR_INTERRUPTED;
        else
            take_bytes(bytes, at, n);
        if (!error && copy)
            error = spool_add(&bytes->content->spool, at, n, why);
    }
    free(at);
    return error;
}

int content_of_source(struct content *content, struct source *source, char *why)
{
    struct stat about;
    struct bytes bytes = {.content = content};
    bool copy = source->fd < 0 || fstat(source->fd, &about) || !S_ISREG(about.st_mode) ||
                lseek(source->fd, 0, SEEK_CUR) != 0;
    *content = (struct content){.format = "bytes", .spool.fd = -1};
    if (copy)
        spool_begin(&content->spool);
    hash_begin(&bytes.whole);
    int error = read_bytes(&bytes, source, copy, why);
    end_segment(&bytes);
    hash_end(&bytes.whole, content->sha256);
    if (!copy)
        spool_of_file(&content->spool, dup(source->fd), content->len);
    return error;
}

/* --- integers --- */

int content_of_integers(struct content *content, struct source *source, struct integers_rule *rule,
                        char *why)
{
    struct spool spool;
    struct integers integers;
    *content = (struct content){.spool.fd = -1};
    spool_begin(&spool);
    integers_begin(&integers, &spool);
    int error = integers_read(&integers, source, rule, why);
    integers_clear(&integers);
    if (!error && !rule->faults)
        error = content_of_parts(content, "integers", &spool, why);
    spool_clear(&spool);
    return error;
}
