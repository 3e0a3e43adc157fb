/* needs.h - which of a job's files an attempt needs, as the segments of its first input say: they
 * come from a client, and may hold anything. Used inside the room only. */
#ifndef CONCLAVE_CORE_RUNNER_NEEDS_H
#define CONCLAVE_CORE_RUNNER_NEEDS_H

#include "nodes/core/runner/runner.h"

/* Bytes of the second input. */
struct needs_range {
    uint64_t from, to;
};

/* What the uploads take, from first to last, and what the task's own file does. */
enum { NEEDS_UPLOADS, NEEDS_FILE, NEEDS_MAX };

/* Reads it in the segments that begin with the specification and that have the record at `place`,
 * from 0. False: they do not say it. */
bool needs_read(struct task_input *spec, struct task_input *record, uint64_t place,
                struct needs_range out[NEEDS_MAX]);

/* Writes which segments of the value have those bytes, in their order, and how many these are to
 * *n. False: the value is shorter, or they are more than TASK_PARTS_MAX. */
bool needs_parts(const struct stored_value *value, const struct needs_range ranges[NEEDS_MAX],
                 struct task_part out[TASK_PARTS_MAX], size_t *n);

#endif
