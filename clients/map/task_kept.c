#include "clients/map/task_kept.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/map/task_rows.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define BLOCK         ((uint64_t)4096) /* places that are allocated together */
#define HEAD_BYTES    24   /* of a kept row: two numbers that say what was kept, its length */
#define LAST_LINE_MAX 4096 /* of stderr, where the rest is not kept: more than a screen */

struct task_kept_range {
    uint64_t first, count, place;
};

static int complain(struct text *why, const char *what)
{
    text_add(why, "the details of the tasks are damaged: %s", what);
    return ERR_CORRUPT;
}

void task_kept_begin(struct task_kept *kept, uint64_t total, const bool streams[TASK_STREAMS])
{
    *kept = (struct task_kept){.total = total};
    memcpy(kept->streams, streams, sizeof kept->streams);
    kept->places = mem_new((size_t)(total / BLOCK) + 1, sizeof *kept->places);
    spool_begin(&kept->spool);
}

void task_kept_clear(struct task_kept *kept)
{
    for (uint64_t i = 0; kept->places && i <= kept->total / BLOCK; i++)
        free(kept->places[i]);
    free(kept->places);
    free(kept->ranges);
    free(kept->bytes);
    if (kept->places)
        spool_clear(&kept->spool);
    *kept = (struct task_kept){0};
}

/* --- where rows are --- */

