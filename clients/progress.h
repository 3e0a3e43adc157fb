/* progress.h - a progress bar on stderr, when that is a terminal. */
#ifndef CONCLAVE_CLIENTS_PROGRESS_H
#define CONCLAVE_CLIENTS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/text.h"

struct progress {
    bool on;
    bool shown; /* the line holds something */
    uint64_t started_us, first_done;
};

/* Begins; shows nothing when stderr is no terminal. */
void progress_begin(struct progress *progress, uint64_t now_us);

/* Draws what is done of the total; `what` names the units ("operations", "jobs"). */
void progress_draw(struct progress *progress, uint64_t done, uint64_t total, const char *what,
                   uint64_t now_us);

/* Erases the bar, before anything else is written. */
void progress_erase(struct progress *progress);

/* Appends the bar's line: pure, for tests. `elapsed_us` since `first_done` of them were done. */
void progress_line(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                   uint64_t elapsed_us, const char *what);

#endif
