/* files_given.h - the files of jobs of commands in the simulated world: a second stored value, with
 * what all tasks get and then a file for each. What stands where in it follows from one number. */
#ifndef CONCLAVE_SIM_FILES_GIVEN_H
#define CONCLAVE_SIM_FILES_GIVEN_H

#include "nodes/work/command.h"
#include "shared/tasks/record.h"
#include "tests/sim/world.h"

struct files_given {
    uint64_t shape; /* 0: there are none */
    uint64_t tasks;
};

/* Of the client's job with that number: half of them have files. */
struct files_given files_given_of(const struct world *world, uint64_t number, uint64_t tasks);

/* The value: how long it is, and its segments; all but the last one are as long as the first. */
uint64_t files_given_len(const struct files_given *files);
uint64_t files_given_segment_len(const struct files_given *files);
struct blob *files_given_content(const struct files_given *files, uint64_t from, uint64_t len);

/* What the specification says of the uploads; where the task's own file stands. */
void files_given_specify(const struct files_given *files, struct message *spec);
bool files_given_has_own(const struct files_given *files);
struct task_file files_given_own(const struct files_given *files, uint64_t task);

/* Fails when a command has other files than its client meant. */
void files_given_check(struct world *world, node_id_t id, const struct files_given *files,
                       const struct command *command, const char *own_name);

#endif
