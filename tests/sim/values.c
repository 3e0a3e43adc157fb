/* The value plane: each node's transfer is the very object of conclave-node, its chunks are
 * messages of the virtual network. What is added here is an account of who waits for what: every
 * fetch ends in exactly one event for who asked (W1), and nobody ends another's, nor swallows a
 * source that another has named (W3). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/values/transfer.h"
#include "shared/base/error.h"
#include "tests/sim/oracle.h"
#include "tests/sim/rot.h"

#define SIM_SLICE 7 /* names in one listing: many slices */

/* A fetch whose end is to come. */
struct want {
    enum value_user user;
    struct value_id id;
    node_id_t from; /* the source that was named last */
    bool asked;     /* it was asked since, or its connection broke */
};

static struct map_key want_key(enum value_user user, struct value_id id)
{
    return (struct map_key){id.job, id.op * VALUE_USERS + user};
}

void values_start(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct transfer_config config = {.self = id,
                                     .len_max = RESULT_MAX_DEFAULT_BYTES,
                                     .chunk_bytes = world->options.chunk_bytes};
    node->transfer = transfer_new(&config, &node->values);
    node->pull_us = 0;
    rot_start(world, id);
}

void values_lose(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct want *want;
    transfer_destroy(&node->transfer);
    values_clear(&node->values);
    for (size_t at = 0; (want = map_next(&node->wants, &at, NULL));)
        free(want);
    map_clear(&node->wants);
}

static struct blob *find(const struct world_node *node, struct value_id id)
{
    struct blob *blob = values_get(&node->values, id);
    if (!blob)
        blob = map_get(&node->spilled, machine_value_key(id));
    return blob ? blob : rot_read(node, id);
}

/* Makes sure that the node looks at its transfer when that is due. */
static void wake(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    uint64_t at_us = world_moment(world, id, transfer_deadline(node->transfer));
    if (at_us == UINT64_MAX || (node->pull_us > world->now_us && node->pull_us <= at_us))
        return;
    node->pull_us = at_us;
    world_post(world, &(struct pending){.at_us = at_us,
                                        .kind = PENDING_PULL,
                                        .to = id,
                                        .incarnation = node->incarnation});
}

/* --- what the core asks for --- */

void values_fetch(struct world *world, node_id_t id, const struct fetch_order *order)
{
    struct world_node *node = &world->nodes[id];
    struct want *want = map_get(&node->wants, want_key(order->user, order->id));
    if (!want) {
        want = mem_new(1, sizeof *want);
        map_put(&node->wants, want_key(order->user, order->id), want);
    }
    *want = (struct want){.user = order->user, .id = order->id, .from = order->from};
    /* It joins one that is being pulled from there. */
    want->asked = transfer_source(node->transfer, order->id) == order->from;
    transfer_fetch(node->transfer, order, world_local_us(world, id));
    wake(world, id);
}

void values_feed(struct world *world, node_id_t id, const struct feed_order *order)
{
    struct world_node *node = &world->nodes[id];
    struct want *want = map_get(&node->wants, want_key(order->user, order->id));
    if (!want) {
        want = mem_new(1, sizeof *want);
        map_put(&node->wants, want_key(order->user, order->id), want);
    }
    *want = (struct want){.user = order->user, .id = order->id, .from = id, .asked = true};
    transfer_feed(node->transfer, order, world_local_us(world, id));
    wake(world, id);
}

/* Nobody else's fetch may end with it. */
static void check_others(const struct world *world, node_id_t id)
{
    const struct world_node *node = &world->nodes[id];
    const struct want *want;
    for (size_t at = 0; (want = map_next(&node->wants, &at, NULL));)
        if (!transfer_is_wanted(node->transfer, want->user, want->id))
            world_fail(world, "W3: nobody cancels another's fetch",
                       "node %u: user %d waits for operation %" PRIu64 " of %" PRIu64
                       ", and nothing will come",
                       id, (int)want->user, want->id.op, want->id.job);
}

void values_let_go(struct world *world, node_id_t id, enum value_user user, struct value_id meant)
{
    struct world_node *node = &world->nodes[id];
    struct map left = {0};
    struct map_key key;
    struct want *want;
    transfer_drop(node->transfer, user, meant, world_local_us(world, id));
    for (size_t at = 0; (want = map_next(&node->wants, &at, &key));) {
        if (want->user == user && value_id_fits(want->id, meant))
            free(want);
        else
            map_put(&left, key, want);
    }
    map_clear(&node->wants);
    node->wants = left;
    check_others(world, id);
    wake(world, id);
}

/* --- what the transfer asks for --- */

static void mark_asked(struct world_node *node, const struct value_id *id, node_id_t from)
{
    struct want *want;
    for (size_t at = 0; (want = map_next(&node->wants, &at, NULL));)
        if (want->from == from && (!id || value_id_same(want->id, *id)))
            want->asked = true;
}

static void end(struct world *world, node_id_t id, const struct transfer_output *output)
{
    struct want *want = map_remove(&world->nodes[id].wants, want_key(output->user, output->id));
    if (!want)
        world_fail(world, "W1: a fetch ends once", "node %u: operation %" PRIu64 " of %" PRIu64, id,
                   output->id.op, output->id.job);
    if (!output->ready && !output->used && !want->asked)
        world_fail(world, "W3: no source that was named is ignored",
                   "node %u: operation %" PRIu64 " of %" PRIu64 " was not asked of node %u", id,
                   output->id.op, output->id.job, want->from);
    free(want);
    struct event event = transfer_event(output);
    event.value.bytes = values_get(&world->nodes[id].values, output->id);
    world_step(world, id, &event);
}

