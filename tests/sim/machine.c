#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/integer.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/sim/world.h"

/* An output that waits for the disk. */
struct held {
    struct held *next;
    struct output output;
    struct message *message; /* owned */
};

static struct map_key value_key(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static void put_value(struct map *map, struct value_id id, struct blob *blob)
{
    struct blob *before = map_put(map, value_key(id), blob_ref(blob));
    blob_drop(&before);
}

static struct blob *find_value(const struct world_node *node, struct value_id id)
{
    struct blob *blob = map_get(&node->values, value_key(id));
    return blob ? blob : map_get(&node->kept, value_key(id));
}

static void drop_values(struct map *map, struct value_id id)
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

/* --- the gate --- */

static void reply(struct world *world, node_id_t id, const struct output *output,
                  struct message *message)
{
    struct message *copy = world_transmit(message);
    if (output->reply.chunk) {
        struct blob *value = map_get(&world->nodes[id].kept, value_key(output->reply.id));
        if (!value)
            panic("seed %" PRIu64 ": node %u lost a kept value", world->options.seed, id);
        struct blob *part = blob_copy(value->at + output->reply.offset, output->reply.len);
        message_add_frame(copy, part);
        blob_drop(&part);
    }
    world_post(world, &(struct pending){.at_us = world->now_us + world->options.delay_us,
                                        .kind = PENDING_REPLY,
                                        .from = id,
                                        .message = copy,
                                        .client = (unsigned)(output->reply.client >> 32),
                                        .seq = output->reply.client & UINT32_MAX});
}

static void let_out(struct world *world, node_id_t id, const struct output *output,
                    struct message *message)
{
    if (output->kind == OUTPUT_SEND)
        net_send(world, id, output->send.plane, output->send.to, message);
    else if (output->kind == OUTPUT_PUBLISH)
        net_publish(world, id, message);
    else
        reply(world, id, output, message);
}

static bool same_destination(const struct output *a, const struct output *b)
{
    return a->kind == b->kind &&
           (a->kind != OUTPUT_SEND || (a->send.plane == b->send.plane && a->send.to == b->send.to));
}

/* As the real gate: what waits holds up what comes behind it for the same destination, and nothing
 * else. */
static bool must_wait(const struct world_node *node, const struct output *output,
                      const struct held *before)
{
    if (output->after_seq > node->disk_seq)
        return true;
    for (const struct held *held = node->held_first; held != before; held = held->next)
        if (same_destination(&held->output, output))
            return true;
    return false;
}

static void gate(struct world *world, node_id_t id, const struct output *output,
                 struct message *message)
{
    struct world_node *node = &world->nodes[id];
    if (!must_wait(node, output, NULL)) {
        let_out(world, id, output, message);
        return;
    }
    struct held *held = mem_new(1, sizeof *held);
    held->output = *output;
    held->message = message_ref(message);
    *(node->held_last ? &node->held_last->next : &node->held_first) = held;
    node->held_last = held;
}

void machine_flush_held(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct held *last = NULL;
    for (struct held **at = &node->held_first; *at;) {
        struct held *held = *at;
        if (must_wait(node, &held->output, held)) {
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

static uint64_t disk_time(struct world *world, struct world_node *node)
{
    uint64_t start = node->disk_busy_us > world->now_us ? node->disk_busy_us : world->now_us;
    node->disk_busy_us =
        start + world->options.disk_us / 2 + world_random(world, world->options.disk_us + 1);
    return node->disk_busy_us;
}

static void persist(struct world *world, node_id_t id, const struct output *output)
{
    struct world_node *node = &world->nodes[id];
    size_t n = output->persist.n;
    struct write *writes = mem_new(n, sizeof *writes);
    memcpy(writes, output->persist.writes, n * sizeof *writes);
    for (size_t i = 0; i < n; i++) {
        blob_ref(writes[i].entry);
        struct blob **parts = mem_new(writes[i].n_parts, sizeof *parts);
        for (size_t part = 0; part < writes[i].n_parts; part++)
            parts[part] = blob_ref(writes[i].parts[part]);
        writes[i].parts = parts;
    }
    world_post(world, &(struct pending){.at_us = disk_time(world, node),
                                        .kind = PENDING_DISK,
                                        .to = id,
                                        .incarnation = node->incarnation,
                                        .seq = output->persist.seq,
                                        .writes = writes,
                                        .n_writes = n});
}

void machine_discard_writes(struct write *writes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        blob_drop(&writes[i].entry);
        for (size_t part = 0; part < writes[i].n_parts; part++) {
            struct blob *blob = writes[i].parts[part];
            blob_drop(&blob);
        }
        free((void *)writes[i].parts);
    }
    free(writes);
}

static void truncate_log(struct world_node *node, log_index_t from)
{
    while (node->log_n && node->log_base + node->log_n >= from)
        blob_drop(&node->log[--node->log_n].packed);
}

static void write_entry(struct world_node *node, struct write *write)
{
    truncate_log(node, write->index);
    if (write->index != node->log_base + node->log_n + 1)
        panic("log entry %" PRIu64 " is written behind %" PRIu64, write->index,
              node->log_base + node->log_n);
    if (node->log_n == node->log_size) {
        node->log_size = node->log_size ? 2 * node->log_size : 64;
        node->log = mem_grow(node->log, node->log_size, sizeof *node->log);
    }
    node->log[node->log_n++] = (struct world_entry){write->term, blob_ref(write->entry)};
}

static void drop_image(struct world_node *node)
{
    for (size_t i = 0; i < node->image_n; i++)
        blob_drop(&node->image[i]);
    free(node->image);
    node->image = NULL;
    node->image_n = 0;
}

static void write_image(struct world_node *node, struct write *write)
{
    drop_image(node);
    node->image_n = write->n_parts;
    node->image = mem_new(write->n_parts, sizeof *node->image);
    for (size_t i = 0; i < write->n_parts; i++)
        node->image[i] = blob_ref(write->parts[i]);
    size_t covered = write->index - node->log_base;
    if (write->whole || covered > node->log_n)
        covered = node->log_n;
    for (size_t i = 0; i < covered; i++)
        blob_drop(&node->log[i].packed);
    node->log_n -= covered;
    if (node->log_n)
        memmove(node->log, node->log + covered, node->log_n * sizeof *node->log);
    node->log_base = write->index;
}

static void write_vote(struct world *world, node_id_t id, const struct write *write)
{
    struct world_node *node = &world->nodes[id];
    bool twice = write->term == node->durable.term && node->durable.vote &&
                 write->vote != node->durable.vote;
    if (write->term < node->durable.term || twice)
        panic("seed %" PRIu64 ": node %u votes twice in term %" PRIu64, world->options.seed, id,
              write->term);
    node->durable = (struct node_durable){write->term, write->vote, write->voter};
}

static void disk_done(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    for (size_t i = 0; i < pending->n_writes; i++) {
        struct write *write = &pending->writes[i];
        if (write->kind == WRITE_VOTE)
            write_vote(world, pending->to, write);
        else if (write->kind == WRITE_ENTRY)
            write_entry(node, write);
        else if (write->kind == WRITE_IMAGE)
            write_image(node, write);
        else if (write->kind == WRITE_RECORD)
            records_write(node, write);
        else
            truncate_log(node, write->index);
    }
    node->disk_seq = pending->seq;
    machine_flush_held(world, pending->to);
    struct event event = {.kind = EVENT_PERSISTED, .persisted = pending->seq};
    world_step(world, pending->to, &event);
}

void machine_restore(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    for (size_t i = 0; i < node->image_n; i++)
        if (node_restore_part(node->core, (struct slice){node->image[i]->at, node->image[i]->len}))
            panic("seed %" PRIu64 ": node %u refuses its own full checkpoint", world->options.seed,
                  id);
    for (size_t i = 0; i < node->log_n; i++)
        if (node_restore_entry(node->core, node->log_base + i + 1, node->log[i].term,
                               node->log[i].packed))
            panic("seed %" PRIu64 ": node %u refuses its own log at %zu", world->options.seed, id,
                  i + 1);
    records_restore(world, id);
}

/* --- computing and values --- */

static int operate(const struct world_node *node, const struct compute_op *op, struct blob **out,
                   uint64_t *operations)
{
    struct integer_operand operands[OPERANDS_MAX];
    *operations = 1;
    if (op->count)
        return integer_multiply_leaves(op->first, op->count, out, operations);
    for (size_t i = 0; i < op->n_operands; i++) {
        const struct compute_operand *operand = &op->operands[i];
        operands[i] = (struct integer_operand){operand->literal, operand->blob};
        if (operand->kind == OPERAND_VALUE)
            operands[i].value = find_value(node, operand->id);
        if (operand->kind != OPERAND_LITERAL && !operands[i].value)
            panic("an operand that should be there is not");
    }
    if (op->operator== OPERATOR_TEXT)
        return integer_to_text(operands[0].value, out);
    return integer_multiply(operands, op->n_operands, out);
}

static void compute(struct world *world, node_id_t id, const struct compute_op *op)
{
    struct world_node *node = &world->nodes[id];
    struct computed *computed = mem_new(1, sizeof *computed);
    struct blob *value = NULL;
    int error = operate(node, op, &value, &computed->operations);
    uint64_t took_us = computed->operations * failures_op_us(world, id);
    uint64_t start = node->compute_busy_us > world->now_us ? node->compute_busy_us : world->now_us;
    node->compute_busy_us = start + took_us;
    computed->id = op->id;
    computed->attempt = op->attempt;
    computed->elapsed_us = took_us;
    computed->error = error ? error_text(error) : NULL;
    failures_compute(world, id, op, computed, node->compute_busy_us);
    if (value) {
        size_t edge = value->len < TEXT_EDGE_DIGITS ? value->len : TEXT_EDGE_DIGITS;
        computed->len = value->len;
        hash_bytes(value->at, value->len, computed->hash);
        if (op->operator== OPERATOR_TEXT) {
            memcpy(computed->head, value->at, edge);
            memcpy(computed->tail, value->at + value->len - edge, edge);
        }
    }
    struct pending pending = {.at_us = node->compute_busy_us,
                              .kind = PENDING_COMPUTED,
                              .to = id,
                              .incarnation = node->incarnation,
                              .computed = computed,
                              .id = op->id};
    if (value && value->len <= VALUE_INLINE_MAX_BYTES)
        computed->value = value;
    else
        pending.blob = value;
    world_post(world, &pending);
}

static void fetch(struct world *world, node_id_t id, const struct output *output)
{
    struct world_node *node = &world->nodes[id];
    struct pending pending = {.at_us = world->now_us + 3 * world->options.delay_us + MS_US,
                              .kind = PENDING_VALUE,
                              .to = id,
                              .from = output->fetch.from,
                              .incarnation = node->incarnation,
                              .id = output->fetch.id};
    struct blob *mine = find_value(node, output->fetch.id);
    struct world_node *source = &world->nodes[output->fetch.from];
    struct blob *theirs = source->core ? find_value(source, output->fetch.id) : NULL;
    pending.blob = blob_ref(mine ? mine : theirs);
    if (pending.blob && pending.blob->len != output->fetch.len)
        panic("a value has another length than its reference says");
    world_post(world, &pending);
}

void machine_pending(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    struct event event = {.kind = EVENT_COMPUTED};
    event.computed.at = pending->computed;
    event.computed.n = 1;
    switch (pending->kind) {
    case PENDING_DISK:
        disk_done(world, pending);
        return;
    case PENDING_COMPUTED:
        if (pending->blob)
            put_value(&node->values, pending->id, pending->blob);
        break;
    case PENDING_VALUE: {
        bool reachable =
            !world->cut[pending->from][pending->to] && !world->cut[pending->to][pending->from];
        if (pending->blob && reachable)
            put_value(&node->values, pending->id, pending->blob);
        event.kind = pending->blob && reachable ? EVENT_VALUE_READY : EVENT_VALUE_FAILED;
        event.value.id = pending->id;
        event.value.from = pending->from;
        break;
    }
    case PENDING_KEPT:
        put_value(&node->kept, pending->id, pending->blob);
        event.kind = EVENT_VALUE_KEPT;
        event.value.id = pending->id;
        break;
    default:
        return;
    }
    world_step(world, pending->to, &event);
}

void machine_output(struct world *world, node_id_t id, const struct output *output)
{
    struct world_node *node = &world->nodes[id];
    switch (output->kind) {
    case OUTPUT_PERSIST:
        persist(world, id, output);
        break;
    case OUTPUT_SEND:
        gate(world, id, output, output->send.message);
        break;
    case OUTPUT_REPLY:
        gate(world, id, output, output->reply.message);
        break;
    case OUTPUT_PUBLISH:
        gate(world, id, output, output->publish);
        break;
    case OUTPUT_COMPUTE:
        compute(world, id, &output->compute);
        break;
    case OUTPUT_FETCH:
        fetch(world, id, output);
        break;
    case OUTPUT_KEEP: {
        struct blob *blob =
            output->keep.value ? output->keep.value : find_value(node, output->keep.id);
        if (!blob) {
            world_post(world, &(struct pending){.at_us = world->now_us + 1,
                                                .kind = PENDING_VALUE,
                                                .to = id,
                                                .from = id,
                                                .incarnation = node->incarnation,
                                                .id = output->keep.id});
            break;
        }
        world_post(world, &(struct pending){.at_us = disk_time(world, node),
                                            .kind = PENDING_KEPT,
                                            .to = id,
                                            .incarnation = node->incarnation,
                                            .id = output->keep.id,
                                            .blob = blob_ref(blob)});
        break;
    }
    case OUTPUT_DROP:
        drop_values(&node->values, output->drop.id);
        if (output->drop.kept)
            drop_values(&node->kept, output->drop.id);
        break;
    case OUTPUT_RELINK:
        net_relink(world, id, output->relink.peer, output->relink.plane);
        break;
    case OUTPUT_LOG:
        world_say(world, id, "%s", output->log.text);
        break;
    }
}

void machine_wipe(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    drop_image(node);
    records_wipe(node);
    truncate_log(node, 0);
    free(node->log);
    node->log = NULL;
    node->log_size = 0;
    node->log_base = 0;
    drop_values(&node->kept, (struct value_id){0});
    map_clear(&node->kept);
    node->durable = (struct node_durable){0};
}

void machine_lose(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    drop_values(&node->values, (struct value_id){0});
    while (node->held_first) {
        struct held *held = node->held_first;
        node->held_first = held->next;
        message_drop(&held->message);
        free(held);
    }
    node->held_last = NULL;
    node->disk_busy_us = node->compute_busy_us = 0;
}
