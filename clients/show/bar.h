/* bar.h - a progress bar on stderr, when that is a terminal. */
#ifndef CONCLAVE_CLIENTS_BAR_H
#define CONCLAVE_CLIENTS_BAR_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/show/task_sum.h"
#include "shared/base/text.h"

struct bar {
    bool on;
    size_t shown; /* columns that the line holds */
    uint64_t started_us, first_done, converting_us;
};

/* Begins; shows nothing when stderr is no terminal. */
void bar_begin(struct bar *bar, uint64_t now_us);

/* Draws what is done of the total; `what` names the units ("operations", "jobs"). */
void bar_draw(struct bar *bar, uint64_t done, uint64_t total, const char *what, uint64_t now_us);

/* The same of the operations of one job: by what they cost, and what follows them is named. */
void bar_draw_operations(struct bar *bar, uint64_t done, uint64_t total, uint64_t now_us);

/* The same of bytes. */
void bar_draw_bytes(struct bar *bar, uint64_t done, uint64_t total, uint64_t now_us);

/* The same of tasks, with how they ended. */
void bar_draw_tasks(struct bar *bar, const struct task_sum *sum, uint64_t now_us);

/* Erases the bar, before anything else is written. */
void bar_erase(struct bar *bar);

/* Appends the bar's line: pure, for tests. `elapsed_us` since `first_done` of them were done. */
void bar_line(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
              uint64_t elapsed_us, const char *what);
void bar_line_operations(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                         uint64_t elapsed_us, uint64_t converting_us);
void bar_line_bytes(struct text *out, uint64_t done, uint64_t total, uint64_t first_done,
                    uint64_t elapsed_us);

#endif
