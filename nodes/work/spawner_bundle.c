/* What a command has left, as one row of bytes (shared/tasks/bundle.h): so it is a few values that
 * are full, and not one for each file. What is copied goes at once: a disk has room for it once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/work/spawner_internal.h"
#include "shared/base/memory.h"
#include "shared/tasks/bundle.h"

#define READ_BYTES (64 * KIB_BYTES)

/* --- its parts --- */

static void add_head(struct stream *stream, struct command_result *result)
{
    struct command_bundle *bundle = &result->bundle;
    size_t room = 1, len = 0;
    for (size_t i = 0; i < result->n_files; i++)
        room += BUNDLE_ITEM_BYTES + strlen(result->files[i].name);
    uint8_t *head = mem_new(room, 1);
    for (size_t i = 0; i < result->n_files; i++) {
        const struct command_file *it = &result->files[i];
        struct bundle_file file = {slice_of(it->name), it->len, {0}, it->executable};
        memcpy(file.sha256, it->hash, HASH_BYTES);
        len += bundle_file_put(head + len, &file);
    }
    stream_add(stream, head, len);
    hash_bytes(head, len, bundle->head_hash);
    bundle->head_len = len;
    bundle->files = result->n_files;
    free(head);
}

/* Keeps the last bytes of what passes, as long as a line. */
static void keep_tail(char tail[TASK_LINE_MAX + 1], size_t *len, const uint8_t *at, size_t n)
{
    if (n > TASK_LINE_MAX) {
        at += n - TASK_LINE_MAX;
        n = TASK_LINE_MAX;
    }
    size_t stays = *len + n > TASK_LINE_MAX ? TASK_LINE_MAX - n : *len;
    memmove(tail, tail + (*len - stays), stays);
    memcpy(tail + stays, at, n);
    *len = stays + n;
}

/* Adds a file, which ends; 0 or an errno. */
static int add_file(struct stream *stream, struct command_file *file, char tail[TASK_LINE_MAX + 1],
                    size_t *tail_len)
{
    static uint8_t buffer[READ_BYTES];
    int fd = open(file->path, O_RDONLY | O_CLOEXEC), error = fd < 0 ? errno : 0;
    for (ssize_t n = 1; !error && n;) {
        n = read(fd, buffer, sizeof buffer);
        error = n < 0 && errno != EINTR ? errno : stream->error;
        if (n > 0) {
            stream_add(stream, buffer, (size_t)n);
            keep_tail(tail, tail_len, buffer, (size_t)n);
        }
    }
    if (fd >= 0)
        close(fd);
    unlink(file->path);
    free(file->path);
    file->path = NULL;
    return error;
}

/* The last line, without its end, as a text: from a byte 0 on it is cut. */
static void note_line(struct command_bundle *bundle, char *tail, size_t len)
{
    while (len && (tail[len - 1] == '\n' || tail[len - 1] == '\r'))
        len--;
    size_t from = len;
    while (from && tail[from - 1] != '\n')
        from--;
    tail[len] = '\0';
    text_format(bundle->err_line, sizeof bundle->err_line, "%s", tail + from);
}

static int add_output(struct stream *stream, struct command_output *output,
                      struct command_bundle *bundle, bool err)
{
    char tail[TASK_LINE_MAX + 1];
    size_t tail_len = 0;
    int error = 0;
    if (!output->n_pieces)
        return 0;
    for (size_t i = 0; i < output->n_pieces && !error; i++)
        error = add_file(stream, &output->pieces[i], tail, &tail_len);
    *(err ? &bundle->err_len : &bundle->out_len) = output->len;
    if (err)
        note_line(bundle, tail, tail_len);
    return error;
}

/* --- the bundle --- */

static void forget(struct command_file *files, size_t *n)
{
    for (size_t i = 0; i < *n; i++) {
        if (files[i].path)
            unlink(files[i].path);
        free(files[i].path);
        free(files[i].name);
    }
    *n = 0;
}

void bundle_make(struct run *run)
{
    struct command_result *result = run->result;
    struct command_bundle *bundle = &result->bundle;
    char tail[TASK_LINE_MAX + 1];
    size_t tail_len = 0;
    int error = 0;
    if (!result->n_files && !result->output[COMMAND_STDOUT].n_pieces &&
        !result->output[COMMAND_STDERR].n_pieces)
        return;
    struct stream stream = {.held = run->spawner->held[0], .outputs = run->spawner->config.outputs};
    text_format(stream.prefix, sizeof stream.prefix, "%s.all", run->prefix);
    stream_begin(&stream, -1, BUNDLE_PIECES_MAX * BUNDLE_PIECE_BYTES, &bundle->all);
    add_head(&stream, result);
    for (int i = 0; i < COMMAND_STREAMS && !error; i++)
        error = add_output(&stream, &result->output[i], bundle, i == COMMAND_STDERR);
    for (size_t i = 0; i < result->n_files && !error; i++)
        error = add_file(&stream, &result->files[i], tail, &tail_len);
    stream_end(&stream);
    error = error ? error : stream.error;
    for (int i = 0; i < COMMAND_STREAMS; i++)
        forget(result->output[i].pieces, &result->output[i].n_pieces);
    forget(result->files, &result->n_files);
    if (!error)
        return;
    forget(bundle->all.pieces, &bundle->all.n_pieces);
    blob_drop(&bundle->all.bytes);
    bundle->all.len = bundle->out_len = bundle->err_len = bundle->files = 0;
    run_fail(run, COMMAND_UNCOLLECTED, "cannot keep what it has left", error);
}
