#include "clients/map/task_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/spec.h"

#define RECORD_READ_MAX \
    (2 * TASK_RECORD_MAX)               /* a record with the lengths in it; and none is longer */
#define LENGTHS_AT_ONCE ((size_t)65536) /* bytes that are read to find lengths */

static int complain(struct text *why, const char *what)
{
    text_add(why, "the stored value with the tasks is damaged: %s", what);
    return ERR_CORRUPT;
}

static int read_bytes(struct task_list *list, uint64_t offset, size_t len, struct text *why)
{
    char line[TEXT_MAX];
    if (list->spool->len < offset || list->spool->len - offset < len)
        return complain(why, "it is too short");
    if (list->size < len)
        list->bytes = mem_grow(list->bytes, list->size = 2 * len, 1);
    int error = spool_read(list->spool, offset, list->bytes, len, line);
    if (error)
        text_add(why, "%s", line);
    return error;
}

static size_t length_at(const uint8_t *at)
{
    size_t len = 0;
    for (size_t byte = 0; byte < BYTES_LENGTH; byte++)
        len |= (size_t)at[byte] << 8 * byte;
    return len;
}

/* Reads a whole record with its length into `bytes`. */
static int read_record(struct task_list *list, uint64_t offset, size_t *len, struct text *why)
{
    int error = read_bytes(list, offset, BYTES_LENGTH, why);
    if (error)
        return error;
    *len = BYTES_LENGTH + length_at(list->bytes);
    if (*len > RECORD_READ_MAX)
        return complain(why, "a record is too long");
    return read_bytes(list, offset, *len, why);
}

/* --- opening --- */

/* Only lengths are looked at: many with one read. */
static int find_places(struct task_list *list, uint64_t offset, struct text *why)
{
    uint64_t held = 0;
    size_t n = 0, room = 0;
    for (uint64_t at = offset; at < list->spool->len; list->total++) {
        if (at < held || at + BYTES_LENGTH > held + n) {
            uint64_t left = list->spool->len - at;
            held = at;
            n = left < LENGTHS_AT_ONCE ? (size_t)left : LENGTHS_AT_ONCE;
            int error = n < BYTES_LENGTH ? complain(why, "it ends within a length")
                                         : read_bytes(list, at, n, why);
            if (error)
                return error;
        }
        size_t len = BYTES_LENGTH + length_at(list->bytes + (at - held));
        if (len > list->spool->len - at)
            return complain(why, "it ends within a record");
        if (list->total % TASK_LIST_STEP == 0) {
            size_t place = (size_t)(list->total / TASK_LIST_STEP);
            if (place == room)
                list->places =
                    mem_grow(list->places, room = room ? 2 * room : 64, sizeof *list->places);
            list->places[place] = at;
        }
        at += len;
    }
    return OK;
}

int task_list_open(struct task_list *list, struct spool *spool, struct text *why)
{
    size_t len;
    *list = (struct task_list){.spool = spool, .record = mem_new(1, sizeof *list->record)};
    int error = read_record(list, 0, &len, why);
    if (!error)
        error = task_spec_load((struct slice){list->bytes + BYTES_LENGTH, len - BYTES_LENGTH},
                               &list->spec, why);
    return error ? error : find_places(list, len, why);
}

/* --- reading --- */

static int go_to(struct task_list *list, uint64_t task, struct text *why)
{
    uint64_t step = (task - 1) / TASK_LIST_STEP;
    if (!list->next || list->next > task || (list->next - 1) / TASK_LIST_STEP != step) {
        list->next = step * TASK_LIST_STEP + 1;
        list->at = list->places[step];
    }
    for (; list->next < task; list->next++) {
        int error = read_bytes(list, list->at, BYTES_LENGTH, why);
        if (error)
            return error;
        list->at += BYTES_LENGTH + length_at(list->bytes);
    }
    return OK;
}

static void make_input(struct task_list *list, struct slice *input)
{
    size_t len = task_record_text(list->record, list->input, list->input_size);
    if (len > list->input_size) {
        list->input = mem_grow(list->input, list->input_size = 2 * len, 1);
        task_record_text(list->record, list->input, list->input_size);
    }
    *input = (struct slice){(const uint8_t *)list->input, len};
}

int task_list_read(struct task_list *list, uint64_t task, struct slice *input,
                   struct slice *command, struct text *why)
{
    const struct wire_task_spec *spec = &list->spec->as.task_spec;
    size_t len;
    if (!task || task > list->total) {
        text_add(why, "the job has no task %" PRIu64, task);
        return ERR_RANGE;
    }
    int error = go_to(list, task, why);
    if (!error)
        error = read_record(list, list->at, &len, why);
    if (error)
        return error;
    struct slice rest = {list->bytes, len};
    error = task_record_take(&rest, spec, list->record, why);
    if (error)
        return error;
    list->next = task + 1;
    list->at += len;
    make_input(list, input);
    if (!command)
        return OK;
    error = task_expand(spec, list->record, task, &list->command, why);
    if (error)
        return error;
    command_line_make(&list->line, spec, &list->command);
    *command = (struct slice){(const uint8_t *)list->line.at, list->line.len};
    return OK;
}

void task_list_clear(struct task_list *list)
{
    message_drop(&list->spec);
    task_command_clear(&list->command);
    command_line_clear(&list->line);
    free(list->places);
    free(list->record);
    free(list->bytes);
    free(list->input);
    *list = (struct task_list){0};
}
