#include "nodes/work/attempt_files.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

/* Of an input; the first ones are set. */
static struct blob **pieces_of(const struct attempt_files *files, size_t input)
{
    return files->pieces + input * TASK_PARTS_MAX;
}

void attempt_files_drop(struct attempt_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        for (size_t j = 0; j < TASK_PARTS_MAX; j++)
            blob_drop(&pieces_of(files, i)[j]);
    files->n = 0;
}

void attempt_files_clear(struct attempt_files *files)
{
    attempt_files_drop(files);
    free(files->at);
    free(files->pieces);
    free(files->names);
    *files = (struct attempt_files){0};
}

/* --- bytes --- */

/* The parts of segments that they are, so nothing is copied; returns how many. 0: one is lacking.
 */
static size_t slice_parts(const struct task_order *order, struct blob *const *parts,
                          uint64_t offset, uint64_t len, struct blob *out[TASK_PARTS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < order->n_parts && len; i++) {
        const struct task_part *part = &order->parts[i];
        if (!parts[i] || parts[i]->len != part->len || offset < part->offset ||
            offset - part->offset >= part->len)
            continue;
        uint64_t skip = offset - part->offset, left = part->len - skip;
        uint64_t take = left < len ? left : len;
        out[n++] = blob_part(parts[i], (size_t)skip, (size_t)take);
        offset += take;
        len -= take;
    }
    return len ? 0 : n;
}

/* --- files --- */

static const char *add(struct attempt_files *files, char **names, struct slice path,
                       const struct task_file *file, const struct task_order *order,
                       struct blob *const *parts)
{
    struct command_input *input = &files->at[files->n];
    struct blob **pieces = pieces_of(files, files->n);
    size_t n = 0;
    *input = (struct command_input){.name = *names, .executable = file->executable};
    memset(pieces, 0, TASK_PARTS_MAX * sizeof(struct blob *));
    files->n++;
    memcpy(*names, path.at, path.len);
    (*names)[path.len] = '\0';
    *names += path.len + 1;
    if (!file->len)
        return NULL;
    n = slice_parts(order, parts, file->offset, file->len, pieces);
    if (!n)
        return "its files are not where its record says";
    input->bytes = (struct command_bytes){.blob = pieces[0], .more = pieces + 1, .n_more = n - 1};
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
        files->pieces = mem_grow(files->pieces, n * TASK_PARTS_MAX, sizeof(struct blob *));
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
