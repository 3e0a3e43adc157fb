/* tasks.h - tasks in the simulated world: a model executes them, clients submit jobs of them, and
 * what was executed is counted. */
#ifndef CONCLAVE_SIM_TASKS_H
#define CONCLAVE_SIM_TASKS_H

#include "tests/sim/world.h"

/* OUTPUT_TASK and OUTPUT_TASK_CANCEL of a node. */
void tasks_begin(struct world *world, node_id_t id, const struct task_order *order);
void tasks_cancel(struct world *world, node_id_t id, const struct task_order *order);

#endif
