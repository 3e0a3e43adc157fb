#include "tests/harness/worlds.h"

#include <stdlib.h>

struct world_options worlds_usual(uint64_t seed, uint32_t n_nodes)
{
    return (struct world_options){.seed = seed,
                                  .n_nodes = n_nodes,
                                  .delay_us = 100,
                                  .jitter_us = 200,
                                  .disk_us = 500,
                                  .op_us = 5,
                                  .story = getenv("STORY") != NULL};
}

struct world *worlds_begin(uint64_t seed, uint32_t n_nodes)
{
    return worlds_begin_with(worlds_usual(seed, n_nodes));
}

struct world *worlds_begin_with(struct world_options options)
{
    struct world *world = world_new(&options);
    worlds_start(world);
    world_run(world, SECOND_US);
    return world;
}

void worlds_start(struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start(world, id);
}

bool worlds_serves(const struct world *world)
{
    return world_coordinator(world) != NODE_NONE;
}

bool worlds_is_answered(const struct world *world)
{
    return world->askers[0].answer != NULL;
}