static void carry_out(struct world *world, node_id_t id, const struct transfer_output *output)
{
    switch (output->kind) {
    case TRANSFER_ASK:
        mark_asked(&world->nodes[id], &output->id, output->node);
        net_send(world, id, PLANE_VALUE, output->node, output->message);
        break;
    case TRANSFER_MOVE:
        memcpy(output->blob->at + output->offset, output->piece->at, output->piece->len);
        if (!output->last)
            transfer_moved(world->nodes[id].transfer, output->seq, output->piece->len,
                           world_local_us(world, id));
        else
            world_post(world, &(struct pending){.at_us = world->now_us + world->options.disk_us,
                                                .kind = PENDING_HASHED,
                                                .to = id,
                                                .incarnation = world->nodes[id].incarnation,
                                                .seq = output->seq,
                                                .blob = blob_ref(output->blob)});
        break;
    case TRANSFER_ABANDON:
        break;
    case TRANSFER_END:
        end(world, id, output);
        break;
    }
}

void values_pull(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct transfer_output output;
    node->pull_us = 0;
    transfer_tick(node->transfer, world_local_us(world, id));
    while (transfer_next(node->transfer, &output)) {
        carry_out(world, id, &output);
        transfer_output_clear(&output);
    }
    wake(world, id);
}

void values_hashed(struct world *world, const struct pending *pending)
{
    uint8_t hash[HASH_BYTES];
    hash_bytes(pending->blob->at, pending->blob->len, hash);
    transfer_hashed(world->nodes[pending->to].transfer, pending->seq, hash,
                    world_local_us(world, pending->to));
    wake(world, pending->to);
}

/* --- what is on disk --- */

static int by_id(const void *a, const void *b)
{
    const struct value_id *x = a, *y = b;
    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

void values_list(struct world *world, const struct pending *pending)
{
    const struct world_node *node = &world->nodes[pending->to];
    struct value_id *ids = mem_new(node->kept.count + 1, sizeof *ids);
    struct map_key key;
    size_t n = 0;
    for (size_t at = 0; map_next(&node->kept, &at, &key);) {
        struct value_id id = {key.a, key.b};
        if ((!pending->seq || id.job == pending->seq) && by_id(&id, &pending->id) > 0)
            ids[n++] = id;
    }
    qsort(ids, n, sizeof *ids, by_id);
    struct store_report report = {.kind = STORE_LISTED,
                                  .ids = ids,
                                  .n = n < SIM_SLICE ? n : SIM_SLICE,
                                  .end = n <= SIM_SLICE};
    machine_report(world, pending->to, &report);
    free(ids);
}

bool values_are_swept(const struct world *world)
{
    struct map_key key;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        for (size_t at = 0; map_next(&world->nodes[id].kept, &at, &key);)
            if (!node_names(world->nodes[id].core, (struct value_id){key.a, key.b}))
                return false;
    return true;
}

/* --- the plane --- */

static void serve(struct world *world, node_id_t id, node_id_t to, const struct wire_value_get *get)
{
    struct value_id value = {get->job, get->op};
    const struct blob *blob = find(&world->nodes[id], value);
    bool used = node_is_done_with(world->nodes[id].core, value, get->index);
    if (!used && !blob && rot_is_damaged(&world->nodes[id], value))
        rot_found(world, id, value);
    if (blob && world_chance(world, world->options.value_failures)) {
        world_count(world, FAULT_VALUE_LOSS);
        blob = NULL;
    }
    if (used || (blob && get->offset >= blob->len))
        blob = NULL;
    if (used)
        oracle_used(world, id, value);
    struct message *message = message_new(MESSAGE_VALUE_CHUNK);
    message->as.value_chunk = (struct wire_value_chunk){.src = id,
                                                        .job = get->job,
                                                        .op = get->op,
                                                        .offset = get->offset,
                                                        .total = blob ? blob->len : 0,
                                                        .found = blob != NULL,
                                                        .used = used};
    if (blob) {
        uint64_t rest = blob->len - get->offset;
        struct blob *bytes =
            blob_copy(blob->at + get->offset, (size_t)(get->len < rest ? get->len : rest));
        message_add_frame(message, bytes);
        blob_drop(&bytes);
    }
    net_send(world, id, PLANE_VALUE, to, message);
    message_drop(&message);
}

void values_message(struct world *world, node_id_t id, node_id_t from,
                    const struct message *message)
{
    struct text why = {0};
    if (message->type == MESSAGE_VALUE_GET)
        serve(world, id, from, &message->as.value_get);
    else if (transfer_chunk(world->nodes[id].transfer, from, message, world_local_us(world, id),
                            &why))
        world->nodes[id].rejected++;
    wake(world, id);
}

void values_link_down(struct world *world, node_id_t id, node_id_t peer)
{
    mark_asked(&world->nodes[id], NULL, peer);
    transfer_link_down(world->nodes[id].transfer, peer, world_local_us(world, id));
    wake(world, id);
}
