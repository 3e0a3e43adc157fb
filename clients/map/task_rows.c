#include "clients/map/task_rows.h"

#include <string.h>

/* Of a row, from 1. */
static const enum task_view_state states[] = {VIEW_DONE, VIEW_FAILED, VIEW_LOST, VIEW_CANCELLED};

struct slice task_rows_last_line(struct slice output)
{
    while (output.len && (output.at[output.len - 1] == '\n' || output.at[output.len - 1] == '\r'))
        output.len--;
    size_t from = output.len;
    while (from && output.at[from - 1] != '\n')
        from--;
    return (struct slice){output.at + from, output.len - from};
}

/* It stands in the row, or in the bundle. */
static void fill_output(const struct task_stream *stream, uint64_t stored,
                        struct task_view_output *out)
{
    out->bytes = stream->bytes;
    out->kept = stored ? stored : stream->at.len;
    memcpy(out->sha256, stream->hash, HASH_BYTES);
}

bool task_rows_view(const struct task_row *row, uint64_t task, struct task_view *out)
{
    if (task < row->first || task - row->first >= row->count || row->state < 1 ||
        row->state > sizeof states / sizeof *states)
        return false;
    bool exited =
        !row->signal && !(row->flags & TASK_ROW_LIMIT) && row->attempts && !row->reason.len;
    out->task = task;
    out->state = states[row->state - 1];
    out->node = row->node;
    out->attempt = row->attempts;
    out->exit = exited && out->state != VIEW_LOST ? (int)(row->exit & INT32_MAX) : -1;
    out->signal = (int)(row->signal & INT32_MAX);
    out->time_limit = row->flags & TASK_ROW_LIMIT;
    out->copy = row->flags & TASK_ROW_COPY     ? COPY_COUNTS
                : row->flags & TASK_ROW_COPIED ? COPY_STOPPED
                                               : COPY_NONE;
    out->reason = row->reason;
    out->started_ms = row->started_ms;
    out->wall_us = row->wall_us / row->count; /* of a range it is that of all */
    out->cpu_us = row->cpu_us / row->count;
    out->finished_ms = row->started_ms ? row->started_ms + out->wall_us / 1000 : 0;
    out->max_rss = row->max_rss;
    fill_output(&row->out, row->bundle.out_len, &out->output[TASK_STDOUT]);
    fill_output(&row->err, row->bundle.err_len, &out->output[TASK_STDERR]);
    out->files = row->bundle.files;
    out->last_line = row->bundle.err_len ? row->bundle.err_line : task_rows_last_line(row->err.at);
    return true;
}
