#include "tests/sim/quiet.h"

#include <inttypes.h>

#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "tests/harness/inside.h"
#include "tests/sim/scenario.h"

#define QUIET_EVERY         8 /* seeds: it shares no fate with the aims (5), the bank (3) */
#define QUIET_OFFSET        3
#define COMMITTED_WITHIN_US SECOND_US
#define QUIET_WITHIN_US     (3600 * SECOND_US) /* the largest conversion takes a minute or two */

bool quiet_is_due(uint64_t seed)
{
    return seed % QUIET_EVERY == QUIET_OFFSET;
}

/* No clock jumps here, so a job's time is known to everybody: its phases add up to it. The wall
 * clock counts milliseconds; the last entry is committed soon after it was written. */
static void check_timing(struct world *world, const struct node *node, const struct job *job)
{
    struct timing timing;
    const struct step *step = inside_step(node);
    uint64_t end_ms = job_is_finished(job) ? job->finished_ms : step->wall_ms;
    uint64_t took_us = (end_ms - job->submitted_ms) * MS_US;
    if (!schedule_timing(inside_schedule(node), job, &timing))
        world_fail(world, "a coordinator knows the time of its jobs", "not that of job %" PRIx64,
                   job->id);
    uint64_t total_us = timing_total(&timing, timing.at_us);
    if (total_us + 2 * MS_US < took_us ||
        total_us > took_us + 2 * MS_US + job_is_finished(job) * COMMITTED_WITHIN_US)
        world_fail(world, "the phases of a job add up to its time",
                   "%" PRIu64 " us, but it took %" PRIu64, total_us, took_us);
    if (timing.us[PHASE_EARLIER])
        world_fail(world, "one coordinator knows all of a job's time", "but for %" PRIu64 " us",
                   timing.us[PHASE_EARLIER]);
}

static void check(struct world *world)
{
    node_id_t id = world_coordinator(world);
    const struct node *node = id ? world->nodes[id].core : NULL;
    if (!node)
        return;
    const struct schedule *schedule = inside_schedule(node);
    const struct jobs *jobs = &inside_state(node)->jobs;
    for (size_t i = 0; i < jobs->n; i++)
        check_timing(world, node, jobs->at[i]);
    uint64_t again = schedule->reassigned + inside_state(node)->head.reassigned;
    if (schedule->copied || again)
        world_fail(world, "a quiet cluster copies nothing",
                   "%" PRIu64 " copies, %" PRIu64 " operations handed out again", schedule->copied,
                   again);
}

static void draw(struct world *world)
{
    struct world_options *options = &world->options;
    options->n_nodes = 3 + (uint32_t)world_random(world, 4);
    options->delay_us = scenario_scale(world, 50, MS_US);
    options->jitter_us = scenario_scale(world, 50, MS_US);
    options->disk_us = scenario_scale(world, 50, 2 * MS_US);
    options->op_us = scenario_scale(world, 2, 20);
    options->growth_ns = scenario_scale(world, 100, 6400);
    options->inline_bytes = world_random(world, 2) ? 512 : 0;
}

/* Jobs of a few digits, and of some ten thousand, in any order; most seeds begin with small ones.
 */
static void draw_clients(struct world *world)
{
    if (world_random(world, 4))
        world_client(world, 0, 5 + world_random(world, 40), 20);
    world_run(world, world_random(world, 4) * SECOND_US);
    for (unsigned client = 1; client <= 3; client++)
        world_client(world, client, 2 + world_random(world, 4), scenario_scale(world, 100, 20000));
}

uint64_t quiet_run(uint64_t seed, bool story, struct world_counts *counts)
{
    struct world_options options = {.seed = ~seed, .story = story, .n_nodes = WORLD_NODES_MAX};
    struct world *world = world_new(&options);
    draw(world);
    world_say(world, NODE_NONE, "a quiet world of %u nodes", world->options.n_nodes);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start(world, id);
    if (!world_run_until(world, world_is_served, 20 * SECOND_US))
        world_fail(world, "a quiet cluster has a coordinator", "not within 20 s");
    draw_clients(world);
    uint64_t until_us = world->now_us + QUIET_WITHIN_US;
    while (!world_is_idle(world) && world->now_us < until_us) {
        world_run(world, 50 * MS_US);
        check(world);
    }
    if (!world_is_idle(world))
        world_fail(world, "jobs end in a quiet cluster", "not within an hour");
    uint64_t hash = world->hash;
    counts->steps += world->counts.steps;
    world_free(&world);
    return hash;
}
