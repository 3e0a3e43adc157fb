#include "shared/tasks/record.h"

#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/tasks/spec.h"

#define FILE_BYTES (8 + 8 + HASH_BYTES + 1)

/* Of the largest frame, or the largest record of a task with the lengths of its inputs. */
#define RECORD_BYTES_MAX (TASK_RECORD_MAX + TASK_INPUTS_MAX * BYTES_LENGTH + FILE_BYTES)

int task_record_check(const struct task_record *record, struct text *why)
{
    size_t sum = 0;
    for (size_t i = 0; i < record->n_inputs; i++) {
        struct slice input = record->inputs[i];
        sum += input.len;
        if (input.len && memchr(input.at, 0, input.len)) {
            text_add(why, "an input has a zero byte, which no argument can have");
            return ERR_MALFORMED;
        }
        if (input.len > TASK_ARG_BYTES_MAX || sum > TASK_RECORD_MAX) {
            text_add(why, "%s",
                     sum > TASK_RECORD_MAX
                         ? "the inputs of a task have more than 1 MiB; name files instead"
                         : "an input has more than 128 KiB; name a file instead");
            return ERR_TOO_BIG;
        }
    }
    if (record->has_file && (!task_path_is_safe(record->inputs[0]) ||
                             record->file.offset > UINT64_MAX - record->file.len)) {
        text_add(why, "the path of a task's file leads out of the scratch directory");
        return ERR_MALFORMED;
    }
    return OK;
}

static size_t body_bytes(const struct task_record *record)
{
    size_t bytes = record->has_file ? FILE_BYTES : 0;
    for (size_t i = 0; i < record->n_inputs; i++)
        bytes += BYTES_LENGTH + record->inputs[i].len;
    return bytes;
}

size_t task_record_bytes(const struct task_record *record)
{
    return BYTES_LENGTH + body_bytes(record);
}

size_t task_record_put(uint8_t *at, const struct task_record *record)
{
    size_t body = body_bytes(record), len = 0;
    for (; len < BYTES_LENGTH; len++)
        at[len] = (uint8_t)(body >> 8 * len);
    for (size_t i = 0; i < record->n_inputs; i++)
        len += bytes_put_part(at + len, record->inputs[i].at, record->inputs[i].len);
    if (record->has_file) {
        bytes_put_le64(at + len, record->file.offset);
        bytes_put_le64(at + len + 8, record->file.len);
        memcpy(at + len + 16, record->file.sha256, HASH_BYTES);
        at[len + 16 + HASH_BYTES] = record->file.executable;
        len += FILE_BYTES;
    }
    return len;
}

static bool take_file(struct slice *rest, struct task_file *out)
{
    if (rest->len != FILE_BYTES || rest->at[FILE_BYTES - 1] > 1)
        return false;
    out->offset = bytes_get_le64(rest->at);
    out->len = bytes_get_le64(rest->at + 8);
    memcpy(out->sha256, rest->at + 16, HASH_BYTES);
    out->executable = rest->at[FILE_BYTES - 1] == 1;
    rest->len = 0;
    return true;
}

int task_record_take(struct slice *rest, const struct wire_task_spec *spec, struct task_record *out,
                     struct text *why)
{
    struct slice left = *rest, body;
    out->n_inputs = spec->inputs;
    out->has_file = spec->files;
    bool whole = spec->inputs <= TASK_INPUTS_MAX && bytes_take_part(&left, &body);
    for (size_t i = 0; whole && i < out->n_inputs; i++)
        whole = bytes_take_part(&body, &out->inputs[i]);
    if (whole && out->has_file)
        whole = take_file(&body, &out->file);
    if (!whole || body.len) {
        text_add(why, "a task's record is not %zu inputs%s", (size_t)spec->inputs,
                 spec->files ? " and a file" : "");
        return ERR_MALFORMED;
    }
    int error = task_record_check(out, why);
    if (!error)
        *rest = left;
    return error;
}

bool task_records_count(struct slice segment, uint64_t *count)
{
    struct slice record;
    *count = 0;
    while (segment.len) {
        if (!bytes_take_part(&segment, &record) || record.len > RECORD_BYTES_MAX)
            return false;
        ++*count;
    }
    return true;
}

size_t task_record_text(const struct task_record *record, char *at, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < record->n_inputs; i++) {
        if (i) {
            if (len < size)
                at[len] = ' ';
            len++;
        }
        struct slice input = record->inputs[i];
        if (len < size && input.len)
            memcpy(at + len, input.at, input.len < size - len ? input.len : size - len);
        len += input.len;
    }
    return len;
}
