/* tasks.h - tasks in the simulated world: a model executes them, a client submits jobs of them, and
 * what was executed and what came of it is compared with what must be.
 *
 * How an attempt ends is a hash of the job, the task and the attempt's number: so the outcome of
 * each task is known beforehand, whoever executes it and however often. */
#ifndef CONCLAVE_SIM_TASKS_H
#define CONCLAVE_SIM_TASKS_H

#include "nodes/core/state/task_jobs.h"
#include "tests/sim/world.h"

#define TASKS_MOST 60 /* of a job of this client */

/* What became of a task. */
struct task_outcome {
    job_id_t job;
    uint64_t task;
    enum task_state state;
    uint8_t exit;
};

/* A node has begun a task for the first time: when, by its own (Lamport's) clock. */
struct task_begun {
    node_id_t node;
    incarnation_t incarnation;
    uint64_t clock;
};

/* The client begins, with a few jobs. */
void tasks_open(struct world *world);

/* Nobody submits any, and those that are there are looked at all the same. */
void tasks_watch(struct world *world);

/* What was seen of a task so far; false: nobody began it. */
void tasks_outcome(const struct world *world, job_id_t job, uint64_t task,
                   struct task_outcome *out);
bool tasks_begun(const struct world *world, job_id_t job, uint64_t task, struct task_begun *out);

/* True when it has seen the end of all its jobs; so many were accepted. */
bool tasks_are_idle(const struct world *world);
uint64_t tasks_jobs(const struct world *world);

/* OUTPUT_TASK and OUTPUT_TASK_CANCEL of a node; an attempt ends. */
void tasks_begin(struct world *world, node_id_t id, const struct task_order *order);
void tasks_cancel(struct world *world, node_id_t id, const struct task_order *order);
void tasks_end(struct world *world, const struct pending *pending);

/* A node's scratch disk did not take a segment of this stored value: attempts may fail for that. */
void tasks_files_refused(struct world *world, job_id_t value);

/* A node has applied more of the log: no outcome of a task has changed, and each is the one that
 * must be (T15, T16, T19). */
void tasks_check(struct world *world, node_id_t id);

void tasks_free(struct world *world);

#endif
