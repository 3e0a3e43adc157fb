#include "tests/sim/scenario.h"

#include "shared/base/random.h"
#include "tests/sim/uploaders.h"

#define SCRATCH_FAILURES_MOST 300000 /* per million */

uint64_t scenario_scale(struct world *world, uint64_t low, uint64_t high)
{
    uint64_t value = low;
    unsigned doublings = 0;
    for (uint64_t at = low; at < high; at *= 2)
        doublings++;
    value <<= world_random(world, doublings + 1);
    value += world_random(world, value);
    return value < high ? value : high;
}

/* Mostly 0, else up to so many per million. */
static uint32_t draw_chance(struct world *world, uint64_t one_in, uint64_t high)
{
    return world_random(world, one_in) ? 0 : (uint32_t)scenario_scale(world, high / 50 + 1, high);
}

static void draw_size(struct world *world)
{
    static const uint32_t sizes[] = {1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 6, 7, 8, 9};
    struct world_options *options = &world->options;
    options->n_nodes = sizes[world_random(world, sizeof sizes / sizeof sizes[0])];
    if (world_random(world, 4) == 0)
        options->n_voters = 1 + (uint32_t)world_random(world, options->n_nodes);
}

/* Full tables, and checkpoints that take many slices, cost nothing when the limits are low. */
static void draw_limits(struct world *world)
{
    struct world_options *options = &world->options;
    options->checkpoint_slice_rows = world_random(world, 2) ? 0 : scenario_scale(world, 1, 16);
    options->checkpoint_bundle_rows = world_random(world, 2) ? 0 : scenario_scale(world, 1, 16);
    options->install_bytes = world_random(world, 2) ? 0 : scenario_scale(world, 1, 4096);
    options->progress_snaps_max = world_random(world, 2) ? 0 : scenario_scale(world, 1, 64);
    options->jobs_kept_max = world_random(world, 2) ? 0 : scenario_scale(world, 4, 64);
    options->jobs_open_max = world_random(world, 2) ? 0 : scenario_scale(world, 1, 8);
}

static void draw_times(struct world *world)
{
    struct world_options *options = &world->options;
    options->delay_us = scenario_scale(world, 50, 3 * MS_US);
    options->jitter_us = scenario_scale(world, 50, 10 * MS_US);
    options->disk_us = scenario_scale(world, 50, 10 * MS_US);
    options->op_us = scenario_scale(world, 2, 2 * MS_US);
    options->heartbeat_us = scenario_scale(world, 50 * MS_US, 150 * MS_US);
    options->election_timeout_us = options->heartbeat_us * (3 + world_random(world, 8));
    options->checkpoint_interval_us = scenario_scale(world, 5 * MS_US, 400 * MS_US);
    options->checkpoint_bytes = scenario_scale(world, 1000, CHECKPOINT_BYTES_DEFAULT);
    options->compact_entries = world_random(world, 3) ? scenario_scale(world, 2, 64)
                                                      : scenario_scale(world, 64, COMPACT_ENTRIES);
    draw_limits(world);
    options->append_entries = world_random(world, 2) ? 0 : scenario_scale(world, 1, 64);
    static const uint64_t inline_bytes[] = {0, 0, 4096, 512, 64};
    options->inline_bytes = inline_bytes[world_random(world, 5)];
    /* Slow disks leave values with their makers. Not drawn: the other draws of a seed stay. */
    static const uint64_t keep_paces[] = {0, 1, 0, 64};
    options->keep_pace = keep_paces[options->seed / 2 % 4];
    /* Texts in pieces, which few jobs are long enough for; likewise. */
    static const uint64_t pieces_from[] = {1, 0, 40};
    options->pieces_from = pieces_from[options->seed % 3];
    static const uint64_t chunk_bytes[] = {0, 0, 16384, 2048};
    options->chunk_bytes = chunk_bytes[world_random(world, 4)];
    /* Snapshots of many parts, which few seeds have rows enough for; likewise. */
    static const uint64_t cut_rows[] = {0, 1, 0, 2, 5};
    options->cut_rows = cut_rows[options->seed / 3 % 5];
    /* So little memory that workers spill: in one seed of five, likewise. */
    if (options->seed % 5 == 2) {
        options->memory_limit = (uint64_t)128 << options->seed / 5 % 8;
        options->inline_bytes = 64;
    }
}

