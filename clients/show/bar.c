#include "clients/show/bar.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/base/terminal.h"
#include "shared/base/limits.h"

#define BAR_WIDTH  24
#define TREE_ARITY 4 /* an operation combines so many values at most */

void bar_begin(struct bar *bar, uint64_t now_us)
{
    *bar = (struct bar){.on = terminal_overwrites(STDERR_FILENO),
                        .started_us = now_us,
                        .first_done = UINT64_MAX};
}

static void add_duration(struct text *out, uint64_t seconds)
{
    if (seconds >= 3600)
        text_add(out, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    else if (seconds >= 60)
        text_add(out, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60, seconds % 60);
    else
        text_add(out, "%" PRIu64 "s", seconds);
}

static void add_bar(struct text *out, double share)
{
    int full = (int)(share * BAR_WIDTH);
    text_add(out, "[");
    for (int i = 0; i < BAR_WIDTH; i++)
        text_add(out, "%c", i < full ? '#' : '.');
    text_add(out, "] %3d%%  ", (int)(share * 100));
}

static void add_share(struct text *out, uint64_t done, uint64_t total)
{
    add_bar(out, total ? (double)done / (double)total : 0);
}

/* What of the work is done, not of the operations: each level of a tree has a fourth of the
 * operations below it, and costs about the same. The lowest come first. */
static double tree_share(uint64_t done, uint64_t total)
{
    uint64_t above = 0, size = 1, levels = 0, n = 0;
    double share = 0;
    for (; above < total; size *= TREE_ARITY, levels++)
        above += size;
    for (uint64_t left = total; left; left -= n) {
        size /= TREE_ARITY;
        n = left == total ? total - (above - size) : size;
        uint64_t here = done < n ? done : n;
        share += (double)here / (double)n / (double)levels;
        done -= here;
    }
    return share;
}

void bar_line_operations(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                         uint64_t elapsed_us, uint64_t converting_us)
{
    /* A long number is made in half of the time at best; the other half makes decimal digits. */
    add_bar(out, done >= total ? 0.5 : tree_share(done, total) / 2);
    text_add(out, "%" PRIu64 "/%" PRIu64 " operations", done, total);
    if (done >= total) {
        text_add(out, "  converting to text for ");
        add_duration(out, converting_us / SECOND_US);
    } else if (done > first_done && elapsed_us) {
        double rate = (double)(done - first_done) * SECOND_US / (double)elapsed_us;
        text_add(out, "  %.*f/s", rate < 10 ? 1 : 0, rate);
    }
}

static void add_eta(struct text *out, uint64_t left, double rate)
{
    if (!left)
        return;
    text_add(out, "  ETA ");
    add_duration(out, (uint64_t)((double)left / rate + 0.5));
}

void bar_line(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
              uint64_t elapsed_us, const char *what)
{
    add_share(out, done, total);
    text_add(out, "%" PRIu64 "/%" PRIu64 " %s", done, total, what);
    if (done <= first_done || !elapsed_us)
        return;
    double rate = (double)(done - first_done) * SECOND_US / (double)elapsed_us;
    text_add(out, "  %.*f/s", rate < 10 ? 1 : 0, rate);
    add_eta(out, total - done, rate);
}

void bar_line_bytes(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                    uint64_t elapsed_us)
{
    double unit = total < 10 * MIB_BYTES ? KIB_BYTES : MIB_BYTES;
    add_share(out, done, total);
    text_add(out, "%.0f/%.0f %s", (double)done / unit, (double)total / unit,
             unit > KIB_BYTES ? "MiB" : "KiB");
    if (done <= first_done || !elapsed_us)
        return;
    double rate = (double)(done - first_done) * SECOND_US / (double)elapsed_us;
    text_add(out, "  %.1f MiB/s", rate / MIB_BYTES);
    add_eta(out, total - done, rate);
}

/* Whether it is to be drawn. */
static bool ready(struct bar *bar, uint64_t done, uint64_t now_us)
{
    if (bar->on && bar->first_done == UINT64_MAX) {
        bar->first_done = done;
        bar->started_us = now_us;
    }
    return bar->on;
}

/* Spaces over what stood there: no escape sequence, which NO_COLOR and plain terminals would show.
 * The last column stays free, where some terminals begin a new line. */
static void draw(struct bar *bar, const struct text *line)
{
    size_t columns = terminal_columns(STDERR_FILENO) - 1,
           len = line->len < columns ? line->len : columns,
           before = bar->shown < columns ? bar->shown : columns;
    fflush(stdout);
    fprintf(stderr, "\r%.*s%*s\r", (int)len, line->at, (int)(before > len ? before - len : 0), "");
    fflush(stderr);
    bar->shown = len;
}

void bar_draw(struct bar *bar, uint64_t done, uint64_t total, const char *what, uint64_t now_us)
{
    struct text line = {0};
    if (!ready(bar, done, now_us))
        return;
    bar_line(&line, done, total, bar->first_done, now_us - bar->started_us, what);
    draw(bar, &line);
}

void bar_draw_operations(struct bar *bar, uint64_t done, uint64_t total, uint64_t now_us)
{
    struct text line = {0};
    if (!ready(bar, done, now_us))
        return;
    if (done < total || !bar->converting_us)
        bar->converting_us = now_us;
    bar_line_operations(&line, done, total, bar->first_done, now_us - bar->started_us,
                        now_us - bar->converting_us);
    draw(bar, &line);
}

void bar_draw_bytes(struct bar *bar, uint64_t done, uint64_t total, uint64_t now_us)
{
    struct text line = {0};
    if (!ready(bar, done, now_us))
        return;
    bar_line_bytes(&line, done, total, bar->first_done, now_us - bar->started_us);
    draw(bar, &line);
}

void bar_draw_tasks(struct bar *bar, const struct task_sum *sum, uint64_t now_us)
{
    struct text line = {0};
    if (!ready(bar, task_sum_ended(sum), now_us))
        return;
    task_sum_bar(sum, bar->first_done, now_us - bar->started_us, &line);
    draw(bar, &line);
}

void bar_erase(struct bar *bar)
{
    if (bar->shown)
        fprintf(stderr, "\r%*s\r", (int)bar->shown, "");
    bar->shown = 0;
}
