#include "nodes/work/attempt_files.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

void attempt_files_drop(struct attempt_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        blob_drop(&files->at[i].bytes.blob);
    files->n = 0;
}

void attempt_files_clear(struct attempt_files *files)
{
    attempt_files_drop(files);
    free(files->at);
    free(files->names);
    *files = (struct attempt_files){0};
}

/* --- bytes --- */

/* Copies those of them that stand in the segment; returns how many. */
static size_t copy_from(const struct task_part *part, const struct blob *bytes, uint64_t offset,
                        uint8_t *at, size_t len)
{
    size_t skip = offset - part->offset, n = bytes->len - skip;
    n = n < len ? n : len;
    memcpy(at, bytes->at + skip, n);
    return n;
}

/* Within one segment nothing is copied. NULL: a segment is lacking. */
static struct blob *slice_of_parts(const struct task_order *order, struct blob *const *parts,
                                   uint64_t offset, size_t len)
{
    struct blob *out = NULL;
    size_t done = 0;
    for (size_t i = 0; i < order->n_parts && done < len; i++) {
        const struct task_part *part = &order->parts[i];
        uint64_t at = offset + done;
        if (!parts[i] || parts[i]->len != part->len || at < part->offset ||
            at - part->offset >= part->len)
            continue;
        if (!done && part->len - (at - part->offset) >= len)
            return blob_part(parts[i], (size_t)(at - part->offset), len);
        if (!out)
            out = blob_new(len);
        done += copy_from(part, parts[i], at, out->at + done, len - done);
    }
    if (done < len)
        blob_drop(&out);
    return out;
}

/* --- files --- */

static const char *add(struct attempt_files *files, char **names, struct slice path,
                       const struct task_file *file, const struct task_order *order,
                       struct blob *const *parts)
{
    struct command_input *input = &files->at[files->n];
    *input = (struct command_input){.name = *names, .executable = file->executable};
    memcpy(*names, path.at, path.len);
    (*names)[path.len] = '\0';
    *names += path.len + 1;
    if (file->len)
        input->bytes.blob = slice_of_parts(order, parts, file->offset, (size_t)file->len);
    if (file->len && !input->bytes.blob)
        return "its files are not where its record says";
    files->n++;
    return NULL;
}

/* False: they are more than a task may have. */
static bool fit(const struct wire_task_spec *spec, const struct task_record *record)
{
    uint64_t sum = record->has_file ? record->file.len : 0;
    for (size_t i = 0; i < spec->uploads.n && sum <= TASK_INPUT_BYTES_MAX; i++)
        sum = spec->uploads.at[i].len <= TASK_INPUT_BYTES_MAX ? sum + spec->uploads.at[i].len
                                                              : UINT64_MAX;
    return sum <= TASK_INPUT_BYTES_MAX;
}

static void make_room(struct attempt_files *files, const struct wire_task_spec *spec,
                      const struct task_record *record)
{
    size_t n = spec->uploads.n + record->has_file;
    size_t bytes = record->has_file ? record->inputs[0].len + 1 : 0;
    for (size_t i = 0; i < spec->uploads.n; i++)
        bytes += spec->uploads.at[i].path.len + 1;
    if (n > files->room) {
        files->room = n;
        files->at = mem_grow(files->at, n, sizeof *files->at);
    }
    files->names = mem_grow(files->names, bytes + 1, 1);
}

const char *attempt_files_make(struct attempt_files *files, const struct wire_task_spec *spec,
                               const struct task_record *record, const struct task_order *order,
                               struct blob *const parts[TASK_PARTS_MAX])
{
    const char *why = NULL;
    if (!fit(spec, record))
        return "its files are more than 64 MiB";
    make_room(files, spec, record);
    char *names = files->names;
    for (size_t i = 0; i < spec->uploads.n && !why; i++) {
        const struct wire_spec_file *it = &spec->uploads.at[i];
        struct task_file file = {.offset = it->offset,
                                 .len = it->len,
                                 .executable = it->executable};
        why = add(files, &names, it->path, &file, order, parts);
    }
    if (record->has_file && !why)
        why = add(files, &names, record->inputs[0], &record->file, order, parts);
    return why;
}
