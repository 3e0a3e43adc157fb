/* Disks that are lost, and disks that come back. */
#include "tests/sim/losses.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

void world_wipe(struct world *world, node_id_t id)
{
    world_say(world, id, "its disk is wiped");
    world_count(world, FAULT_WIPE);
    oracle_wiped(world, id);
    losses_wipe(world, id);
    if (world->nodes[id].durable.voter && identity_is_set(&world->nodes[id].durable.identity)) {
        world->nodes[id].old = world->nodes[id].durable;
        world->nodes[id].old.term = world->nodes[id].old.vote = 0;
    }
    disk_wipe(world, id);
    world->nodes[id].boots = 0;
}

/* One at a time: an admission is committed without the disk that it admits, so of the others that
 * can make a majority with one that is back, one has it. With two that are back nobody else needs
 * to. */
bool world_put_back(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct node_durable old = node->old;
    if (!old.birth || old.birth == node->durable.birth ||
        !oracle_is_replaced(world, id, old.birth) || oracle_has_returned(world, id))
        return false;
    world_wipe(world, id);
    world_say(world, id, "a disk of it that was replaced comes back");
    world_count(world, FAULT_OLD_DISK);
    node->durable = old;
    return true;
}
