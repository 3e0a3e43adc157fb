#include "tests/sim/task_disk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/tasks.h"

struct staged {
    struct value_id id;
    uint64_t serial; /* as a segment may be dropped and come again while it is written */
    struct blob *bytes;
    bool here;
};

static struct staged *find(const struct world *world, node_id_t id, struct value_id value)
{
    return map_get(&world->nodes[id].staged, machine_value_key(value));
}

static uint64_t time_of(struct world *world, node_id_t id)
{
    const struct world_node *node = &world->nodes[id];
    uint64_t slow_us = node->disk_slow_until_us > world->now_us ? node->disk_slow_us : 0;
    return world->now_us + slow_us + world->options.disk_us / 2 +
           world_random(world, world->options.disk_us + 1);
}

void task_disk_write(struct world *world, node_id_t id, struct value_id value, struct blob *bytes)
{
    struct world_node *node = &world->nodes[id];
    struct staged *staged = mem_new(1, sizeof *staged);
    task_disk_drop(world, id, value);
    *staged = (struct staged){value, ++node->staged_serial, blob_ref(bytes), false};
    map_put(&node->staged, machine_value_key(value), staged);
    world_post(world, &(struct pending){.at_us = time_of(world, id),
                                        .kind = PENDING_STAGED,
                                        .to = id,
                                        .incarnation = node->incarnation,
                                        .id = value,
                                        .seq = staged->serial});
}

void task_disk_end(struct world *world, const struct pending *pending)
{
    const struct world_node *node = &world->nodes[pending->to];
    struct staged *staged = find(world, pending->to, pending->id);
    bool fails = world_chance(world, world->options.scratch_failures);
    bool full = node->disk_full_until_us > world->now_us || (fails && world_random(world, 2));
    if (!staged || staged->serial != pending->seq)
        return; /* nobody waits for it any more */
    staged->here = !full && !fails;
    world_count(world, full ? FAULT_STAGED_FULL : fails ? FAULT_STAGED_FAILED : FAULT_STAGED);
    if (!staged->here)
        tasks_files_refused(world, pending->id.job);
    struct event event = {.kind = staged->here ? EVENT_VALUE_KEPT : EVENT_VALUE_FAILED};
    event.value.user = USER_FILES;
    event.value.id = pending->id;
    event.value.full = full;
    world_step(world, pending->to, &event);
}

void task_disk_drop(struct world *world, node_id_t id, struct value_id value)
{
    struct staged *staged = map_remove(&world->nodes[id].staged, machine_value_key(value));
    if (staged)
        blob_drop(&staged->bytes);
    free(staged);
}

/* --- what commands read --- */

const char *task_disk_path(const struct world *world, node_id_t id, const struct task_part *part,
                           char room[TASK_DISK_PATH_MAX])
{
    const struct staged *staged = find(world, id, part->id);
    if (!staged || !staged->here || staged->bytes->len != part->len)
        return NULL;
    text_format(room, TASK_DISK_PATH_MAX, "%" PRIu64 "-%" PRIu64, part->id.job, part->id.op);
    return room;
}

const struct blob *task_disk_read(const struct world *world, node_id_t id, const char *path)
{
    char *end;
    struct value_id value = {.job = strtoull(path, &end, 10)};
    value.op = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
    const struct staged *staged = find(world, id, value);
    return staged && staged->here ? staged->bytes : NULL;
}

/* --- the end --- */

void task_disk_check_gone(const struct world *world, node_id_t id)
{
    const struct world_node *node = &world->nodes[id];
    if (node->core && node->staged.count)
        world_fail(world, "files of tasks go with their job",
                   "node %u: %zu segments are on the scratch disk", id, node->staged.count);
}

void task_disk_lose(struct world *world, node_id_t id)
{
    struct map *map = &world->nodes[id].staged;
    struct map_key key;
    for (size_t at = 0; map_next(map, &at, &key); at = 0)
        task_disk_drop(world, id, (struct value_id){key.a, key.b});
    map_clear(map);
}
