/* How a cluster begins, and how it must not begin again. */
#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "tests/harness/inside.h"
#include "tests/sim/swarm.h"
#include "tests/sim/world.h"

#define LATE_ONE_IN   3 /* seeds in which a voter is missing at first */
#define LATE_MAX_US   (6 * SECOND_US)
#define ASKER_OF_INIT (WORLD_ASKERS_MAX - 1)
#define ALONE_US      (5 * SECOND_US) /* many election timeouts */

/* Who is missing at first is admitted when it comes; or the cluster waits for it. */
void beginning_start(struct world *world)
{
    uint32_t voters = world_voters(world);
    node_id_t late = NODE_NONE;
    if (voters > 2 && world_random(world, LATE_ONE_IN) == 0)
        late = 1 + (node_id_t)world_random(world, voters);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start_later(world, id, world_random(world, id == late ? LATE_MAX_US : 100 * MS_US));
    if (late && world_random(world, 2)) {
        world_say(world, NODE_NONE, "node %u is late; a client founds without it", late);
        world_ask(world, ASKER_OF_INIT, late == 1 ? 2 : 1, message_new(MESSAGE_INIT));
    }
}

static void check_cluster(const struct world *world, const struct identity *cluster)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (node && step_is_founded(inside_step(node)) &&
            !identity_same_cluster(&inside_step(node)->identity, cluster))
            world_fail(world, "R32: a wiped majority does not begin again",
                       "node %u belongs to another cluster now", id);
    }
}

/* At the end of all: a majority of the voters loses its disks. Empty is not new: alone they do
 * nothing, and with the others too few disks count. */
void beginning_again(struct world *world)
{
    uint32_t voters = world_voters(world), quorum = voters / 2 + 1, wiped = 0;
    if (voters < 3 || !world_coordinator(world) || world_random(world, 4))
        return;
    struct identity cluster = inside_step(world->nodes[world_coordinator(world)].core)->identity;
    world_say(world, NODE_NONE, "a majority of the disks is lost");
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_crash(world, id);
    node_id_t first = 1 + (node_id_t)world_random(world, voters - quorum + 1);
    for (node_id_t id = first; wiped < quorum; id++, wiped++)
        world_wipe(world, id);
    for (node_id_t id = first; id < first + quorum; id++)
        world_start(world, id);
    world_run(world, ALONE_US);
    check_cluster(world, &cluster);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start(world, id);
    world_run(world, ALONE_US);
    if (world_coordinator(world))
        world_fail(world, "R32: a wiped majority serves nothing", "node %u serves",
                   world_coordinator(world));
}
