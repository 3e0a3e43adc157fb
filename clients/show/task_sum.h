/* task_sum.h - how a job of tasks stands as a whole: the progress bar, the last line, the exit
 * code.
 */
#ifndef CONCLAVE_CLIENTS_TASK_SUM_H
#define CONCLAVE_CLIENTS_TASK_SUM_H

#include "shared/base/text.h"

struct task_sum {
    uint64_t total, queued, running, done, failed, lost, cancelled;
};

/* Those of which nothing more will come. */
uint64_t task_sum_ended(const struct task_sum *sum);

/* Appends the line of the bar: what has ended of all, in `elapsed_us` since `first_ended` had. */
void task_sum_bar(const struct task_sum *sum, uint64_t first_ended, uint64_t elapsed_us,
                  struct text *out);

/* Appends the line that a map ends with: "4-17: 198 of 200 done, 2 failed", and the commands that
 * say more. */
void task_sum_line(const struct task_sum *sum, const char *job, struct text *out);

/* Returns the exit code of a job that is finished: some failed or were lost before cancelled. */
int task_sum_code(const struct task_sum *sum);

#endif
