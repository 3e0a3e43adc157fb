/* The execution of tasks as a model: how long an attempt takes and how it ends are a hash of the
 * job, the task and the attempt. */
#include "tests/sim/tasks.h"

void tasks_begin(struct world *world, node_id_t id, const struct task_order *order)
{
    (void)world;
    (void)id;
    (void)order;
}

void tasks_cancel(struct world *world, node_id_t id, const struct task_order *order)
{
    (void)world;
    (void)id;
    (void)order;
}
