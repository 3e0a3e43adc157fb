#include "nodes/work/attempt_files.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/base/slice.h"

void attempt_files_clear(struct attempt_files *files)
{
    free(files->at);
    free(files->slices);
    free(files->names);
    *files = (struct attempt_files){0};
}

/* Adds the parts of segments that these bytes are; returns how many. 0: one is lacking. */
static size_t add_slices(struct attempt_files *files, const struct task_order *order,
                         const char *const *parts, uint64_t offset, uint64_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < order->n_parts && len; i++) {
        const struct task_part *part = &order->parts[i];
        if (!parts[i] || offset < part->offset || offset - part->offset >= part->len)
            continue;
        uint64_t skip = offset - part->offset, left = part->len - skip;
        uint64_t take = left < len ? left : len;
        files->slices[files->n_slices + n++] =
            (struct command_slice){.path = parts[i], .offset = skip, .len = take};
        offset += take;
        len -= take;
    }
    return len ? 0 : n;
}

static const char *add(struct attempt_files *files, char **names, struct slice path,
                       const struct task_file *file, const struct task_order *order,
                       const char *const *parts)
{
    struct command_input *input = &files->at[files->n++];
    *input = (struct command_input){.name = *names, .executable = file->executable};
    slice_copy(*names, path);
    (*names)[path.len] = '\0';
    *names += path.len + 1;
    if (!file->len)
        return NULL;
    size_t n = add_slices(files, order, parts, file->offset, file->len);
    input->bytes = (struct command_bytes){.slices = files->slices + files->n_slices, .n_slices = n};
    files->n_slices += n;
    return n ? NULL : "its files are not where its record says";
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
                      const struct task_record *record, const struct task_order *order)
{
    size_t n = spec->uploads.n + record->has_file;
    size_t bytes = record->has_file ? record->inputs[0].len + 1 : 0;
    for (size_t i = 0; i < spec->uploads.n; i++)
        bytes += spec->uploads.at[i].path.len + 1;
    if (n > files->room) {
        files->room = n;
        files->at = mem_grow(files->at, n, sizeof *files->at);
    }
    /* Files that follow each other have one for each and for each segment; a client may say that
     * they overlap. */
    size_t slices = n * (order->n_parts ? order->n_parts : 1);
    if (slices > files->slices_room) {
        files->slices_room = slices;
        files->slices = mem_grow(files->slices, slices, sizeof *files->slices);
    }
    files->names = mem_grow(files->names, bytes + 1, 1);
}

const char *attempt_files_make(struct attempt_files *files, const struct wire_task_spec *spec,
                               const struct task_record *record, const struct task_order *order,
                               const char *const *parts)
{
    const char *why = NULL;
    if (!fit(spec, record))
        return "its files are more than 1 GiB";
    files->n = files->n_slices = 0;
    make_room(files, spec, record, order);
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
