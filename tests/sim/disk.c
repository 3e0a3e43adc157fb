#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/brokers.h"
#include "tests/sim/losses.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rot.h"

/* An output that waits for the disk. */
struct held {
    struct held *next;
    struct output output;
    struct message *message; /* owned */
};

/* --- the gate --- */

static void reply(struct world *world, node_id_t id, const struct output *output,
                  struct message *message)
{
    struct message *copy = world_transmit(message);
    oracle_replied(world, id, message);
    if (output->reply.chunk) {
        struct blob *value = rot_read(&world->nodes[id], output->reply.id);
        if (!value && rot_is_damaged(&world->nodes[id], output->reply.id)) {
            /* The answer waits for the repair. Here the client always asks again meanwhile. */
            rot_found(world, id, output->reply.id);
            message_drop(&copy);
            return;
        }
        if (!value)
            world_fail(world, "a result stays on disk", "node %u lost it", id);
        struct blob *part = blob_copy(value->at + output->reply.offset, output->reply.len);
        message_add_frame(copy, part);
        blob_drop(&part);
    }
    brokers_answer(world, id, output->reply.client, copy);
}

static void let_out(struct world *world, node_id_t id, const struct output *output,
                    struct message *message)
{
    if (output->kind == OUTPUT_SEND)
        oracle_sent(world, id, output->send.to, message);
    else if (output->kind == OUTPUT_PUBLISH)
        oracle_sent(world, id, NODE_NONE, message);
    if (output->kind == OUTPUT_SEND)
        net_send(world, id, output->send.plane, output->send.to, message);
    else if (output->kind == OUTPUT_PUBLISH)
        net_publish(world, id, message);
    else
        reply(world, id, output, message);
}

static bool same_destination(const struct output *a, const struct output *b)
{
    if (a->kind != b->kind || a->kind != OUTPUT_SEND)
        return a->kind == b->kind;
    return a->send.to == b->send.to && a->send.plane == b->send.plane;
}

/* As in the runtime: order is kept for each destination, not between them. */
void disk_gate(struct world *world, node_id_t id, const struct output *output,
               struct message *message)
{
    struct world_node *node = &world->nodes[id];
    bool waits = output->after_seq > node->disk_seq;
    for (struct held *held = node->held_first; held && !waits; held = held->next)
        waits = same_destination(&held->output, output);
    if (!waits) {
        let_out(world, id, output, message);
        return;
    }
    struct held *held = mem_new(1, sizeof *held);
    held->output = *output;
    held->message = message_ref(message);
    *(node->held_last ? &node->held_last->next : &node->held_first) = held;
    node->held_last = held;
}

/* True when one that is held before it has the same destination. */
static bool is_behind(const struct world_node *node, const struct held *held)
{
    for (const struct held *it = node->held_first; it != held; it = it->next)
        if (same_destination(&it->output, &held->output))
            return true;
    return false;
}

static void flush_held(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct held **at = &node->held_first, *last = NULL;
    while (*at) {
        struct held *held = *at;
        if (held->output.after_seq > node->disk_seq || is_behind(node, held)) {
            last = held;
            at = &held->next;
            continue;
        }
        *at = held->next;
        let_out(world, id, &held->output, held->message);
        message_drop(&held->message);
        free(held);
    }
    node->held_last = last;
}

/* --- the disk --- */

uint64_t disk_time(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    uint64_t start = node->disk_busy_us > world->now_us ? node->disk_busy_us : world->now_us;
    uint64_t slow_us = node->disk_slow_until_us > world->now_us ? node->disk_slow_us : 0;
    node->disk_busy_us = start + slow_us + world->options.disk_us / 2 +
                         world_random(world, world->options.disk_us + 1);
    return node->disk_busy_us;
}

void disk_persist(struct world *world, node_id_t id, const struct output *output)
{
    size_t n = output->persist.n;
    struct write *writes = mem_new(n, sizeof *writes);
    for (size_t i = 0; i < n; i++)
        writes[i] = write_copy(&output->persist.writes[i]);
    disk_begins(world, id);
    world_post(world, &(struct pending){.at_us = disk_time(world, id),
                                        .kind = PENDING_DISK,
                                        .to = id,
                                        .incarnation = world->nodes[id].incarnation,
                                        .seq = output->persist.seq,
                                        .writes = writes,
                                        .n_writes = n});
}

void disk_discard_writes(struct write *writes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        write_drop(&writes[i]);
    free(writes);
}

static void write_entry(struct world *world, node_id_t id, const struct write *write)
{
    struct world_node *node = &world->nodes[id];
    entries_cut(&node->log, write->index);
    if (write->index != entries_last(&node->log) + 1)
        world_fail(world, "the log on disk has no gap",
                   "node %u writes entry %" PRIu64 " after %" PRIu64, id, write->index,
                   entries_last(&node->log));
    entries_add(&node->log, write->term, write->entry);
}

/* Parts that were written before are not given again: those it names must be there. */
static void write_checkpoint(struct world *world, node_id_t id, const struct write *write)
{
    struct world_node *node = &world->nodes[id];
    if (!entries_checkpoint(&node->log, &node->checkpoint, write))
        world_fail(world, "a checkpoint is whole on disk",
                   "node %u counts on a part of its checkpoint up to %" PRIu64
                   " that its disk has not",
                   id, write->index);
}

