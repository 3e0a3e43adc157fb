#include <inttypes.h>

#include "tests/sim/world.h"

void world_pace(struct world *world, node_id_t id, uint64_t op_us)
{
    world_say(world, id, "takes %u us for each operation", (unsigned)op_us);
    world->nodes[id].op_us = op_us;
}

void world_refuse(struct world *world, node_id_t id, bool refuses)
{
    world_say(world, id, refuses ? "refuses whatever it should compute" : "computes again");
    world->nodes[id].refuses = refuses;
}

void world_stop(struct world *world, node_id_t id, bool injected)
{
    struct event event = {.kind = EVENT_STOP, .stop = {.injected = injected}};
    world_say(world, id, injected ? "fails, as it was asked to" : "is asked to end");
    world_step(world, id, &event);
    world_run(world, 2 * (world->options.delay_us + world->options.jitter_us));
    world_crash(world, id);
}

uint64_t failures_op_us(const struct world *world, node_id_t id)
{
    if (world->nodes[id].refuses)
        return 0;
    return world->nodes[id].op_us ? world->nodes[id].op_us : world->options.op_us;
}

void failures_compute(struct world *world, node_id_t id, const struct compute_op *op,
                      struct computed *computed, uint64_t end_us)
{
    struct world_node *node = &world->nodes[id];
    node->computed++;
    if (node->refuses) {
        computed->error = "this worker refuses everything";
        computed->operations = 0;
    }
    if (world->options.poison && op->id.op == world->options.poison)
        world_post(world, &(struct pending){.at_us = end_us - 1,
                                            .kind = PENDING_DEATH,
                                            .to = id,
                                            .incarnation = node->incarnation});
}

/* --- processes and clocks --- */

void world_pause(struct world *world, node_id_t id, uint64_t for_us)
{
    world_say(world, id, "is stopped for %" PRIu64 " ms", for_us / 1000);
    world_count(world, FAULT_PAUSE);
    world_extend(&world->nodes[id].paused_until_us, world->now_us + for_us);
}

void world_jump(struct world *world, node_id_t id, int64_t by_ms)
{
    world_say(world, id, "its wall clock is set by %" PRId64 " s", by_ms / 1000);
    world_count(world, FAULT_CLOCK_JUMP);
    world->nodes[id].clock.wall_offset_ms += by_ms;
}
