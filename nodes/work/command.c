#include "nodes/work/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"

const char *command_end_text(enum command_end end)
{
    static const char *const texts[] = {
#define X(symbol, text) [symbol] = text,
        COMMAND_ENDS(X)
#undef X
    };
    return (unsigned)end < COMMAND_ENDS_COUNT ? texts[end] : "unknown";
}

static void free_files(struct command_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (files[i].path)
            unlink(files[i].path);
        free(files[i].path);
        free(files[i].name);
    }
    free(files);
}

static int read_piece(const struct command_file *piece, uint8_t *at)
{
    int fd = open(piece->path, O_RDONLY | O_CLOEXEC);
    for (size_t done = 0; fd >= 0 && done < piece->len;) {
        ssize_t n = read(fd, at + done, (size_t)piece->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return ERR_IO;
        }
        done += (size_t)n;
    }
    return fd < 0 || close(fd) ? ERR_IO : OK;
}

int command_result_join(struct command_result *result)
{
    struct command_output *output = &result->output[COMMAND_STDOUT];
    struct blob *part = blob_new(BYTES_LENGTH + output->len);
    uint8_t *at = part->at + BYTES_LENGTH;
    uint8_t hash[HASH_BYTES];
    int error = OK;
    if (output->bytes && output->len)
        memcpy(at, output->bytes->at, output->len);
    for (size_t i = 0; i < output->n_pieces && !error; i++) {
        error = read_piece(&output->pieces[i], at);
        at += output->pieces[i].len;
    }
    bytes_put_length(part->at, output->len);
    free_files(output->pieces, output->n_pieces);
    output->pieces = NULL;
    output->n_pieces = 0;
    blob_drop(&output->bytes);
    if (error) {
        blob_drop(&part);
        output->bytes = blob_new(0);
        result->end = COMMAND_DISK_FULL;
        text_format(result->error, sizeof result->error, "its output cannot be read back");
        return error;
    }
    hash_bytes(part->at, part->len, hash);
    blob_set_hash(part, hash);
    output->bytes = part;
    return OK;
}

void command_result_free(struct command_result *result)
{
    if (!result)
        return;
    for (int i = 0; i < COMMAND_STREAMS; i++) {
        blob_drop(&result->output[i].bytes);
        free_files(result->output[i].pieces, result->output[i].n_pieces);
    }
    free_files(result->files, result->n_files);
    blob_drop(&result->bundle.all.bytes);
    free_files(result->bundle.all.pieces, result->bundle.all.n_pieces);
    free(result);
}
