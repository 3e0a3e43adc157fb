/* tasks.h - tasks in the simulated world: a model executes them, a client submits jobs of them, and
 * what was executed and what came of it is compared with what must be.
 *
 * How an attempt ends is a hash of the job, the task and the attempt's number: so the outcome of
 * each task is known beforehand, whoever executes it and however often. */
#ifndef CONCLAVE_SIM_TASKS_H
#define CONCLAVE_SIM_TASKS_H

#include "tests/sim/world.h"

/* The client begins, with a few jobs. */
void tasks_open(struct world *world);

/* True when it has seen the end of all its jobs; so many were accepted. */
bool tasks_are_idle(const struct world *world);
uint64_t tasks_jobs(const struct world *world);

/* OUTPUT_TASK and OUTPUT_TASK_CANCEL of a node; an attempt ends. */
void tasks_begin(struct world *world, node_id_t id, const struct task_order *order);
void tasks_cancel(struct world *world, node_id_t id, const struct task_order *order);
void tasks_end(struct world *world, const struct pending *pending);

/* A node has applied more of the log: no outcome of a task has changed, and each is the one that
 * must be (T15, T16, T19). */
void tasks_check(struct world *world, node_id_t id);

void tasks_free(struct world *world);

#endif
