#include "clients/map/task_bundle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "shared/tasks/bundle.h"

static int complain(struct text *why, const char *what)
{
    text_add(why, "what a task has left is damaged: %s", what);
    return ERR_CORRUPT;
}

/* --- bytes --- */

/* The chunk with the byte at `offset` of that value is here. */
static int want_chunk(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t op,
                      uint64_t offset, struct text *why)
{
    if (reader->chunk && reader->op == op && offset >= reader->offset &&
        offset - reader->offset < reader->chunk->len)
        return OK;
    blob_drop(&reader->chunk);
    int error = from->fetch(from->context, op, offset, &reader->chunk, why);
    if (!error && (!reader->chunk || !reader->chunk->len))
        return complain(why, "an empty part of it came");
    reader->op = op;
    reader->offset = offset;
    return error;
}

static int read_at(struct bundle_reader *reader, const struct bundle_fetch *from,
                   const struct task_bundle *bundle, uint64_t offset, uint8_t *at, size_t len,
                   struct text *why)
{
    if (offset > bundle->len || len > bundle->len - offset)
        return complain(why, "it is too short");
    if (!bundle->op) {
        memcpy(at, bundle->at.at + offset, len);
        return OK;
    }
    while (len) {
        uint64_t piece = offset / BUNDLE_PIECE_BYTES, within = offset % BUNDLE_PIECE_BYTES;
        int error = want_chunk(reader, from, bundle->op + piece, within, why);
        if (error)
            return error;
        size_t skip = (size_t)(within - reader->offset), n = reader->chunk->len - skip;
        n = n < len ? n : len;
        memcpy(at, reader->chunk->at + skip, n);
        at += n;
        offset += n;
        len -= n;
    }
    return OK;
}

int bundle_read_stream(struct bundle_reader *reader, const struct bundle_fetch *from,
                       const struct task_bundle *bundle, enum task_stream_kind kind,
                       uint64_t offset, uint8_t *at, size_t len, struct text *why)
{
    bool err = kind == TASK_STDERR;
    uint64_t start = bundle->head_len + (err ? bundle->out_len : 0);
    uint64_t kept = err ? bundle->err_len : bundle->out_len;
    if (offset > kept || len > kept - offset)
        return complain(why, "an output is too short");
    return read_at(reader, from, bundle, start + offset, at, len, why);
}

/* --- files --- */

static void forget_head(struct bundle_reader *reader)
{
    free(reader->head);
    free(reader->starts);
    free(reader->files);
    reader->head = NULL;
    reader->starts = NULL;
    reader->files = NULL;
    reader->n_files = 0;
    reader->task = 0;
}

/* All lie in the bundle, one after another. */
static int take_files(struct bundle_reader *reader, const struct task_bundle *bundle,
                      struct text *why)
{
    struct slice rest = {reader->head, (size_t)bundle->head_len};
    uint64_t start = bundle->head_len + bundle->out_len + bundle->err_len;
    while (rest.len && reader->n_files < bundle->files) {
        struct bundle_file *file = &reader->files[reader->n_files];
        bool fits = bundle_file_take(&rest, file) &&
                    (file->len <= bundle->len - start || MUTANT(files_beyond_bundle));
        if (!fits)
            return complain(why, "the list of its files");
        reader->starts[reader->n_files++] = start;
        start += file->len;
    }
    return rest.len || reader->n_files != bundle->files ? complain(why, "the number of its files")
                                                        : OK;
}

static int want_head(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t task,
                     const struct task_bundle *bundle, struct text *why)
{
    uint8_t hash[HASH_BYTES];
    if (reader->task == task)
        return OK;
    forget_head(reader);
    if (bundle->head_len > BUNDLE_PIECE_BYTES || bundle->files > TASK_FILES_MAX)
        return complain(why, "the list of its files is too long");
    reader->head = mem_new((size_t)bundle->head_len + 1, 1);
    reader->starts = mem_new((size_t)bundle->files + 1, sizeof *reader->starts);
    reader->files = mem_new((size_t)bundle->files + 1, sizeof *reader->files);
    int error = read_at(reader, from, bundle, 0, reader->head, (size_t)bundle->head_len, why);
    hash_bytes(reader->head, (size_t)bundle->head_len, hash);
    if (!error && memcmp(hash, bundle->head_hash, HASH_BYTES))
        error = complain(why, "the list of its files differs from its SHA-256");
    if (!error)
        error = take_files(reader, bundle, why);
    if (error)
        forget_head(reader);
    else
        reader->task = task;
    return error;
}

int bundle_file(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t task,
                const struct task_bundle *bundle, uint64_t file, struct task_source_file *out,
                struct text *why)
{
    int error = want_head(reader, from, task, bundle, why);
    if (error)
        return error;
    if (file >= reader->n_files)
        return complain(why, "it has no such file");
    const struct bundle_file *it = &reader->files[file];
    if (it->path.len > TASK_PATH_MAX || memchr(it->path.at, '\0', it->path.len))
        return complain(why, "the path of a file is not valid");
    *out = (struct task_source_file){.len = it->len, .executable = it->executable};
    slice_copy(out->path, it->path);
    memcpy(out->sha256, it->sha256, HASH_BYTES);
    return OK;
}

int bundle_read_file(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t task,
                     const struct task_bundle *bundle, uint64_t file, uint64_t offset, uint8_t *at,
                     size_t len, struct text *why)
{
    int error = want_head(reader, from, task, bundle, why);
    if (error)
        return error;
    if (file >= reader->n_files || offset > reader->files[file].len ||
        len > reader->files[file].len - offset)
        return complain(why, "a file is too short");
    return read_at(reader, from, bundle, reader->starts[file] + offset, at, len, why);
}

void bundle_reader_clear(struct bundle_reader *reader)
{
    forget_head(reader);
    blob_drop(&reader->chunk);
}
