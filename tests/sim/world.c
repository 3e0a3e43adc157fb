#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "nodes/core/values/transfer.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/sim/brokers.h"
#include "tests/sim/hostile.h"
#include "tests/sim/clients.h"
#include "tests/sim/oracle.h"
#include "tests/sim/picture.h"
#include "tests/sim/restored.h"
#include "tests/sim/shared.h"
#include "tests/sim/tasks.h"

#define WALL_START_MS INT64_C(1700000000000)
#define MILLION       UINT64_C(1000000)

#define SIM_SWEEP_EVERY_US (2 * SECOND_US) /* what nobody names is gone soon after healing */

void (*world_on_failure)(const char *check, const char *text);

uint64_t world_random(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

bool world_chance(struct world *world, uint32_t per_million)
{
    return per_million && world_random(world, MILLION) < per_million;
}

void world_say(struct world *world, node_id_t id, const char *format, ...)
{
    struct text line = {0};
    va_list args;
    if (!world->options.story)
        return;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    printf("[%11.3f ms] ", (double)world->now_us / 1000);
    if (id)
        printf("%u", id);
    printf("%s  %s\n", id ? "" : " ", line.at);
}

void world_count(struct world *world, enum fault fault)
{
    world->counts.faults[fault]++;
}

static void note(struct world *world, uint64_t what)
{
    world->hash = (world->hash ^ what) * RANDOM_GAMMA;
    world->hash ^= world->hash >> 29;
}

void world_fail(const struct world *world, const char *check, const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "seed %" PRIu64 ", at %.3f ms: %s: %s\n", world->options.seed,
            (double)world->now_us / 1000, check, text.at);
    if (world_on_failure)
        world_on_failure(check, text.at);
    abort();
}

/* --- the queue of what will happen: a binary heap by time, then by order of posting --- */

static bool before(const struct pending *a, const struct pending *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(struct world *world, const struct pending *pending)
{
    if (world->heap_n == world->heap_size) {
        world->heap_size = world->heap_size ? 2 * world->heap_size : 256;
        world->heap = mem_grow(world->heap, world->heap_size, sizeof *world->heap);
    }
    size_t at = world->heap_n++;
    for (; at && before(pending, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = *pending;
}

void world_post(struct world *world, struct pending *pending)
{
    pending->at_us = pending->at_us < world->now_us ? world->now_us : pending->at_us;
    pending->order = world->order++;
    push(world, pending);
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
    disk_discard_writes(pending->writes, pending->n_writes);
    blob_drop(&pending->blob);
}

bool world_is_equal(const struct world *world)
{
    const struct node *first = NULL;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (!node)
            continue;
        if (first && (inside_raft(node)->log.applied != inside_raft(first)->log.applied ||
                      inside_raft(node)->log.last != inside_raft(first)->log.last ||
                      state_differs(inside_state(node), inside_state(first))))
            return false;
        first = first ? first : node;
    }
    return true;
}

/* --- nodes --- */

static uint64_t local_of(const struct world_node *node, uint64_t now_us)
{
    const struct world_clock *clock = &node->clock;
    return clock->local_us + (now_us - clock->since_us) * clock->rate / MILLION;
}

/* The first moment of the world at which the node's own clock shows so much, or more. */
static uint64_t moment_of(const struct world_node *node, uint64_t local_us)
{
    const struct world_clock *clock = &node->clock;
    if (local_us <= clock->local_us)
        return clock->since_us;
    return clock->since_us +
           ((local_us - clock->local_us) * MILLION + clock->rate - 1) / clock->rate;
}

uint64_t world_local_us(const struct world *world, node_id_t id)
{
    return local_of(&world->nodes[id], world->now_us);
}

uint64_t world_moment(const struct world *world, node_id_t id, uint64_t local_us)
{
    if (local_us == UINT64_MAX)
        return UINT64_MAX;
    uint64_t at_us = moment_of(&world->nodes[id], local_us);
    return at_us > world->now_us ? at_us : world->now_us + 1;
}

static void set_clock(struct world *world, struct world_node *node)
{
    uint64_t drift = world->options.drift, rate = MILLION;
    if (drift)
        rate = MILLION - drift + world_random(world, 2 * drift + 1);
    if (rate < MILLION * 99 / 100 || rate > MILLION * 101 / 100)
        world_count(world, FAULT_DRIFT);
    /* A machine that starts again counts from anywhere; never from 0, which means "never". */
    node->clock.since_us = world->now_us;
    node->clock.local_us = SECOND_US + world_random(world, drift ? 1000000 * SECOND_US : 1);
    node->clock.rate = rate;
}

static void wake_at(struct world *world, node_id_t id, uint64_t local_us)
{
    struct world_node *node = &world->nodes[id];
    uint64_t at_us = world_moment(world, id, local_us);
    if (node->wake_us && node->wake_us <= at_us && node->wake_us > world->now_us)
        return;
    node->wake_us = at_us;
    world_post(world, &(struct pending){.at_us = at_us,
                                        .kind = PENDING_WAKE,
                                        .to = id,
                                        .incarnation = node->incarnation});
}

/* Half of what happens to a node is followed by more in the same turn of its loop. */
static bool has_more(struct world *world, const struct event *event)
{
    return world->options.gathers && event->kind != EVENT_TICK && event->kind != EVENT_STOP &&
           world_random(world, 2);
}

void world_step(struct world *world, node_id_t id, struct event *event)
{
    struct world_node *node = &world->nodes[id];
    event->now_us = local_of(node, world->now_us);
    event->wall_ms =
        (uint64_t)(WALL_START_MS + (int64_t)(world->now_us / 1000) + node->clock.wall_offset_ms);
    event->random = world_random(world, UINT64_MAX);
    event->rejected = node->rejected;
    event->value_bytes = node->value_bytes + transfer_received(node->transfer);
    event->disk_busy_us = disk_is_busy_us(world, id);
    event->starved_us = executor_starved_us(world, id);
    oracle_before(world, id, event);
    event->more = node->in_turn = has_more(world, event);
    struct node_outputs outputs = node_step(node->core, event);
    world->counts.steps++;
    note(world, world->now_us ^ (uint64_t)id << 56 ^ (uint64_t)event->kind << 48);
    oracle_after(world, id, event, &outputs);
    for (const struct output *at = outputs.at; at < outputs.at + outputs.n; at++) {
        if (at->kind != OUTPUT_LOG)
            note(world, at->kind + at->after_seq * OUTPUT_LOG);
        machine_output(world, id, at);
    }
    wake_at(world, id, event->more ? event->now_us + MS_US / 10 : node_deadline(node->core));
}

/* After a while the node hears whether its disk is full then. */
static void tell_space(struct world *world, node_id_t id, uint64_t after_us)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_SPACE,
                                        .to = id,
                                        .incarnation = world->nodes[id].incarnation});
}

