/* task_values.h - the stored values of jobs of commands in the simulated world: what a client
 * uploads, in how many segments, and what the command of each task must be. */
#ifndef CONCLAVE_SIM_TASK_VALUES_H
#define CONCLAVE_SIM_TASK_VALUES_H

#include "tests/sim/files_given.h"

/* How far one of the values is uploaded. */
struct task_upload {
    job_id_t id;     /* JOB_NONE: it was not begun */
    uint64_t stored; /* segments that were acknowledged */
    bool whole;
};

/* Which one: its number among the client's, and how many tasks it has. */
struct task_value {
    uint64_t number, tasks, segments;
    struct files_given files;
    struct task_upload records, bytes; /* of the tasks; of their files */
};

/* What the client submits, once all of it is uploaded. */
void task_value_submit(const struct task_value *value, struct message *message);
bool task_value_is_whole(const struct task_value *value);

/* The next request of the upload; there is one until it is whole. */
struct message *task_value_ask(const struct task_value *value);

/* Takes in the answer; false: the upload is to begin again. */
bool task_value_answered(struct task_value *value, const struct message *answer);

/* Compares the command that a node would run with what the client meant: there is one, it is that
 * of the job and the task, and it has their files. */
void task_value_check(struct world *world, node_id_t id, const struct task_order *order);

#endif
