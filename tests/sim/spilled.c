/* Values that a worker has no room for in memory, on its disk: one piece of work after another, as
 * the store thread does them. They are lost with the node; now and then one cannot be read, and
 * then it is as if the worker had died with it. */
#include <inttypes.h>

#include "nodes/core/worker/work.h"
#include "shared/base/error.h"
#include "tests/harness/inside.h"
#include "tests/sim/oracle.h"

/* When the worker has tried again by its own clock, which may be slow (drift), and the world has
 * seen what came of it. */
#define TRIED_AGAIN_US (SPILL_RETRY_US + SPILL_RETRY_US / 10)

void spilled_order(struct world *world, node_id_t id, const struct spill_order *order)
{
    struct world_node *node = &world->nodes[id];
    struct blob *value = order->step == SPILL_WRITE ? values_get(&node->values, order->id) : NULL;
    if (order->step == SPILL_UNLOAD) {
        values_drop(&node->values, USER_WORKER, order->id);
        return;
    }
    if (order->step == SPILL_WRITE && !value)
        world_fail(world, "T22: what is spilled is in memory until it is on disk",
                   "node %u: operation %" PRIu64, id, order->id.op);
    if (order->step != SPILL_FORGET)
        disk_begins(world, id);
    world_post(world, &(struct pending){.at_us = disk_time(world, id),
                                        .kind = PENDING_SPILLED,
                                        .to = id,
                                        .incarnation = node->incarnation,
                                        .step = order->step,
                                        .id = order->id,
                                        .seq = order->seq,
                                        .blob = blob_ref(value)});
}

static int write_one(struct world *world, const struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    bool full = node->disk_full_until_us > world->now_us;
    if (!full && world_chance(world, world->options.value_failures)) {
        full = true; /* others had taken the room, and have given it back since */
        node->spill_refused_us = world->now_us;
    }
    world_count(world, full ? FAULT_SPILL_REFUSED : FAULT_SPILLED);
    if (full)
        return ERR_FULL;
    machine_put_value(&node->spilled, pending->id, pending->blob);
    node->value_bytes += pending->blob->len;
    return OK;
}

static int read_one(struct world *world, const struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    struct blob *blob = map_get(&node->spilled, machine_value_key(pending->id));
    bool lost = world_chance(world, world->options.value_failures);
    if (!blob || lost) {
        world_count(world, FAULT_SPILLED_LOST);
        return ERR_CORRUPT;
    }
    values_put(&node->values, pending->id, blob, value_user_bit(USER_WORKER));
    return OK;
}

void spilled_end(struct world *world, const struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    struct store_report report = {.kind = STORE_SPILLED,
                                  .step = pending->step,
                                  .id = pending->id,
                                  .seq = pending->seq};
    if (pending->step == SPILL_FORGET) {
        machine_drop_values(&node->spilled, pending->id);
        return;
    }
    disk_ends(world, pending->to);
    report.error =
        pending->step == SPILL_WRITE ? write_one(world, pending) : read_one(world, pending);
    machine_report(world, pending->to, &report);
}

void spilled_lose(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    machine_drop_values(&node->spilled, (struct value_id){0});
    map_clear(&node->spilled);
}

void spilled_check(const struct world *world, node_id_t id)
{
    const struct world_node *node = &world->nodes[id];
    const struct worker *worker = inside_worker(node->core);
    const struct held_value *value;
    uint64_t limit = world->options.memory_limit;
    if (!limit)
        return;
    for (size_t at = 0; (value = map_next(&worker->held.map, &at, NULL));) {
        bool wanted = value->state == HELD_IN_MEMORY || value->state == HELD_WRITING;
        bool here = values_holds(&node->values, value->id, USER_WORKER);
        if (value->state != HELD_READING && wanted != here)
            world_fail(world, "T22: a value is in memory or on disk, as the worker believes",
                       "node %u: operation %" PRIu64 " of %" PRIu64 " is%s in memory, state %d", id,
                       value->id.op, value->id.job, here ? "" : " not", (int)value->state);
    }
    /* Beyond the limit are what operations of the queue take, and what is on its way to disk. */
    uint64_t beyond = worker->held.bytes[HELD_WRITING] + worker->held.bytes[HELD_READING];
    for (size_t at = 0; (value = map_next(&worker->held.map, &at, NULL));)
        if (value->state == HELD_IN_MEMORY && work_uses(worker, value->id))
            beyond += value->len;
    if (!worker->pressed && held_memory_bytes(&worker->held) > limit + beyond)
        world_fail(world, "T22: held values stay below the limit",
                   "node %u holds %" PRIu64 " bytes in memory, %" PRIu64 " beyond", id,
                   held_memory_bytes(&worker->held), beyond);
    if (worker->pressed && !worker->unspillable &&
        node->disk_full_until_us + TRIED_AGAIN_US < world->now_us &&
        node->spill_refused_us + TRIED_AGAIN_US < world->now_us &&
        held_memory_bytes(&worker->held) > limit + beyond)
        world_fail(world, "T22: a worker is short of memory when its disk has no room",
                   "node %u holds %" PRIu64 " bytes in memory", id,
                   held_memory_bytes(&worker->held));
}
