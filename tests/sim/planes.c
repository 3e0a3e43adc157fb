/* Faults of one plane, and disks that hang without failing: what heartbeats do not tell. */
#include <inttypes.h>

#include "tests/sim/world.h"

static const char *plane_text(enum plane plane)
{
    static const char *const texts[PLANE_COUNT] = {
        [PLANE_CONTROL] = "control",     [PLANE_CHANNEL] = "channel", [PLANE_CHECKPOINT] = "log's",
        [PLANE_HEARTBEAT] = "heartbeat", [PLANE_VALUE] = "value",
    };
    return texts[plane];
}

bool planes_are_cut(const struct world *world, node_id_t from, node_id_t to, enum plane plane)
{
    return world_is_cut(world, from, to) || world->planes[from][to][plane].cut_us > world->now_us;
}

uint64_t planes_clog_us(const struct world *world, node_id_t from, node_id_t to, enum plane plane)
{
    uint64_t pair_us = world->clog_until_us[from][to],
             plane_us = world->planes[from][to][plane].clog_us;
    return pair_us > plane_us ? pair_us : plane_us;
}

void world_cut_plane(struct world *world, node_id_t from, node_id_t to, enum plane plane,
                     uint64_t for_us)
{
    world_say(world, from, "does not reach %u on the %s plane for %" PRIu64 " ms", to,
              plane_text(plane), for_us / 1000);
    world_count(world, FAULT_CUT_PLANE);
    world_extend(&world->planes[from][to][plane].cut_us, world->now_us + for_us);
}

void world_clog_plane(struct world *world, node_id_t from, node_id_t to, enum plane plane,
                      uint64_t for_us)
{
    world_say(world, from, "its link to %u is clogged on the %s plane for %" PRIu64 " ms", to,
              plane_text(plane), for_us / 1000);
    world_count(world, FAULT_CLOG_PLANE);
    world_extend(&world->planes[from][to][plane].clog_us, world->now_us + for_us);
}

/* --- disks --- */

void world_hang_disk(struct world *world, node_id_t id, uint64_t for_us)
{
    world_say(world, id, "its disk hangs for %" PRIu64 " ms", for_us / 1000);
    world_count(world, FAULT_HANG_DISK);
    world_extend(&world->nodes[id].disk_hung_until_us, world->now_us + for_us);
}

void disk_begins(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    if (!node->disk_pieces++)
        node->disk_moved_us = world->now_us;
}

void disk_ends(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    node->disk_pieces--;
    node->disk_moved_us = world->now_us;
}

/* Values that wait for room on a full disk are not what it is at. */
uint64_t disk_is_busy_us(const struct world *world, node_id_t id)
{
    const struct world_node *node = &world->nodes[id];
    bool full = node->disk_full_until_us > world->now_us;
    if (!node->disk_pieces || full)
        return 0;
    return (world->now_us - node->disk_moved_us) * node->clock.rate / UINT64_C(1000000);
}
