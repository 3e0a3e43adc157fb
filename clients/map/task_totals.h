/* task_totals.h - what the tasks of a job took and wrote together, for people. */
#ifndef CONCLAVE_CLIENTS_TASK_TOTALS_H
#define CONCLAVE_CLIENTS_TASK_TOTALS_H

#include "clients/map/task_source.h"

/* Zero-initialize. */
struct task_totals {
    uint64_t *walls; /* of each task that was executed, in microseconds; owned */
    size_t n, size;
    uint64_t cpu_us, bytes[TASK_STREAMS];
};

/* Adds up the tasks that the source tells of as ended. OK, or an error with one line in `why`. */
int task_totals_read(const struct task_source *source, struct task_totals *totals,
                     struct text *why);

/* Appends lines, as `job show` has them: "time        3m 12s; a task: median 1.1s, ..." and
 * "output      stdout 4.2 MiB, ...". `took_ms`: of the whole job; 0: it is not finished. Nothing
 * when no task was executed. Sorts the times. */
void task_totals_text(struct task_totals *totals, uint64_t took_ms, struct text *out);

void task_totals_clear(struct task_totals *totals);

#endif
