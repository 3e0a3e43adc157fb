#include "clients/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/base/limits.h"

#define BAR_WIDTH 24

void progress_begin(struct progress *progress, uint64_t now_us)
{
    *progress = (struct progress){.on = isatty(STDERR_FILENO),
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

void progress_line(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                   uint64_t elapsed_us, const char *what)
{
    double share = total ? (double)done / (double)total : 0;
    int full = (int)(share * BAR_WIDTH);
    text_add(out, "[");
    for (int i = 0; i < BAR_WIDTH; i++)
        text_add(out, "%c", i < full ? '#' : '.');
    text_add(out, "] %3d%%  %" PRIu64 "/%" PRIu64 " %s", (int)(share * 100), done, total, what);
    if (done <= first_done || !elapsed_us)
        return;
    double rate = (double)(done - first_done) * SECOND_US / (double)elapsed_us;
    text_add(out, "  %.*f/s", rate < 10 ? 1 : 0, rate);
    if (done < total) {
        text_add(out, "  ETA ");
        add_duration(out, (uint64_t)((double)(total - done) / rate + 0.5));
    }
}

void progress_draw(struct progress *progress, uint64_t done, uint64_t total, const char *what,
                   uint64_t now_us)
{
    if (!progress->on)
        return;
    if (progress->first_done == UINT64_MAX) {
        progress->first_done = done;
        progress->started_us = now_us;
    }
    struct text line = {0};
    progress_line(&line, done, total, progress->first_done, now_us - progress->started_us, what);
    fflush(stdout);
    fprintf(stderr, "\r\033[K%s", line.at);
    fflush(stderr);
    progress->shown = true;
}

void progress_erase(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    progress->shown = false;
}
