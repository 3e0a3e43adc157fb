#include "clients/show/bar.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/base/limits.h"

#define BAR_WIDTH 24

void bar_begin(struct bar *bar, uint64_t now_us)
{
    *bar =
        (struct bar){.on = isatty(STDERR_FILENO), .started_us = now_us, .first_done = UINT64_MAX};
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

static void add_share(struct text *out, uint64_t done, uint64_t total)
{
    double share = total ? (double)done / (double)total : 0;
    int full = (int)(share * BAR_WIDTH);
    text_add(out, "[");
    for (int i = 0; i < BAR_WIDTH; i++)
        text_add(out, "%c", i < full ? '#' : '.');
    text_add(out, "] %3d%%  ", (int)(share * 100));
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

static void draw(struct bar *bar, const struct text *line)
{
    fflush(stdout);
    fprintf(stderr, "\r\033[K%s", line->at);
    fflush(stderr);
    bar->shown = true;
}

void bar_draw(struct bar *bar, uint64_t done, uint64_t total, const char *what, uint64_t now_us)
{
    struct text line = {0};
    if (!ready(bar, done, now_us))
        return;
    bar_line(&line, done, total, bar->first_done, now_us - bar->started_us, what);
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
        fprintf(stderr, "\r\033[K");
    bar->shown = false;
}
