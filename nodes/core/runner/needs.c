#include "nodes/core/runner/needs.h"

#include <stdlib.h>

#include "shared/base/bytes.h"
#include "shared/base/mutant.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"

/* --- the specification --- */

static void add_upload(struct needs_range *all, const struct wire_spec_file *file)
{
    uint64_t end = file->offset + file->len; /* checked with the specification */
    if (!file->len)
        return;
    if (!all->to || file->offset < all->from)
        all->from = file->offset;
    if (end > all->to)
        all->to = end;
}

/* Once for each segment that begins with one. */
static void read_spec(struct task_input *input)
{
    struct slice rest = {input->bytes->at, input->bytes->len}, first;
    struct message *message = NULL;
    struct needs_range all = {0};
    struct text why = {0};
    input->common = (struct task_common){.read = true};
    if (!bytes_take_part(&rest, &first) || task_spec_load(first, &message, &why))
        return;
    const struct wire_task_spec *spec = &message->as.task_spec;
    for (size_t i = 0; i < spec->uploads.n; i++)
        add_upload(&all, &spec->uploads.at[i]);
    input->common = (struct task_common){.read = true,
                                         .sound = true,
                                         .files = spec->files,
                                         .inputs = spec->inputs,
                                         .from = all.from,
                                         .to = all.to};
    message_drop(&message);
}

/* --- the record --- */

/* Tasks mostly come in their order: the walk goes on where the last one ended. */
static bool find(struct task_input *input, uint64_t place, struct slice *rest)
{
    struct slice part;
    if (place < input->place && !MUTANT(records_never_back))
        input->place = input->offset = 0;
    *rest = (struct slice){input->bytes->at + input->offset, input->bytes->len - input->offset};
    for (; input->place < place; input->place++) {
        if (!bytes_take_part(rest, &part))
            return false;
        input->offset = input->bytes->len - rest->len;
    }
    return rest->len > 0;
}

static bool read_file(const struct task_common *common, struct task_input *input, uint64_t place,
                      struct needs_range *out)
{
    const struct wire_task_spec spec = {.inputs = common->inputs, .files = true};
    struct task_record record;
    struct slice rest;
    struct text why = {0};
    if (!find(input, place, &rest) || task_record_take(&rest, &spec, &record, &why))
        return false;
    if (record.file.len)
        *out = (struct needs_range){record.file.offset, record.file.offset + record.file.len};
    return true;
}

bool needs_read(struct task_input *spec, struct task_input *record, uint64_t place,
                struct needs_range out[NEEDS_MAX])
{
    out[NEEDS_UPLOADS] = out[NEEDS_FILE] = (struct needs_range){0};
    if (!spec->bytes || !record->bytes)
        return false;
    if (!spec->common.read)
        read_spec(spec);
    if (!spec->common.sound)
        return false;
    out[NEEDS_UPLOADS] = (struct needs_range){spec->common.from, spec->common.to};
    return !spec->common.files || read_file(&spec->common, record, place, &out[NEEDS_FILE]);
}

/* --- segments --- */

static bool has_some(struct needs_range range, uint64_t from, uint64_t to)
{
    return range.from < range.to && range.from < to && from < range.to;
}

bool needs_parts(const struct stored_value *value, const struct needs_range ranges[NEEDS_MAX],
                 struct task_part out[TASK_PARTS_MAX], size_t *n)
{
    uint64_t from = 0;
    *n = 0;
    for (size_t i = 0; i < value->n_segments; i++) {
        const struct stored_segment *segment = &value->segments[i];
        uint64_t to = from + segment->len;
        if (has_some(ranges[NEEDS_UPLOADS], from, to) || has_some(ranges[NEEDS_FILE], from, to)) {
            if (*n == TASK_PARTS_MAX || (*n && MUTANT(files_in_one_segment)))
                return *n < TASK_PARTS_MAX;
            out[(*n)++] = (struct task_part){{value->id, segment->op}, from, segment->len};
        }
        from = to;
    }
    return ranges[NEEDS_UPLOADS].to <= from && ranges[NEEDS_FILE].to <= from;
}
