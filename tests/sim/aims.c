#include "tests/sim/aims.h"

#include "shared/base/limits.h"
#include "tests/sim/oracle.h"
#include "tests/sim/scenario.h"

/* Of so many seeds one has an aim; it shares no factor with 3 (bank.h) and 64 (run twice). */
#define AIM_EVERY 5
/* All but one of so many of these have no faults of messages, disks and clocks. */
#define QUIET_ODDS 4

static const char *aim_text(enum aim aim)
{
    static const char *const texts[] = {"",
#define X(symbol, text) text,
                                        AIMS(X)
#undef X
    };
    return texts[aim];
}

/* --- what suits --- */

static void draw_short_times(struct world *world)
{
    struct world_options *options = &world->options;
    options->heartbeat_us = 50 * MS_US;
    options->election_timeout_us = options->heartbeat_us * (3 + world_random(world, 2));
    options->delay_us = scenario_scale(world, 50, MS_US);
    options->jitter_us = scenario_scale(world, 50, 2 * MS_US);
    options->disk_us = scenario_scale(world, 50, 2 * MS_US);
}

static void draw_few_faults(struct world *world)
{
    struct world_options *options = &world->options;
    if (world_random(world, QUIET_ODDS) == 0)
        return;
    options->loss = options->spikes = options->disk_failures = options->value_failures = 0;
    options->drift = 0;
}

/* Values go to disk however small they are, and wait there for the entry that names them. */
static void draw_kept_values(struct world *world)
{
    struct world_options *options = &world->options;
    options->inline_bytes = 64;
    options->sweep_every_us = scenario_scale(world, 10 * MS_US, 100 * MS_US);
    options->checkpoint_interval_us = scenario_scale(world, 50 * MS_US, 400 * MS_US);
    options->op_us = scenario_scale(world, 50, 500);
}

/* Copying a value costs so much that it stays with the worker that made it. */
static void draw_held_values(struct world *world)
{
    draw_kept_values(world);
    world->options.keep_pace = 1;
    world->options.jobs_kept_max = 0;
    world->options.keys = (struct key_limits){0};
}

/* All operations are counted while no job is forgotten. */
static void draw_slow_worker(struct world *world)
{
    struct world_options *options = &world->options;
    options->op_us = scenario_scale(world, 50, 500);
    options->jobs_kept_max = options->keep_jobs = options->keep_bytes = 0;
    options->forgets = false;
    options->keys = (struct key_limits){0};
}

enum aim aims_draw(struct world *world)
{
    static const uint32_t sizes[] = {3, 3, 4, 5};
    if (world->options.seed % AIM_EVERY)
        return AIM_NONE;
    enum aim aim = 1 + (enum aim)world_random(world, AIM_KINDS - 1);
    world->options.n_nodes = sizes[world_random(world, sizeof sizes / sizeof sizes[0])];
    world->options.n_voters = 0;
    world->options.quota_jobs = world->options.quota_bytes =
        0; /* somebody always wants something */
    draw_short_times(world);
    draw_few_faults(world);
    if (aim == AIM_KEPT_VALUES)
        draw_kept_values(world);
    if (aim == AIM_SLOW_WORKER)
        draw_slow_worker(world);
    if (aim == AIM_HELD_VALUES)
        draw_held_values(world);
    world_say(world, NODE_NONE, "%s", aim_text(aim));
    return aim;
}

void aims_clients(struct world *world, enum aim aim, unsigned client)
{
    bool jobs = aim == AIM_KEPT_VALUES || aim == AIM_SLOW_WORKER || aim == AIM_HELD_VALUES;
    unsigned end = client + 1 + (aim == AIM_TWO_LEAD ? 2 : 0);
    for (; client < end && client < WORLD_CLIENTS_MAX; client++) {
        if (jobs)
            world_client(world, client, 5 + world_random(world, 20),
                         scenario_scale(world, 200, 2000));
        else
            world_client_mixed(world, client, 100 + world_random(world, 200), 0,
                               scenario_scale(world, MS_US, 60 * MS_US));
    }
}

/* --- the stories --- */

static node_id_t another_voter(struct world *world, node_id_t than)
{
    node_id_t id = 1 + (node_id_t)world_random(world, world_voters(world) - 1);
    return id < than ? id : id + 1;
}

static uint64_t timeouts(struct world *world, uint64_t low, uint64_t high)
{
    uint64_t timeout_us = world->options.election_timeout_us;
    return low * timeout_us + world_random(world, (high - low) * timeout_us + 1);
}

static void log_stands(struct world *world, node_id_t leader)
{
    bool leads = world_random(world, 2), clogs = world_random(world, 3) == 0;
    node_id_t id = leads ? leader : another_voter(world, leader);
    uint64_t ways = 1 + world_random(world, 3);
    uint64_t late_us = oracle_late_us(world, leads ? STALL_TIMEOUTS : BEHIND_TIMEOUTS);
    uint64_t for_us = late_us + timeouts(world, 1, 4);
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        if (other == id)
            continue;
        if (ways & 1)
            (clogs ? world_clog_plane : world_cut_plane)(world, id, other, PLANE_CHECKPOINT,
                                                         for_us);
        if (ways & 2)
            (clogs ? world_clog_plane : world_cut_plane)(world, other, id, PLANE_CHECKPOINT,
                                                         for_us);
    }
    world_run(world, for_us);
}

