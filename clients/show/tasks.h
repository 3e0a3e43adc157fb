/* tasks.h - how the tasks of a job stand, for people and as JSON. */
#ifndef CONCLAVE_CLIENTS_SHOW_TASKS_H
#define CONCLAVE_CLIENTS_SHOW_TASKS_H

#include <jansson.h>
#include <stdio.h>

#include "clients/show/task_sum.h"
#include "shared/wire/message.h"

/* True for a job of tasks: it has no result of its own. */
bool tasks_are(const struct wire_job_row *row);

/* How they stand, for the bar, the last line and the exit code. */
struct task_sum tasks_sum(const struct wire_job_row *row);

/* Adds "tasks" and "parent" to the JSON of a job of tasks. */
void tasks_add_json(json_t *job, const struct wire_job_row *row);

/* Writes a line of its own for each count, as `job show` does. */
void tasks_show(const struct wire_job_row *row, FILE *out);

/* Appends what did not go well, for a table: "2 failed, 1 lost". */
void tasks_add_detail(const struct wire_job_row *row, struct text *out);

/* The one line of a job that is done: "empty(5): 5 tasks done". */
void tasks_print(const struct wire_job_row *row, FILE *out);

#endif
