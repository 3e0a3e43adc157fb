#include "clients/input/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "clients/ask/interrupt.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define PACKED_BYTES 65536      /* read at a time, and held */
#define GZIP_WINDOW  (16 + 15)  /* of inflateInit2: gzip alone, any window */
#define MAGIC        "\x1f\x8b" /* RFC 1952, 2.3.1 */
#define MAGIC_BYTES  2

struct source_gzip {
    bool packed, ended; /* ended: the reader brings no more */
    bool between;       /* a member has ended, and none has begun */
    z_stream stream;
    uint8_t in[PACKED_BYTES];
    size_t at, len; /* of `in`, not taken yet */
};

/* --- what may be read --- */

static int read_fd(struct source *source, void *at, size_t len, size_t *got)
{
    for (;;) {
        ssize_t n = read(source->fd, at, len);
        if (n >= 0) {
            *got = (size_t)n;
            return OK;
        }
        if (errno != EINTR) {
            text_add(&source->why, "cannot read %s: %s", source->name, strerror(errno));
            return ERR_IO;
        }
        if (interrupt_seen())
            return ERR_INTERRUPTED;
    }
}

static int read_memory(struct source *source, void *at, size_t len, size_t *got)
{
    *got = source->memory.len < len ? source->memory.len : len;
    if (*got)
        memcpy(at, source->memory.at, *got);
    source->memory.at += *got;
    source->memory.len -= *got;
    return OK;
}

void source_of_reader(struct source *source, const char *name, source_reader *read, void *context)
{
    *source = (struct source){.read = read, .context = context, .fd = -1};
    text_escape(source->name, sizeof source->name, slice_of(name));
}

void source_of_memory(struct source *source, const char *name, struct slice bytes)
{
    source_of_reader(source, name, read_memory, NULL);
    source->memory = bytes;
}

void source_of_descriptor(struct source *source, const char *name, int fd)
{
    source_of_reader(source, name, read_fd, NULL);
    source->fd = fd;
}

int source_open(struct source *source, const char *path, char *why)
{
    bool is_stdin = !strcmp(path, "-");
    struct stat about;
    source_of_descriptor(source, is_stdin ? "stdin" : path,
                         is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (source->fd >= 0 && !fstat(source->fd, &about) && S_ISDIR(about.st_mode)) {
        source_close(source);
        errno = EISDIR;
    }
    if (source->fd >= 0)
        return OK;
    text_format(why, TEXT_MAX, "cannot read %s: %s", source->name, strerror(errno));
    return ERR_IO;
}

void source_close(struct source *source)
{
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    if (source->gunzip && source->gunzip->packed)
        inflateEnd(&source->gunzip->stream);
    free(source->gunzip);
    source->gunzip = NULL;
    source->fd = -1;
}

/* --- gzip --- */

static int fill(struct source *source)
{
    struct source_gzip *gzip = source->gunzip;
    size_t got = 0;
    if (gzip->at) {
        memmove(gzip->in, gzip->in + gzip->at, gzip->len);
        gzip->at = 0;
    }
    if (gzip->ended || gzip->len == PACKED_BYTES)
        return OK;
    int error = source->read(source, gzip->in + gzip->len, PACKED_BYTES - gzip->len, &got);
    gzip->len += got;
    gzip->ended = !error && !got;
    return error;
}

/* Looks at the first bytes. */
static int begin(struct source *source)
{
    struct source_gzip *gzip = source->gunzip = mem_new(1, sizeof *source->gunzip);
    int error = OK;
    while (!error && !gzip->ended && gzip->len < MAGIC_BYTES)
        error = fill(source);
    if (error || gzip->len < MAGIC_BYTES || memcmp(gzip->in, MAGIC, MAGIC_BYTES))
        return error;
    if (inflateInit2(&gzip->stream, GZIP_WINDOW) != Z_OK)
        panic("zlib cannot begin");
    gzip->packed = true;
    return OK;
}

static int damaged(struct source *source, const char *what)
{
    text_add(&source->why, "%s: the gzip data %s", source->name, what);
    return ERR_CORRUPT;
}

/* Members follow each other (RFC 1952, 2.2); zeros after the last one are what tapes and some tools
 * fill up with. */
static int next_member(struct source *source, bool *more)
{
    struct source_gzip *gzip = source->gunzip;
    int error = OK;
    *more = false;
    for (;;) {
        while (!error && !gzip->ended && gzip->len < MAGIC_BYTES)
            error = fill(source);
        while (gzip->len && !gzip->in[gzip->at]) {
            gzip->at++;
            gzip->len--;
        }
        if (error || (gzip->ended && !gzip->len))
            return error;
        if (gzip->len >= MAGIC_BYTES || gzip->ended)
            break;
    }
    if (gzip->len < MAGIC_BYTES || memcmp(gzip->in + gzip->at, MAGIC, MAGIC_BYTES))
        return damaged(source, "are followed by something else");
    inflateReset(&gzip->stream);
    gzip->between = false;
    *more = true;
    return OK;
}

static int read_packed(struct source *source, void *at, size_t len, size_t *got)
{
    struct source_gzip *gzip = source->gunzip;
    gzip->stream.next_out = at;
    gzip->stream.avail_out = (uInt)(len < PACKED_BYTES ? len : PACKED_BYTES);
    size_t wanted = gzip->stream.avail_out;
    while (gzip->stream.avail_out == wanted) {
        bool more = true;
        int error = gzip->between ? next_member(source, &more) : gzip->len ? OK : fill(source);
        if (error || !more)
            return error;
        if (!gzip->len)
            return damaged(source, "end too early");
        gzip->stream.next_in = gzip->in + gzip->at;
        gzip->stream.avail_in = (uInt)gzip->len;
        int outcome = inflate(&gzip->stream, Z_NO_FLUSH);
        gzip->at += gzip->len - gzip->stream.avail_in;
        gzip->len = gzip->stream.avail_in;
        if (outcome != Z_OK && outcome != Z_STREAM_END)
            return damaged(source, "are damaged");
        gzip->between = outcome == Z_STREAM_END;
    }
    *got = wanted - gzip->stream.avail_out;
    return OK;
}

int source_read(struct source *source, void *at, size_t len, size_t *got)
{
    *got = 0;
    int error = source->gunzip ? OK : begin(source);
    if (error)
        return error;
    struct source_gzip *gzip = source->gunzip;
    if (gzip->packed)
        return read_packed(source, at, len, got);
    if (!gzip->len)
        return source->read(source, at, len, got);
    *got = gzip->len < len ? gzip->len : len; /* what was looked at */
    memcpy(at, gzip->in + gzip->at, *got);
    gzip->at += *got;
    gzip->len -= *got;
    return OK;
}