static void write_record(struct world *world, node_id_t id, const struct write *write)
{
    losses_write(world, id, write);
    records_write(&world->nodes[id].records, write);
}

void disk_write_one(struct world *world, node_id_t id, const struct write *write)
{
    struct world_node *node = &world->nodes[id];
    if (write->kind == WRITE_VOTE)
        node_durable_write(&node->durable, write);
    else if (write->kind == WRITE_ENTRY)
        write_entry(world, id, write);
    else if (write->kind == WRITE_CHECKPOINT)
        write_checkpoint(world, id, write);
    else if (write->kind == WRITE_RECORD)
        write_record(world, id, write);
    else
        entries_cut(&node->log, write->index);
    oracle_wrote(world, id, write);
}

static void write_all(struct world *world, const struct pending *pending)
{
    for (size_t i = 0; i < pending->n_writes; i++)
        disk_write_one(world, pending->to, &pending->writes[i]);
}

void disk_done(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    disk_ends(world, pending->to);
    if (world_chance(world, world->options.disk_failures)) {
        /* Nobody knows whether what failed is on disk. */
        world_count(world, FAULT_FAILED_DISK);
        if (world_random(world, 2))
            write_all(world, pending);
        node->disk_failed = true;
        return;
    }
    write_all(world, pending);
    world_post(world, &(struct pending){.at_us = world->now_us,
                                        .kind = PENDING_SYNCED,
                                        .to = pending->to,
                                        .incarnation = pending->incarnation,
                                        .seq = pending->seq});
}

void disk_synced(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    node->disk_seq = pending->seq;
    oracle_synced(world, pending->to);
    flush_held(world, pending->to);
    machine_report(world, pending->to,
                   &(struct store_report){.kind = STORE_PERSISTED, .seq = pending->seq});
}

/* The transaction of this node that comes first of those under way; NULL: there is none. */
static struct pending *first_under_way(struct world *world, node_id_t id, uint64_t after_seq)
{
    struct pending *first = NULL;
    for (size_t i = 0; i < world->heap_n; i++) {
        struct pending *it = &world->heap[i];
        if (it->kind == PENDING_DISK && it->to == id &&
            it->incarnation == world->nodes[id].incarnation && it->seq > after_seq &&
            (!first || it->seq < first->seq))
            first = it;
    }
    return first;
}

/* Of the transactions under way the first ones may be on disk, though nobody was told; the next one
 * may be half written, and is dropped whole when the disk is read again (R23); the rest is lost. */
void disk_crash(struct world *world, node_id_t id)
{
    struct pending *it = first_under_way(world, id, 0);
    while (it && !world->nodes[id].disk_failed &&
           world_chance(world, world->options.unsynced_kept)) {
        world_count(world, FAULT_UNSYNCED_KEPT);
        write_all(world, it);
        it = first_under_way(world, id, it->seq);
    }
    if (it && it->at_us < world->now_us + world->options.disk_us)
        world_count(world, FAULT_TORN);
    for (; it; it = first_under_way(world, id, it->seq))
        world_count(world, FAULT_UNSYNCED_LOST);
}

void disk_drop_held(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    while (node->held_first) {
        struct held *held = node->held_first;
        node->held_first = held->next;
        message_drop(&held->message);
        free(held);
    }
    node->held_last = NULL;
}

void disk_restore(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    const struct checkpoint *checkpoint = node->checkpoint;
    const struct kept_record *refused = NULL;
    for (size_t i = 0; checkpoint && i < checkpoint->n; i++)
        if (node_restore_part(node->core,
                              (struct slice){checkpoint->parts[i]->at, checkpoint->parts[i]->len}))
            world_fail(world, "a node can read its own disk",
                       "node %u refuses part %zu of its checkpoint", id, i);
    for (size_t i = 0; i < node->log.n; i++)
        if (node_restore_entry(node->core, node->log.base + i + 1, node->log.at[i].term,
                               node->log.at[i].packed))
            world_fail(world, "a node can read its own disk",
                       "node %u refuses entry %" PRIu64 " of its log", id, node->log.base + i + 1);
    if (records_restore(&node->records, node->core, &refused))
        world_fail(world, "a node can read its own disk", "node %u refuses its record '%c'", id,
                   refused->key[0]);
    if (node_restore_end(node->core))
        world_fail(world, "a node can read its own disk", "node %u: records are missing", id);
}

void disk_wipe(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    checkpoint_drop(&node->checkpoint);
    records_clear(&node->records);
    entries_clear(&node->log);
    machine_drop_values(&node->kept, (struct value_id){0});
    map_clear(&node->kept);
    rot_forget(node);
    node->durable = (struct node_durable){0};
}

void world_slow_disk(struct world *world, node_id_t id, uint64_t by_us, uint64_t for_us)
{
    world_say(world, id, "its disk takes %" PRIu64 " ms longer for %" PRIu64 " ms", by_us / 1000,
              for_us / 1000);
    world_count(world, FAULT_SLOW_DISK);
    world->nodes[id].disk_slow_us = by_us;
    world->nodes[id].disk_slow_until_us = world->now_us + for_us;
}