/* The place in the list of the first range that begins after the task. */
static size_t range_after(const struct task_kept *kept, uint64_t task)
{
    size_t low = 0, high = kept->n_ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kept->ranges[middle].first <= task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t find(const struct task_kept *kept, uint64_t task)
{
    const uint64_t *block = task && task <= kept->total ? kept->places[task / BLOCK] : NULL;
    if (block && block[task % BLOCK])
        return block[task % BLOCK];
    size_t after = range_after(kept, task);
    const struct task_kept_range *range = after ? &kept->ranges[after - 1] : NULL;
    return range && task - range->first < range->count ? range->place : 0;
}

bool task_kept_has(const struct task_kept *kept, uint64_t task)
{
    return find(kept, task);
}

static void note_range(struct task_kept *kept, const struct task_row *row, uint64_t place)
{
    if (kept->n_ranges == kept->size_ranges) {
        kept->size_ranges = kept->size_ranges ? 2 * kept->size_ranges : 64;
        kept->ranges = mem_grow(kept->ranges, kept->size_ranges, sizeof *kept->ranges);
    }
    size_t at = range_after(kept, row->first);
    memmove(kept->ranges + at + 1, kept->ranges + at,
            (kept->n_ranges++ - at) * sizeof *kept->ranges);
    kept->ranges[at] = (struct task_kept_range){row->first, row->count, place};
}

static void note(struct task_kept *kept, const struct task_row *row, uint64_t place)
{
    uint64_t **block = &kept->places[row->first / BLOCK];
    if (row->count > 1) {
        note_range(kept, row, place);
        return;
    }
    if (!*block)
        *block = mem_new(BLOCK, sizeof **block);
    (*block)[row->first % BLOCK] = place;
}

/* --- taking in --- */

static bool is_known(const struct task_kept *kept, const struct task_row *row)
{
    if (find(kept, row->first))
        return true;
    if (row->count == 1)
        return false;
    size_t after = range_after(kept, row->first);
    bool overlaps = after < kept->n_ranges && kept->ranges[after].first - row->first < row->count;
    for (uint64_t task = row->first; !overlaps && task - row->first < row->count;) {
        const uint64_t *block = kept->places[task / BLOCK];
        overlaps = block && block[task % BLOCK];
        task = block ? task + 1 : (task / BLOCK + 1) * BLOCK;
    }
    return overlaps;
}

/* Of the stream, what is to be kept here. */
static struct slice kept_of(const struct task_kept *kept, enum task_stream_kind kind,
                            struct slice all)
{
    if (kept->streams[kind])
        return all;
    struct slice line = kind == TASK_STDERR ? task_rows_last_line(all) : (struct slice){0};
    if (line.len > LAST_LINE_MAX)
        line.len = LAST_LINE_MAX;
    return line;
}

static int keep(struct task_kept *kept, const struct task_row *row, struct text *why)
{
    char line[TEXT_MAX];
    struct task_row copy = *row;
    copy.out.at = kept_of(kept, TASK_STDOUT, row->out.at);
    copy.err.at = kept_of(kept, TASK_STDERR, row->err.at);
    size_t room = HEAD_BYTES + task_row_room(&copy);
    uint8_t *bytes = mem_new(room, 1);
    size_t len = task_row_write(bytes + HEAD_BYTES, &copy);
    bytes_put_le64(bytes, row->out.at.len);
    bytes_put_le64(bytes + 8, row->err.at.len);
    bytes_put_le64(bytes + 16, len);
    uint64_t place = kept->spool.len + 1;
    int error = spool_add(&kept->spool, bytes, HEAD_BYTES + len, line);
    free(bytes);
    if (error) {
        text_add(why, "%s", line);
        return error;
    }
    note(kept, row, place);
    kept->rows++;
    kept->ended += row->count;
    return OK;
}

int task_kept_add(struct task_kept *kept, struct slice segment, struct text *why)
{
    struct task_row row;
    while (segment.len) {
        struct task_view view;
        if (!task_row_take(&segment, &row))
            return complain(why, "a row is cut short");
        if (!row.first || !row.count || row.first > kept->total ||
            row.count > kept->total - row.first + 1 || !task_rows_view(&row, row.first, &view))
            return complain(why, "a row is about no task of the job");
        int error = is_known(kept, &row) ? OK : keep(kept, &row, why);
        if (error)
            return error;
    }
    return OK;
}

/* --- reading --- */

static int read_row(struct task_kept *kept, uint64_t place, struct text *why)
{
    uint8_t head[HEAD_BYTES];
    char line[TEXT_MAX] = "";
    if (kept->place == place)
        return OK;
    kept->place = 0;
    int error = spool_read(&kept->spool, place - 1, head, sizeof head, line);
    size_t len = error ? 0 : (size_t)bytes_get_le64(head + 16);
    if (len > kept->size)
        kept->bytes = mem_grow(kept->bytes, kept->size = 2 * len, 1);
    if (!error)
        error = spool_read(&kept->spool, place - 1 + HEAD_BYTES, kept->bytes, len, line);
    if (error) {
        text_add(why, "%s", line);
        return error;
    }
    struct slice rest = {kept->bytes, len};
    if (!task_row_take(&rest, &kept->row))
        return complain(why, "a row cannot be read again");
    kept->kept[TASK_STDOUT] = bytes_get_le64(head);
    kept->kept[TASK_STDERR] = bytes_get_le64(head + 8);
    kept->place = place;
    return OK;
}

static int view_at(struct task_kept *kept, uint64_t place, uint64_t task, struct task_view *out,
                   struct text *why)
{
    int error = read_row(kept, place, why);
    if (error)
        return error;
    if (!task_rows_view(&kept->row, task, out))
        return complain(why, "a row is about another task");
    const uint64_t stored[TASK_STREAMS] = {kept->row.bundle.out_len, kept->row.bundle.err_len};
    for (int kind = 0; kind < TASK_STREAMS; kind++)
        if (!stored[kind])
            out->output[kind].kept = kept->kept[kind];
    return OK;
}

int task_kept_view(struct task_kept *kept, uint64_t task, struct task_view *out, struct text *why)
{
    uint64_t place = find(kept, task);
    return place ? view_at(kept, place, task, out, why) : ERR_NOT_FOUND;
}

int task_kept_next(struct task_kept *kept, struct task_view *out, struct text *why)
{
    if (kept->told_place == kept->spool.len)
        return ERR_NOT_FOUND;
    int error = read_row(kept, kept->told_place + 1, why);
    if (error)
        return error;
    error = view_at(kept, kept->told_place + 1, kept->row.first + kept->told, out, why);
    if (++kept->told >= kept->row.count) {
        uint8_t head[HEAD_BYTES];
        char line[TEXT_MAX] = "";
        kept->told = 0;
        if (!error && spool_read(&kept->spool, kept->told_place, head, sizeof head, line))
            return complain(why, line);
        kept->told_place += HEAD_BYTES + bytes_get_le64(head + 16);
    }
    return error;
}

int task_kept_bundle(struct task_kept *kept, uint64_t task, struct task_bundle *out,
                     struct text *why)
{
    uint64_t place = find(kept, task);
    int error =
        place ? read_row(kept, place, why) : complain(why, "the details of a task are missing");
    *out = error ? (struct task_bundle){0} : kept->row.bundle;
    return error;
}

int task_kept_read(struct task_kept *kept, uint64_t task, enum task_stream_kind kind,
                   uint64_t offset, uint8_t *at, size_t len, struct text *why)
{
    uint64_t place = find(kept, task);
    int error =
        place ? read_row(kept, place, why) : complain(why, "the details of a task are missing");
    if (error)
        return error;
    struct slice bytes = kind == TASK_STDOUT ? kept->row.out.at : kept->row.err.at;
    if (!kept->streams[kind] || offset > bytes.len || bytes.len - offset < len)
        return complain(why, "an output is too short");
    memcpy(at, bytes.at + offset, len);
    return OK;
}
