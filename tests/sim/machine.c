#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "tests/sim/bank.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rot.h"
#include "tests/sim/task_disk.h"
#include "tests/sim/tasks.h"

struct map_key machine_value_key(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

void machine_put_value(struct map *map, struct value_id id, struct blob *blob)
{
    struct blob *before = map_put(map, machine_value_key(id), blob_ref(blob));
    blob_drop(&before);
}

void machine_drop_values(struct map *map, struct value_id id)
{
    struct map kept = {0};
    struct map_key key;
    struct blob *blob;
    for (size_t at = 0; (blob = map_next(map, &at, &key));) {
        if ((id.job == JOB_NONE || key.a == id.job) && (!id.op || key.b == id.op))
            blob_drop(&blob);
        else
            map_put(&kept, key, blob);
    }
    map_clear(map);
    *map = kept;
}

/* --- values --- */

void machine_report(struct world *world, node_id_t id, const struct store_report *report)
{
    struct event event;
    if (store_report_event(report, id, &event))
        world_step(world, id, &event);
}

static void kept(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    disk_ends(world, pending->to);
    node->value_bytes += pending->blob->len;
    if (pending->ok) {
        machine_put_value(&node->kept, pending->id, pending->blob);
        rot_mend(node, pending->id);
    }
    oracle_kept(world, pending->to, pending->id);
    bank_value_kept(world, pending->to, pending->id, pending->blob);
}

void machine_pending(struct world *world, struct pending *pending)
{
    struct store_report report = {.kind = STORE_KEPT, .user = pending->user, .id = pending->id};
    switch (pending->kind) {
    case PENDING_COMPUTED:
        executor_finished(world, pending->to);
        return;
    case PENDING_TASK:
        tasks_end(world, pending);
        return;
    case PENDING_PULL:
        values_pull(world, pending->to);
        return;
    case PENDING_LISTED:
        values_list(world, pending);
        return;
    case PENDING_HASHED:
        values_hashed(world, pending);
        return;
    case PENDING_SPILLED:
        spilled_end(world, pending);
        return;
    case PENDING_STAGED:
        task_disk_end(world, pending);
        return;
    case PENDING_NOT_KEPT:
        report.error = ERR_NOT_FOUND;
        break;
    case PENDING_KEPT:
        kept(world, pending);
        break;
    case PENDING_LOST:
        report.kind = STORE_SCRUBBED;
        report.error = ERR_CORRUPT;
        break;
    case PENDING_SCRUB:
        rot_scrub(world, pending->to);
        return;
    case PENDING_ROT:
        rot_strike(world, pending->to);
        return;
    default:
        return;
    }
    machine_report(world, pending->to, &report);
}

static void keep(struct world *world, node_id_t id, const struct output *output)
{
    struct world_node *node = &world->nodes[id];
    struct value_id value = output->keep.id;
    struct blob *new = output->keep.value ? output->keep.value : values_get(&node->values, value);
    if (output->keep.user == USER_FILES) {
        task_disk_write(world, id, value, new);
        return;
    }
    if (!new)
        new = map_get(&node->spilled, machine_value_key(value));
    /* Without bytes it is asked whether the file is there: that it is rotten is not seen. */
    struct blob *blob = new ? new : rot_look(node, value);
    bool here = rot_read(node, value) != NULL;
    if (blob)
        disk_begins(world, id);
    world_post(world,
               &(struct pending){.at_us = here || !blob ? world->now_us + 1 : disk_time(world, id),
                                 .kind = blob ? PENDING_KEPT : PENDING_NOT_KEPT,
                                 .to = id,
                                 .incarnation = node->incarnation,
                                 .user = output->keep.user,
                                 .id = value,
                                 .ok = new != NULL,
                                 .blob = blob_ref(blob)});
}

void machine_output(struct world *world, node_id_t id, const struct output *output)
{
    struct world_node *node = &world->nodes[id];
    switch (output->kind) {
    case OUTPUT_PERSIST:
        disk_persist(world, id, output);
        break;
    case OUTPUT_SEND:
        disk_gate(world, id, output, output->send.message);
        break;
    case OUTPUT_REPLY:
        disk_gate(world, id, output, output->reply.message);
        break;
    case OUTPUT_PUBLISH:
        if (output->publish->type == MESSAGE_EVENT &&
            slice_equals(output->publish->as.event.event, "values_lost"))
            world_count(world, FAULT_HELD_VALUE);
        disk_gate(world, id, output, output->publish);
        break;
    case OUTPUT_COMPUTE:
        executor_start(world, id, &output->compute);
        break;
    case OUTPUT_CANCEL:
        executor_cancel(world, id, output->cancel.id, output->cancel.attempt);
        break;
    case OUTPUT_FEED:
        values_feed(world, id, &output->feed);
        break;
    case OUTPUT_TASK:
        tasks_begin(world, id, &output->task);
        break;
    case OUTPUT_TASK_CANCEL:
        tasks_cancel(world, id, &output->task);
        break;
    case OUTPUT_FETCH:
        values_fetch(world, id, &output->fetch);
        break;
    case OUTPUT_KEEP:
        keep(world, id, output);
        break;
    case OUTPUT_DROP:
        if (output->drop.user == USER_FILES)
            task_disk_drop(world, id, output->drop.id);
        else
            values_let_go(world, id, output->drop.user, output->drop.id);
        break;
    case OUTPUT_SPILL:
        spilled_order(world, id, &output->spill);
        break;
    case OUTPUT_LIST:
        world_post(world, &(struct pending){.at_us = world->now_us + world->options.disk_us,
                                            .kind = PENDING_LISTED,
                                            .to = id,
                                            .incarnation = node->incarnation,
                                            .seq = output->list.job,
                                            .id = output->list.after});
        break;
    case OUTPUT_FORGET:
        for (size_t i = 0; i < output->forget.n; i++)
            machine_drop_values(&node->kept, output->forget.ids[i]);
        break;
    case OUTPUT_RELINK:
        net_relink(world, id, output->relink.peer, output->relink.plane);
        break;
    case OUTPUT_LOG:
        world_say(world, id, "%s", output->log.text);
        break;
    }
}

void machine_lose(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    values_lose(world, id);
    spilled_lose(world, id);
    task_disk_lose(world, id);
    disk_drop_held(world, id);
    executor_lose(world, id);
    node->disk_busy_us = 0;
    node->disk_pieces = node->value_bytes = 0;
}