static struct node_config configure(struct world *world, node_id_t id)
{
    const struct world_options *options = &world->options;
#define OR(value, or) ((value) ? (value) : (or))
    return (struct node_config){
        .id = id,
        .n_nodes = options->n_nodes,
        .n_voters = world_voters(world),
        .incarnation = world->nodes[id].incarnation,
        .heartbeat_us = OR(options->heartbeat_us, HEARTBEAT_DEFAULT_US),
        .election_timeout_us = OR(options->election_timeout_us, ELECTION_TIMEOUT_DEFAULT_US),
        .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
        .snapshot_timeout_us = SNAPSHOT_TIMEOUT_DEFAULT_US,
        .snapshot_pin_us = SECOND_US / 2, /* takers are at it all the time */
        .snapshot_keep = SNAPSHOTS_PERIODIC_KEEP,
        .snapshot_record_bytes = options->record_bytes,
        .snapshot_memory_bytes = options->snapshot_memory,
        .cut_rows = options->cut_rows,
        .checkpoint_interval_us =
            OR(options->checkpoint_interval_us, CHECKPOINT_INTERVAL_DEFAULT_US),
        .keep_pace = options->keep_pace,
        .keep_values_us = options->keep_values_us,
        .checkpoint_bytes = OR(options->checkpoint_bytes, CHECKPOINT_BYTES_DEFAULT),
        .compact_entries = OR(options->compact_entries, COMPACT_ENTRIES),
        .append_entries = options->append_entries,
        .checkpoint_slice_rows = options->checkpoint_slice_rows,
        .checkpoint_bundle_rows = options->checkpoint_bundle_rows,
        .install_bytes = options->install_bytes,
        .progress_index_max = PROGRESS_INDEX_MAX, /* clients count beside the workers */
        .progress_snaps_max = options->progress_snaps_max,
        .jobs_kept_max = options->jobs_kept_max,
        .jobs_open_max = options->jobs_open_max,
        .keep_jobs = options->keep_jobs * id,
        .keep_bytes = options->keep_bytes * id,
        .sets_retention = options->keep_bytes != 0,
        .random = world_random(world, UINT64_MAX),
        .sweep_every_us = OR(options->sweep_every_us, SIM_SWEEP_EVERY_US),
        .quota_jobs = options->quota_jobs,
        .quota_bytes = options->quota_bytes,
        .insecure = !options->owners,
        .poison_deaths = options->poison_deaths,
        .pieces_from = options->pieces_from,
        .tasks_execute = options->tasks_execute,
        .keys = options->keys,
        .memory_limit_bytes = options->memory_limit,
        .pid = id,
        .log_level = options->story ? LOG_DEBUG : LOG_INFO,
        .slots = OR(options->operation_slots, options->slots),
        .operation_slots = options->operation_slots,
        .cluster = "sim",
        .host = "sim",
        .version = "sim",
    };
#undef OR
}

