/* task_rows.h - rows of details as a job's values hold them (shared/base/task_row.h), as views. */
#ifndef CONCLAVE_CLIENTS_TASK_ROWS_H
#define CONCLAVE_CLIENTS_TASK_ROWS_H

#include "clients/show/task_view.h"
#include "shared/base/task_row.h"

/* Fills in what the row says of one of its tasks (borrows its bytes): all but input, command and
 * files. False, and nothing is changed: the row is not about that task, or has no state that a task
 * can end in. */
bool task_rows_view(const struct task_row *row, uint64_t task, struct task_view *out);

/* Returns the last line of an output that is not empty, without its line end. */
struct slice task_rows_last_line(struct slice output);

#endif
