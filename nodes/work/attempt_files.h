/* attempt_files.h - the files of an attempt: slices of the segments of its job's second input. What
 * says where they stand comes from a client. */
#ifndef CONCLAVE_WORK_ATTEMPT_FILES_H
#define CONCLAVE_WORK_ATTEMPT_FILES_H

#include "nodes/core/node.h"
#include "nodes/work/command.h"
#include "shared/tasks/record.h"

/* Zero-initialize. */
struct attempt_files {
    struct command_input *at; /* owned */
    size_t n, room;
    struct blob **pieces; /* of each of them TASK_PARTS_MAX, NULL after the last; owned */
    char *names;          /* owned */
};

/* Makes the command's inputs: the uploads, and the task's own file. `parts` are the segments that
 * the order names; NULL: one is not in memory. NULL, or a constant that says why there are none. */
const char *attempt_files_make(struct attempt_files *files, const struct wire_task_spec *spec,
                               const struct task_record *record, const struct task_order *order,
                               struct blob *const parts[TASK_PARTS_MAX]);

/* Lets go of their bytes; of all. */
void attempt_files_drop(struct attempt_files *files);
void attempt_files_clear(struct attempt_files *files);

#endif
