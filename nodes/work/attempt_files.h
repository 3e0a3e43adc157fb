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
    struct command_slice *slices; /* of all of them; owned */
    size_t n_slices, slices_room;
    char *names; /* owned */
};

/* Makes the command's inputs: the uploads, and last the task's own file. `parts` are files with the
 * segments that the order names (borrows their paths); NULL: one is not here. NULL, or a constant
 * that says why there are none. */
const char *attempt_files_make(struct attempt_files *files, const struct wire_task_spec *spec,
                               const struct task_record *record, const struct task_order *order,
                               const char *const *parts);

void attempt_files_clear(struct attempt_files *files);

#endif
