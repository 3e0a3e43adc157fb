#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/journal.h"
#include "nodes/core/state.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

#define WALL_START_MS UINT64_C(1700000000000)

uint64_t world_random(struct world *world, uint64_t limit)
{
    uint64_t x = world->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) % limit;
}

void world_say(struct world *world, node_id_t id, const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    world->hash = world->hash * 31 + map_hash(line.at, line.len) + world->now_us + id;
    if (world->options.story)
        printf("[%10.3f ms] %u  %s\n", (double)world->now_us / 1000, id, line.at);
}

/* --- the queue of what will happen: a binary heap by time, then by order of posting --- */

static bool before(const struct pending *a, const struct pending *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void world_post(struct world *world, struct pending *pending)
{
    if (world->heap_n == world->heap_size) {
        world->heap_size = world->heap_size ? 2 * world->heap_size : 256;
        world->heap = mem_grow(world->heap, world->heap_size, sizeof *world->heap);
    }
    if (pending->at_us < world->now_us)
        pending->at_us = world->now_us;
    pending->order = world->order++;
    size_t at = world->heap_n++;
    for (; at && before(pending, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = *pending;
}

static struct pending pop(struct world *world)
{
    struct pending first = world->heap[0], last = world->heap[--world->heap_n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->heap_n)
            break;
        if (child + 1 < world->heap_n && before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!before(&world->heap[child], &last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return first;
}

static void discard(struct pending *pending)
{
    message_drop(&pending->message);
    machine_discard_writes(pending->writes, pending->n_writes);
    if (pending->computed)
        blob_drop(&pending->computed->value);
    free(pending->computed);
    blob_drop(&pending->blob);
}

/* --- the oracle: what must hold after every step --- */

/* State-machine safety: what is committed at an index is the same everywhere, for ever. */
static void check_committed(struct world *world, node_id_t id)
{
    const struct node *node = world->nodes[id].core;
    log_index_t *at = &world->nodes[id].checked;
    if (*at < node->journal.base)
        *at = node->journal.base;
    while (*at < node->journal.commit) {
        struct blob *packed = journal_at(node, ++*at)->packed;
        struct blob *known = map_get(&world->committed, (struct map_key){*at, 0});
        if (!known)
            map_put(&world->committed, (struct map_key){*at, 0}, blob_ref(packed));
        else if (known->len != packed->len || memcmp(known->at, packed->at, packed->len))
            panic("seed %" PRIu64 ": node %u commits another entry at %" PRIu64,
                  world->options.seed, id, *at);
    }
}

static bool equal_jobs(const struct node *a, const struct node *b)
{
    bool equal = a->jobs.n == b->jobs.n;
    for (size_t i = 0; equal && i < a->jobs.n; i++)
        equal = a->jobs.at[i]->id == b->jobs.at[i]->id &&
                a->jobs.at[i]->logged == b->jobs.at[i]->logged &&
                job_is_finished(a->jobs.at[i]) == job_is_finished(b->jobs.at[i]) &&
                a->jobs.at[i]->frontier.count == b->jobs.at[i]->frontier.count &&
                !memcmp(a->jobs.at[i]->sha256, b->jobs.at[i]->sha256, HASH_BYTES);
    return equal && !memcmp(a->jobs.operations, b->jobs.operations, sizeof a->jobs.operations);
}

bool world_is_equal(const struct world *world)
{
    const struct node *first = NULL;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (!node)
            continue;
        if (first && (node->journal.applied != first->journal.applied ||
                      node->journal.last != first->journal.last || !equal_jobs(node, first)))
            return false;
        first = first ? first : node;
    }
    return true;
}

static void check(struct world *world, node_id_t id)
{
    check_committed(world, id);
    const struct node *node = world->nodes[id].core;
    node_check_invariants(node);
    if (node->election.role == ROLE_COORDINATOR) {
        term_t term = node->election.term;
        if (term < sizeof world->leaders / sizeof world->leaders[0]) {
            if (world->leaders[term] && world->leaders[term] != id)
                panic("seed %" PRIu64 ": nodes %u and %u both lead term %" PRIu64,
                      world->options.seed, world->leaders[term], id, term);
            world->counts.elections += !world->leaders[term];
            world->leaders[term] = id;
        }
    }
}

/* --- nodes
 * ------------------------------------------------------------------------------------------------
 */

void world_step(struct world *world, node_id_t id, struct event *event)
{
    struct world_node *node = &world->nodes[id];
    event->now_us = world->now_us;
    event->wall_ms = WALL_START_MS + world->now_us / 1000;
    event->random = world_random(world, UINT64_MAX);
    event->rejected = node->rejected;
    struct node_outputs outputs = node_step(node->core, event);
    world->counts.steps++;
    check(world, id);
    for (size_t i = 0; i < outputs.n; i++)
        machine_output(world, id, &outputs.at[i]);
    uint64_t deadline = node_deadline(node->core);
    if (deadline <= world->now_us)
        deadline = world->now_us + 1;
    if (node->wake_us && node->wake_us <= deadline && node->wake_us > world->now_us)
        return;
    node->wake_us = deadline;
    world_post(world, &(struct pending){.at_us = deadline,
                                        .kind = PENDING_WAKE,
                                        .to = id,
                                        .incarnation = node->incarnation});
}

void world_start(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    if (node->core)
        return;
    node->boots++;
    node->incarnation = node->boots << 32 | world_random(world, UINT32_MAX);
    struct node_config config = {
        .id = id,
        .n_nodes = world->options.n_nodes,
        .n_voters = world->options.n_voters ? world->options.n_voters : world->options.n_nodes,
        .incarnation = node->incarnation,
        .heartbeat_us = HEARTBEAT_DEFAULT_US,
        .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
        .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
        .checkpoint_interval_us = CHECKPOINT_INTERVAL_DEFAULT_US,
        .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT,
        .compact_entries =
            world->options.compact_entries ? world->options.compact_entries : COMPACT_ENTRIES,
        .random = world_random(world, UINT64_MAX),
        .poison_deaths = world->options.poison_deaths,
        .memory_limit_bytes = world->options.memory_limit,
        .pid = id,
        .log_level = LOG_DEBUG,
        .cluster = "sim",
        .host = "sim",
        .version = "sim",
    };
    node->core = node_new(&config, &node->durable, world->now_us);
    node->disk_seq = 0;
    node->checked = 0;
    node->wake_us = 0;
    machine_restore(world, id);
    world_say(world, id, "starts, life %" PRIu64, node->boots);
    world->counts.restarts += node->boots > 1;
    net_node_started(world, id);
    world_step(world, id, &(struct event){.kind = EVENT_TICK});
}

void world_crash(struct world *world, node_id_t id)
{
    if (!world->nodes[id].core)
        return;
    world_say(world, id, "is killed");
    world->counts.crashes++;
    node_destroy(&world->nodes[id].core);
    world->nodes[id].paused_until_us = 0;
    machine_lose(world, id);
    net_node_died(world, id);
}

void world_wipe(struct world *world, node_id_t id)
{
    world_say(world, id, "its disk is wiped");
    machine_wipe(world, id);
}

void world_pause(struct world *world, node_id_t id, uint64_t for_us)
{
    world_say(world, id, "is stopped for %" PRIu64 " ms", for_us / 1000);
    world->counts.pauses++;
    world->nodes[id].paused_until_us = world->now_us + for_us;
}

node_id_t world_coordinator(const struct world *world)
{
    node_id_t best = NODE_NONE;
    term_t term = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (node && node_serves(node) && node->election.term >= term) {
            best = id;
            term = node->election.term;
        }
    }
    return best;
}

/* --- running
 * --------------------------------------------------------------------------------------------------
 */

static void happen(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
    if (pending->kind == PENDING_CLIENT) {
        client_wake(world, pending->client);
        return;
    }
    if (pending->kind == PENDING_REPLY) {
        client_reply(world, pending);
        return;
    }
    if (!node->core || (pending->incarnation && pending->incarnation != node->incarnation))
        return;
    switch (pending->kind) {
    case PENDING_WAKE:
        if (node->wake_us == pending->at_us || world->now_us > node->wake_us) {
            node->wake_us = 0;
            world_step(world, pending->to, &(struct event){.kind = EVENT_TICK});
        }
        break;
    case PENDING_DELIVER:
    case PENDING_FEED:
        net_deliver(world, pending);
        break;
    case PENDING_LINK:
        net_link(world, pending);
        break;
    case PENDING_DEATH:
        world_crash(world, pending->to);
        break;
    default:
        machine_pending(world, pending);
        break;
    }
}

static bool is_paused(const struct world *world, const struct pending *pending)
{
    return pending->kind != PENDING_CLIENT && pending->kind != PENDING_REPLY &&
           pending->kind != PENDING_DISK &&
           world->nodes[pending->to].paused_until_us > world->now_us;
}

static bool run_one(struct world *world, uint64_t until_us)
{
    if (!world->heap_n || world->heap[0].at_us > until_us) {
        world->now_us = until_us;
        return false;
    }
    struct pending pending = pop(world);
    world->now_us = pending.at_us;
    if (is_paused(world, &pending)) {
        /* It waits in the node's sockets; what came first stays first. */
        if (pending.kind == PENDING_WAKE)
            world->nodes[pending.to].wake_us = world->nodes[pending.to].paused_until_us;
        pending.at_us = world->nodes[pending.to].paused_until_us;
        world_post(world, &pending);
        return true;
    }
    happen(world, &pending);
    discard(&pending);
    return true;
}

bool world_run_until(struct world *world, bool (*condition)(const struct world *), uint64_t for_us)
{
    uint64_t until_us = world->now_us + for_us;
    while (!condition || !condition(world))
        if (!run_one(world, until_us))
            return condition && condition(world);
    return true;
}

void world_run(struct world *world, uint64_t for_us)
{
    world_run_until(world, NULL, for_us);
}

struct world *world_new(const struct world_options *options)
{
    struct world *world = mem_new(1, sizeof *world);
    world->options = *options;
    world->random = options->seed;
    world->now_us = 1000000; /* so that 0 can mean "never" */
    return world;
}

void world_free(struct world **world)
{
    struct world *it = *world;
    *world = NULL;
    for (node_id_t id = 1; id <= it->options.n_nodes; id++) {
        world_crash(it, id);
        machine_wipe(it, id);
    }
    askers_clear(it);
    struct blob *blob;
    for (size_t at = 0; (blob = map_next(&it->committed, &at, NULL));)
        blob_drop(&blob);
    map_clear(&it->committed);
    for (size_t i = 0; i < it->heap_n; i++)
        discard(&it->heap[i]);
    free(it->heap);
    free(it);
}
