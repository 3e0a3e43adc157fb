#include "tests/sim/after.h"

#include <inttypes.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/sim/clients.h"
#include "tests/sim/rot.h"
#include "tests/sim/task_disk.h"

#define AFTER_CLIENT (WORLD_CLIENTS_MAX - 1) /* who submits while a minority is stopped */
#define AFTER_N_MAX  200
#define STEPS_MAX    UINT64_C(20000000) /* beyond: something goes round in circles */
#define FOREVER_US   (3600 * SECOND_US) /* of a stop; healing ends it */

bool after_is_good(const struct world *world)
{
    const struct node *node = world->nodes[world_coordinator(world)].core;
    uint32_t voters = world_voters(world);
    return node && health_is_good(inside_raft(node)) &&
           health_may_fail(inside_raft(node)) == voters - (voters / 2 + 1);
}

bool after_is_empty(const struct world *world)
{
    return !inside_state(world->nodes[world_coordinator(world)].core)->jobs.open;
}

void after_check_circles(const struct world *world)
{
    if (world->counts.steps > STEPS_MAX)
        world_fail(world, "nothing goes round in circles", "%" PRIu64 " steps",
                   world->counts.steps);
}

bool after_is_settled(const struct world *world)
{
    return world_is_idle(world) && world_coordinator(world) && world_is_equal(world) &&
           after_is_good(world) && after_is_empty(world);
}

bool after_wait_for(struct world *world, bool (*condition)(const struct world *), uint64_t for_us)
{
    for (uint64_t until_us = world->now_us + for_us; !condition(world);) {
        if (world->now_us >= until_us)
            return false;
        world_run(world, 20 * MS_US);
        after_check_circles(world);
    }
    return true;
}

void after_check_values(const struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        if (world->nodes[id].paused_until_us <= world->now_us)
            task_disk_check_gone(world, id);
    for (node_id_t id = 1; id <= world_voters(world); id++) {
        const struct world_node *node = &world->nodes[id];
        const struct jobs *jobs = &inside_state(node->core)->jobs;
        for (size_t i = 0; i < jobs->n; i++) {
            const struct job *job = jobs->at[i];
            struct value_id value = {job->id, job_text_op(job)};
            if (job->state == JOB_DONE && job->digits && !job->text && !rot_read(node, value))
                world_fail(world, "after healing every result is on every voter's disk",
                           "node %u lacks that of job %zu", id, i + 1);
        }
    }
}

bool after_stop_minority(struct world *world)
{
    uint32_t voters = world_voters(world), most = voters - (voters / 2 + 1);
    if (!most)
        return false;
    uint32_t stops = 1 + (uint32_t)world_random(world, most);
    world_say(world, NODE_NONE, "a minority of %u of %u voters stops", stops, voters);
    world_count(world, FAULT_MINORITY);
    while (stops) {
        node_id_t id = 1 + (node_id_t)world_random(world, voters);
        struct world_node *node = &world->nodes[id];
        if (!node->core || node->paused_until_us > world->now_us)
            continue;
        if (world_random(world, 2))
            world_crash(world, id);
        else
            world_pause(world, id, FOREVER_US);
        stops--;
    }
    world_client(world, AFTER_CLIENT, 1, AFTER_N_MAX);
    return true;
}

bool after_job_done(const struct world *world)
{
    return world->clients[AFTER_CLIENT].wish == WISH_NONE;
}
