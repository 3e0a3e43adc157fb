#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "nodes/work/spawner_internal.h"
#include "shared/base/memory.h"

#define READ_BYTES (64 * KIB_BYTES) /* what a pipe holds */
#define PIECES_MAX 1024             /* of a stream: 8 GiB */

void stream_begin(struct stream *stream, int fd, uint64_t limit, struct command_output *output)
{
    uint64_t most = PIECES_MAX * COMMAND_PIECE_BYTES;
    stream->fd = fd;
    stream->limit = limit < most ? limit : most;
    stream->output = output;
    stream->n_held = 0;
    stream->piece_fd = -1;
    stream->error = 0;
    hash_begin(&stream->hash);
}

static void end_piece(struct stream *stream)
{
    struct command_file *piece = &stream->output->pieces[stream->output->n_pieces - 1];
    if (stream->piece_fd < 0)
        return;
    hash_end(&stream->piece_hash, piece->hash);
    if (close(stream->piece_fd) && !stream->error)
        stream->error = errno;
    stream->piece_fd = -1;
}

static void begin_piece(struct stream *stream)
{
    struct command_output *output = stream->output;
    char path[SPAWNER_PATH_ROOM];
    output->pieces = mem_grow(output->pieces, output->n_pieces + 1, sizeof *output->pieces);
    text_format(path, sizeof path, "%s/%s.%zu", stream->outputs, stream->prefix, output->n_pieces);
    stream->piece_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (stream->piece_fd < 0) {
        stream->error = errno;
        return;
    }
    output->pieces[output->n_pieces++] = (struct command_file){.path = mem_string(path)};
    hash_begin(&stream->piece_hash);
}

/* To the pieces, a new one when one is full. */
static void write_pieces(struct stream *stream, const uint8_t *at, size_t len)
{
    while (len && !stream->error) {
        if (stream->piece_fd < 0)
            begin_piece(stream);
        if (stream->error)
            return;
        struct command_file *piece = &stream->output->pieces[stream->output->n_pieces - 1];
        uint64_t room = COMMAND_PIECE_BYTES - piece->len;
        ssize_t n = write(stream->piece_fd, at, len < room ? len : (size_t)room);
        if (n < 0 && errno != EINTR)
            stream->error = errno;
        if (n <= 0)
            continue;
        hash_add(&stream->piece_hash, at, (size_t)n);
        piece->len += (uint64_t)n;
        at += n;
        len -= (size_t)n;
        if (piece->len == COMMAND_PIECE_BYTES)
            end_piece(stream);
    }
}

void stream_add(struct stream *stream, const uint8_t *at, size_t len)
{
    struct command_output *output = stream->output;
    uint64_t left = stream->limit - output->len;
    size_t kept = len < left ? len : (size_t)left;
    output->total += len;
    if (!kept || stream->error)
        return;
    if (!output->n_pieces && stream->n_held + kept <= COMMAND_INLINE_MAX_BYTES) {
        memcpy(stream->held + stream->n_held, at, kept);
        stream->n_held += kept;
    } else {
        if (!output->n_pieces) /* what was held goes first */
            write_pieces(stream, stream->held, stream->n_held);
        write_pieces(stream, at, kept);
    }
    if (!stream->error) {
        hash_add(&stream->hash, at, kept);
        output->len += kept;
    }
}

void stream_read(struct stream *stream)
{
    static uint8_t buffer[READ_BYTES];
    ssize_t n = read(stream->fd, buffer, sizeof buffer);
    if (n > 0) {
        stream_add(stream, buffer, (size_t)n);
        return;
    }
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    close(stream->fd);
    stream->fd = -1;
}

void stream_end(struct stream *stream)
{
    struct command_output *output = stream->output;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    if (!output)
        return;
    if (output->n_pieces)
        end_piece(stream);
    else
        output->bytes = blob_copy(stream->held, stream->n_held);
    output->cut = output->total > output->len;
    hash_end(&stream->hash, output->hash);
}