/* In every other seed nodes remember so little that old keys are asked for again and again when
 * their outcomes are forgotten. */
static void draw_keys(struct world *world)
{
    if (world_random(world, 2))
        return;
    struct key_limits *keys = &world->options.keys;
    world->options.jobs_kept_max = scenario_scale(world, 1, 8);
    keys->snaps = scenario_scale(world, 1, 8);
    keys->requests = scenario_scale(world, 2, 64);
    keys->sessions = scenario_scale(world, 1, 16);
    keys->block = scenario_scale(world, 2, 32);
}

/* In a third of the seeds the log says how much of finished jobs is kept, and in half of these it
 * is done by hand as well. From a stream of its own: the stories of other seeds stay as they are.
 */
static void draw_retention(struct world *world)
{
    struct world_options *options = &world->options;
    uint64_t draw = ~options->seed;
    if (random_below(&draw, 3))
        return;
    options->keep_jobs = 1 + random_below(&draw, 16);
    options->keep_bytes = (uint64_t)64 << random_below(&draw, 12);
    options->forgets = random_below(&draw, 2);
}

/* In half of the seeds clients have keys, and two of them share one; mostly it may have few jobs
 * open. Who keeps too much gives up, so that may be only where jobs are forgotten. From a stream of
 * its own, likewise. */
static void draw_owners(struct world *world)
{
    struct world_options *options = &world->options;
    uint64_t draw = ~options->seed * 3;
    if (random_below(&draw, 2))
        return;
    options->owners = true;
    options->quota_jobs = random_below(&draw, 4) ? 1 + random_below(&draw, 3) : 0;
    if (world_forgets_jobs(world) && random_below(&draw, 2))
        options->quota_bytes = (uint64_t)64 << random_below(&draw, 8);
}

/* In half of the seeds scratch disks do not take all that tasks need: what fails for that has to
 * end as well, so healing does not change it. From a stream of its own, likewise. */
static void draw_scratch(struct world *world)
{
    struct world_options *options = &world->options;
    uint64_t draw = ~options->seed * 7;
    if (!random_below(&draw, 2))
        options->scratch_failures = (uint32_t)(1 + random_below(&draw, SCRATCH_FAILURES_MOST));
}

static void draw_chances(struct world *world)
{
    struct world_options *options = &world->options;
    options->loss = draw_chance(world, 3, 50000);
    options->duplication = draw_chance(world, 3, 100000);
    options->spikes = draw_chance(world, 3, 20000);
    options->spike_us = scenario_scale(world, 5 * MS_US, 200 * MS_US);
    options->disk_failures = draw_chance(world, 5, 2000);
    options->value_failures = draw_chance(world, 3, 300000);
    options->drift = draw_chance(world, 3, 50000);
    options->unsynced_kept = world_random(world, 2) ? 0 : 500000;
    options->cancels = draw_chance(world, 2, 300000);
}

void scenario_draw(struct world *world)
{
    draw_size(world);
    draw_times(world);
    draw_chances(world);
    draw_limits(world);
    draw_keys(world);
    draw_retention(world);
    draw_owners(world);
    draw_scratch(world);
    uploaders_open(world);
    world->options.tasks_execute = world->options.seed % 4 != 0;
    world->options.slots = world->options.seed / 4 % 4;
    world->options.operation_slots = world->options.seed / 16 % (WORLD_SLOTS_MAX + 1);
}

unsigned scenario_clients(struct world *world)
{
    unsigned n = 1 + (unsigned)world_random(world, 4);
    for (unsigned client = 0; client < n; client++) {
        uint64_t n_max = world_random(world, 20) ? scenario_scale(world, 10, 1000)
                                                 : scenario_scale(world, 1000, 20000);
        if (world_random(world, 3))
            world_client_mixed(world, client, 1 + world_random(world, 25), n_max,
                               scenario_scale(world, 1, 500 * MS_US));
        else /* progress only */
            world_client_mixed(world, client, 1 + world_random(world, 100), 0,
                               scenario_scale(world, 1, 200 * MS_US));
    }
    return n;
}