void world_start(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    if (node->core)
        return;
    node->in_turn = false;
    node->incarnation = ++node->boots << 32 | world_random(world, UINT32_MAX);
    set_clock(world, node);
    struct node_config config = configure(world, id);
    node->durable.birth = node->durable.birth ? node->durable.birth : node->incarnation;
    node->core = node_new(&config, &node->durable, local_of(node, world->now_us));
    values_start(world, id);
    node->disk_seq = 0;
    node->disk_failed = false;
    node->wake_us = 0;
    disk_restore(world, id);
    oracle_started(world, id);
    world_say(world, id,
              "starts, life %" PRIu64 ": term %" PRIu64 ", vote %u, checkpoint at %" PRIu64
              ", log to %" PRIu64,
              node->boots, node->durable.term, node->durable.vote, node->log.base,
              entries_last(&node->log));
    if (node->boots > 1)
        world_count(world, FAULT_RESTART);
    net_node_started(world, id);
    world_step(world, id, &(struct event){.kind = EVENT_TICK});
    if (node->disk_full_until_us > world->now_us) {
        tell_space(world, id, 0);
        tell_space(world, id, node->disk_full_until_us - world->now_us);
    }
}

static void stop(struct world *world, node_id_t id)
{
    disk_crash(world, id);
    node_destroy(&world->nodes[id].core);
    world->nodes[id].paused_until_us = 0;
    machine_lose(world, id);
    net_node_died(world, id);
}

void world_crash(struct world *world, node_id_t id)
{
    if (!world->nodes[id].core)
        return;
    world_say(world, id, "is killed");
    world_count(world, FAULT_CRASH);
    stop(world, id);
}

void world_start_later(struct world *world, node_id_t id, uint64_t after_us)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_START,
                                        .to = id});
}

void world_fill_disk(struct world *world, node_id_t id, uint64_t for_us)
{
    world_say(world, id, "its disk is full for %" PRIu64 " ms", for_us / 1000);
    world_count(world, FAULT_FULL_DISK);
    world_extend(&world->nodes[id].disk_full_until_us, world->now_us + for_us);
    tell_space(world, id, 0);
    tell_space(world, id, for_us);
}

/* What was put off happens now, in the order in which it would have. */
static void hurry(struct world *world)
{
    struct pending *all = world->heap;
    size_t n = world->heap_n;
    world->heap = NULL;
    world->heap_n = world->heap_size = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].put_off)
            all[i].at_us = world->now_us;
        push(world, &all[i]);
    }
    free(all);
}

void world_heal(struct world *world)
{
    struct world_options *options = &world->options;
    world_say(world, NODE_NONE, "all is healed");
    options->loss = options->duplication = options->spikes = 0;
    options->disk_failures = options->value_failures = 0;
    memset(world->cut_until_us, 0, sizeof world->cut_until_us);
    memset(world->clog_until_us, 0, sizeof world->clog_until_us);
    memset(world->planes, 0, sizeof world->planes);
    brokers_heal(world);
    for (node_id_t id = 1; id <= options->n_nodes; id++) {
        struct world_node *node = &world->nodes[id];
        node->disk_slow_until_us = node->disk_full_until_us = node->paused_until_us = 0;
        node->disk_hung_until_us = 0;
        if (node->core && node->wake_us > world->now_us)
            node->wake_us = world->now_us;
        world_start(world, id);
        tell_space(world, id, 0);
    }
    hurry(world);
}

node_id_t world_coordinator(const struct world *world)
{
    node_id_t best = NODE_NONE;
    term_t term = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (node && node_coordinates(node) && inside_step(node)->term >= term) {
            best = id;
            term = inside_step(node)->term;
        }
    }
    return best;
}

