/* forge_tasks.h - tasks as clients submit them, and as workers say that they have ended. */
#ifndef CONCLAVE_FUZZ_FORGE_TASKS_H
#define CONCLAVE_FUZZ_FORGE_TASKS_H

#include "tests/fuzz/host.h"
#include "tests/fuzz/reader.h"

/* A job, mostly of tasks that do nothing, with options as the input says. */
struct message *forge_tasks_submit(struct reader *in);

/* What a worker says that it was given has ended: as it may, or beyond what it was given, with any
 * values that the task has left, and any numbers of them; or what it has, when it was asked. The
 * caller puts it in its channel. */
struct message *forge_tasks_end(struct reader *in, const struct host_task *task);

#endif
