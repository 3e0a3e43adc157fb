#include "shared/snapshot/values.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/wire/codec.h"
#include "shared/wire/value_segment.h"

static void add(struct snapshot_values *values, uint64_t job, uint64_t op, uint64_t len,
                struct slice sha256)
{
    if (!len || sha256.len != HASH_BYTES)
        return; /* a node that loads the part refuses it */
    if (values->n == values->size) {
        values->size = values->size ? 2 * values->size : 64;
        values->at = mem_grow(values->at, values->size, sizeof *values->at);
    }
    struct snapshot_value *it = &values->at[values->n++];
    *it = (struct snapshot_value){.job = job, .op = op, .len = len};
    memcpy(it->sha256, sha256.at, HASH_BYTES);
}

static void add_tasks(struct snapshot_values *values, uint64_t job,
                      const struct wire_task_segment *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(values, job, at[i].op, at[i].len, at[i].hash);
}

static void add_part(struct snapshot_values *values, const struct message *part)
{
    const struct wire_image_ops *ops = &part->as.image_ops;
    const struct wire_image_value *value = &part->as.image_value;
    switch (part->type) {
    case MESSAGE_IMAGE_OPS:
        for (size_t i = 0; i < ops->ops.n; i++)
            if (!ops->ops.at[i].frame)
                add(values, ops->job, ops->ops.at[i].op, ops->ops.at[i].len, ops->ops.at[i].hash);
        break;
    case MESSAGE_IMAGE_VALUE:
        for (size_t at = 0; at + VALUE_SEGMENT_BYTES <= value->packed.len;
             at += VALUE_SEGMENT_BYTES) {
            struct value_segment segment = value_segment_at(value->packed.at + at);
            add(values, value->value, segment.op, segment.len, segment.sha256);
        }
        break;
    case MESSAGE_IMAGE_TASKS:
        add_tasks(values, part->as.image_tasks.job, part->as.image_tasks.segments.at,
                  part->as.image_tasks.segments.n);
        break;
    case MESSAGE_IMAGE_TASKS_MORE:
        add_tasks(values, part->as.image_tasks_more.job, part->as.image_tasks_more.segments.at,
                  part->as.image_tasks_more.segments.n);
        break;
    default:
        break;
    }
}

static int by_id(const void *a, const void *b)
{
    const struct snapshot_value *left = a, *right = b;
    if (left->job != right->job)
        return left->job < right->job ? -1 : 1;
    return (left->op > right->op) - (left->op < right->op);
}

void snapshot_values_of(const struct snapshot_model *model, struct snapshot_values *out)
{
    *out = (struct snapshot_values){0};
    for (size_t i = 0; i < model->checkpoint.n; i++) {
        struct message *part;
        struct text why = {0};
        if (codec_unpack(model->checkpoint.at[i], &part, &why))
            continue;
        add_part(out, part);
        message_drop(&part);
    }
    if (out->n)
        qsort(out->at, out->n, sizeof *out->at, by_id);
}

struct snapshot_value *snapshot_value_find(const struct snapshot_values *values, uint64_t job,
                                           uint64_t op)
{
    struct snapshot_value key = {.job = job, .op = op};
    return values->n ? bsearch(&key, values->at, values->n, sizeof key, by_id) : NULL;
}

void snapshot_values_clear(struct snapshot_values *values)
{
    free(values->at);
    *values = (struct snapshot_values){0};
}