/* True when it has a disk that the log has replaced by another. */
static bool replace_disk(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    if (node->old.birth && node->old.birth != node->durable.birth)
        return true;
    if (!oracle_may_wipe(world, id))
        return false;
    world_crash(world, id);
    world_wipe(world, id);
    world_start(world, id);
    world_run(world, timeouts(world, 6, 12));
    return node->core && node->durable.voter;
}

static void part(struct world *world, const bool behind[], uint64_t for_us)
{
    for (node_id_t a = 1; a <= world->options.n_nodes; a++)
        for (node_id_t b = 1; b <= world->options.n_nodes; b++)
            if (behind[a] != behind[b]) {
                world_cut_for(world, a, b, for_us);
                world_count(world, FAULT_CUT_ONE_WAY);
            }
}

/* A bare majority goes on, with the one that returns in it, and is gone then: those who were cut
 * off want its vote, and must not get one that counts. */
static void disk_returns(struct world *world, node_id_t leader)
{
    uint32_t voters = world_voters(world), minority = voters - (voters / 2 + 1);
    node_id_t returns = another_voter(world, leader);
    bool behind[WORLD_NODES_MAX + 1] = {false};
    if (!replace_disk(world, returns) || world_coordinator(world) != leader)
        return;
    for (uint32_t n = 0; n < minority;) {
        node_id_t id = another_voter(world, leader);
        n += id != returns && !behind[id];
        behind[id] |= id != returns;
    }
    uint64_t for_us = timeouts(world, 2, 5);
    part(world, behind, for_us);
    world_run(world, for_us);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        if (!behind[id])
            world_crash(world, id);
    if (oracle_may_wipe(world, returns) &&
        (world_random(world, 4) == 0 || !world_put_back(world, returns)))
        world_wipe(world, returns);
    world_start(world, returns);
    world_run(world, timeouts(world, 4, 10));
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start(world, id);
    world_run(world, timeouts(world, 2, 8));
}

/* The others do not hear it, and know at once, because their connections are reset. It hears them
 * in some stories only: whoever hears of a greater term steps down. */
static void two_lead(struct world *world, node_id_t leader)
{
    uint64_t for_us = timeouts(world, 3, 8);
    bool hears = world_random(world, 4) == 0;
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        if (other == leader)
            continue;
        world_cut_for(world, leader, other, for_us);
        if (!hears)
            world_cut_for(world, other, leader, for_us);
        world_count(world, FAULT_CUT_ONE_WAY);
        for (enum plane plane = 0; plane < PLANE_COUNT; plane++)
            if (plane != PLANE_HEARTBEAT)
                world_break(world, other, leader, plane);
    }
    world_run(world, for_us);
}

static void kept_values(struct world *world, node_id_t leader)
{
    world_run(world, timeouts(world, 1, 6));
    if (world_random(world, 2)) {
        world_crash(world, leader);
        world_start_later(world, leader, timeouts(world, 1, 4));
    } else {
        world_pause(world, leader, timeouts(world, 1, 4));
    }
    world_run(world, timeouts(world, 2, 6));
}

/* Slow, or stopped for less than a death takes. */
static void slow_worker(struct world *world, node_id_t leader)
{
    node_id_t id = another_voter(world, leader);
    uint64_t for_us = timeouts(world, 1, 6);
    if (world_random(world, 2)) {
        world_count(world, FAULT_SLOW_WORKER);
        world_pace(world, id, world->options.op_us * scenario_scale(world, 4, 256));
    } else {
        world_pause(world, id,
                    world->options.election_timeout_us / 4 * (1 + world_random(world, 4)));
    }
    world_run(world, for_us);
    world_pace(world, id, 0);
    world_run(world, timeouts(world, 0, 2));
}

/* Workers die with what they alone held; the coordinator goes on, mostly. */
static void held_values(struct world *world, node_id_t leader)
{
    for (unsigned deaths = 2 + (unsigned)world_random(world, 6); deaths > 0; deaths--) {
        node_id_t id = world_random(world, 8) ? another_voter(world, leader) : leader;
        world_run(world, scenario_scale(world, MS_US, 200 * MS_US));
        if (!world->nodes[id].core)
            continue;
        world_crash(world, id);
        world_start_later(world, id, scenario_scale(world, 10 * MS_US, 500 * MS_US));
    }
    world_run(world, timeouts(world, 2, 6));
}

void aims_tell(struct world *world, enum aim aim)
{
    static void (*const stories[])(struct world *, node_id_t) = {
        [AIM_LOG_STANDS] = log_stands,   [AIM_DISK_RETURNS] = disk_returns,
        [AIM_TWO_LEAD] = two_lead,       [AIM_KEPT_VALUES] = kept_values,
        [AIM_SLOW_WORKER] = slow_worker, [AIM_HELD_VALUES] = held_values,
    };
    if (world_run_until(world, world_is_served, timeouts(world, 10, 20)))
        stories[aim](world, world_coordinator(world));
}