bool world_is_served(const struct world *world)
{
    return world_coordinator(world) != NODE_NONE;
}

/* --- running --- */

static void happen_at_node(struct world *world, struct pending *pending)
{
    struct world_node *node = &world->nodes[pending->to];
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
    case PENDING_REQUEST:
        client_request(world, pending);
        break;
    case PENDING_DISK:
        disk_done(world, pending);
        break;
    case PENDING_SPACE:
        machine_report(world, pending->to,
                       &(struct store_report){.kind = STORE_SPACE,
                                              .full = node->disk_full_until_us > world->now_us});
        break;
    case PENDING_DEATH:
        world_crash(world, pending->to);
        break;
    case PENDING_SYNCED:
        disk_synced(world, pending);
        break;
    default:
        machine_pending(world, pending);
        break;
    }
    if (node->disk_failed && node->core) {
        world_say(world, pending->to, "a write failed: it gives up (R24)");
        stop(world, pending->to);
        world_start_later(world, pending->to, 100 * MS_US + world_random(world, SECOND_US));
    }
}

static void happen(struct world *world, struct pending *pending)
{
    if (pending->broker && pending->kind != PENDING_REPLY)
        brokers_pending(world, pending);
    else if (pending->kind == PENDING_CLIENT)
        client_wake(world, pending->client);
    else if (pending->kind == PENDING_REPLY)
        client_reply(world, pending);
    else if (pending->kind == PENDING_START)
        world_start(world, pending->to);
    else
        happen_at_node(world, pending);
}

/* Until when it must wait because its node is stopped, its link clogged, its disk full; 0: not. */
static uint64_t waits_until(const struct world *world, const struct pending *pending)
{
    const struct world_node *node = &world->nodes[pending->to];
    uint64_t until_us = 0;
    switch (pending->kind) {
    case PENDING_CLIENT:
    case PENDING_REPLY:
    case PENDING_HEARD:
    case PENDING_TO_PASS:
    case PENDING_TO_RETURN:
    case PENDING_START:
        return 0;
    case PENDING_KEPT: /* the reserve is for the log, not for values */
        until_us = node->disk_full_until_us;
        world_extend(&until_us, node->disk_hung_until_us);
        break;
    case PENDING_DISK:
    case PENDING_STAGED:
        until_us = node->disk_hung_until_us;
        break;
    case PENDING_DELIVER:
    case PENDING_FEED:
        until_us = planes_clog_us(world, pending->from, pending->to, pending->plane);
        break;
    default:
        break;
    }
    /* What the disk does goes on while the process is stopped. */
    if (pending->kind != PENDING_DISK && node->paused_until_us > until_us)
        until_us = node->paused_until_us;
    return until_us > world->now_us ? until_us : 0;
}

static bool run_one(struct world *world, uint64_t until_us)
{
    if (!world->heap_n || world->heap[0].at_us > until_us) {
        world->now_us = until_us;
        return false;
    }
    struct pending pending = pop(world);
    world->now_us = pending.at_us;
    uint64_t waits_us = waits_until(world, &pending);
    if (waits_us) {
        if (pending.kind == PENDING_WAKE)
            world->nodes[pending.to].wake_us = waits_us;
        pending.at_us = waits_us;
        pending.put_off = true;
        push(world, &pending); /* with its old number: what came first stays first */
        return true;
    }
    happen(world, &pending);
    discard(&pending);
    hostile_look(world);
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
    world->now_us = SECOND_US; /* so that 0 can mean "never" */
    world->oracle = oracle_new();
    world->clients = mem_new(WORLD_CLIENTS_MAX, sizeof *world->clients);
    for (node_id_t id = 1; id <= options->n_nodes; id++)
        world->nodes[id].clock.rate = MILLION;
    return world;
}

void world_free(struct world **world)
{
    struct world *it = *world;
    *world = NULL;
    for (node_id_t id = 1; id <= it->options.n_nodes; id++) {
        if (it->nodes[id].core)
            node_destroy(&it->nodes[id].core);
        machine_lose(it, id);
        disk_wipe(it, id);
    }
    askers_clear(it);
    brokers_free(&it->brokers);
    shared_free(&it->shared);
    hostile_free(&it->hostile);
    tasks_free(it);
    restored_free(&it->restored);
    picture_free(&it->picture);
    for (size_t i = 0; i < it->heap_n; i++)
        discard(&it->heap[i]);
    oracle_free(&it->oracle);
    losses_free(&it->losses);
    free(it->clients);
    free(it->uploaders);
    free(it->heap);
    free(it);
}
