#include "tests/sim/restored.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/snapshot/settle.h"
#include "nodes/core/state/state.h"
#include "nodes/io/share.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/snapshot/pack.h"
#include "tests/harness/inside.h"
#include "tests/sim/after.h"
#include "tests/sim/bank.h"
#include "tests/sim/clients.h"
#include "tests/sim/oracle.h"
#include "tests/sim/picture.h"
#include "tests/sim/rot.h"
#include "tests/sim/scenario.h"

#define ONE_IN      2 /* seeds with a bank */
#define LACKS_IN    4 /* of these: some of the values are not with the snapshot */
#define CLIENT      (WORLD_CLIENTS_MAX - 1)
#define TROUBLES    3
#define SERVED_US   (20 * SECOND_US)
#define SETTLED_US  (120 * SECOND_US)
#define REPAIRED_US (20 * SECOND_US)

struct restored {
    uint64_t random; /* its own */
    struct world_options options;
    uint64_t score;
    struct blob *container; /* owned; NULL: there was none yet */
    uint64_t money;
    struct map values; /* that it names: (job, op) -> struct blob, owned */
};

void restored_open(struct world *world)
{
    uint64_t random = ~world->options.seed * 11;
    if (!world->bank.in_use || world->options.n_nodes < 2 || world->hostile ||
        random_below(&random, ONE_IN))
        return;
    world->restored = mem_new(1, sizeof *world->restored);
    world->restored->random = random;
    world->restored->options = world->options;
}

static void drop_values(struct restored *it)
{
    struct blob *blob;
    for (size_t at = 0; (blob = map_next(&it->values, &at, NULL));)
        blob_drop(&blob);
    map_clear(&it->values);
}

void restored_free(struct restored **restored)
{
    if (*restored) {
        drop_values(*restored);
        blob_drop(&(*restored)->container);
    }
    free(*restored);
    *restored = NULL;
}

/* --- which snapshot --- */

/* Jobs of tasks in the midst of them are what is looked for; then any that are open. */
static uint64_t score_of(const struct state *state)
{
    uint64_t score = state->jobs.open > 0;
    for (size_t i = 0; i < state->task_jobs.n; i++) {
        const struct task_job *row = state->task_jobs.at[i];
        if (!row->ended)
            score += 1 + 2 * (row->decided.count > 0) + 2 * (row->n_starts > 0);
    }
    return score;
}

/* Borrowed; NULL: no disk has it, sound. */
static struct blob *on_some_disk(const struct world *world, const struct snapshot_value *value)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        struct blob *blob = rot_read(&world->nodes[id], (struct value_id){value->job, value->op});
        uint8_t hash[HASH_BYTES];
        if (blob)
            hash_bytes(blob->at, blob->len, hash);
        if (blob && !memcmp(hash, value->sha256, HASH_BYTES))
            return blob;
    }
    return NULL;
}

/* As an export fetches them, at once. */
static void copy_values(struct world *world, const struct snapshot_model *model)
{
    struct restored *it = world->restored;
    struct snapshot_values values;
    snapshot_values_of(model, &values);
    for (size_t i = 0; i < values.n; i++) {
        struct blob *blob = on_some_disk(world, &values.at[i]);
        struct value_id id = {values.at[i].job, values.at[i].op};
        if (blob)
            machine_put_value(&it->values, id, blob);
    }
    snapshot_values_clear(&values);
}

void restored_offer(struct world *world, node_id_t id, const struct snapshot_model *model,
                    const struct findings *findings, const struct blob *container)
{
    struct restored *it = world->restored;
    if (!it || !model->complete || !model->coordinator)
        return;
    uint64_t score = score_of(inside_state(world->nodes[id].core));
    if (score < it->score || (it->container && score == it->score && random_below(&it->random, 4)))
        return;
    it->score = score;
    it->money = findings->total;
    blob_drop(&it->container);
    it->container = blob_copy(container->at, container->len);
    drop_values(it);
    copy_values(world, model);
}

/* --- the disks of the other cluster --- */

static void mark_values(struct restored *it, struct snapshot_values *values, bool lacks)
{
    for (size_t i = 0; i < values->n; i++) {
        struct value_id id = {values->at[i].job, values->at[i].op};
        values->at[i].here = map_get(&it->values, machine_value_key(id)) &&
                             !(lacks && random_below(&it->random, 4) == 0);
    }
}

static void place_values(struct world *world, const struct restored *it, node_id_t id,
                         const struct snapshot_values *values)
{
    for (size_t i = 0; i < values->n && id <= world_voters(world); i++) {
        struct value_id value = {values->at[i].job, values->at[i].op};
        if (!values->at[i].here)
            continue;
        machine_put_value(&world->nodes[id].kept, value,
                          map_get(&it->values, machine_value_key(value)));
        oracle_kept(world, id, value);
    }
}

struct disk_of {
    struct world *world;
    node_id_t id;
};

static void write_one(void *context, const struct write *write)
{
    const struct disk_of *disk = context;
    disk_write_one(disk->world, disk->id, write);
}

static void take_share(struct world *world, node_id_t id, const struct snapshot_model *model)
{
    struct node_config config = {.id = id,
                                 .n_nodes = world->options.n_nodes,
                                 .n_voters = world_voters(world),
                                 .keys = world->options.keys};
    struct disk_of disk = {world, id};
    struct share share;
    struct text why = {0};
    struct blob *bytes = snapshot_pack(model, id);
    if (!bytes)
        world_fail(world, "S15: a snapshot that verifies can be restored", "it has no share of %u",
                   id);
    if (share_read(&share, &config, (struct slice){bytes->at, bytes->len}, &why))
        world_fail(world, "S15: a snapshot that verifies can be restored", "node %u: %s", id,
                   why.at);
    share_write(&share, write_one, &disk);
    share_clear(&share);
    blob_drop(&bytes);
}

static bool fill_disks(struct world *world, struct restored *it, struct snapshot_model *model)
{
    bool lacks = random_below(&it->random, LACKS_IN) == 0, all = true;
    struct restore_notes notes = {0};
    struct snapshot_values values;
    snapshot_values_of(model, &values);
    mark_values(it, &values, lacks);
    for (size_t i = 0; i < values.n; i++)
        all = all && values.at[i].here;
    snapshot_settle(model, &values, &notes);
    for (size_t i = 0; i < notes.lines.n; i++)
        world_say(world, NODE_NONE, "%s", notes.lines.at[i]);
    memcpy(model->cluster_id, &world->options.seed, sizeof world->options.seed);
    model->voters = world_voters(world);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        place_values(world, it, id, &values);
        take_share(world, id, model);
    }
    restore_notes_clear(&notes);
    snapshot_values_clear(&values);
    return all;
}

/* --- the other cluster --- */

static struct world *new_world(const struct restored *it)
{
    struct world_options options = it->options;
    options.forgets = true; /* finished jobs are not in a snapshot: sums over all do not add up */
    options.disk_failures = options.scratch_failures = 0;
    struct world *world = world_new(&options);
    world->random = it->random;
    return world;
}

static void trouble(struct world *world)
{
    for (unsigned i = 0; i < TROUBLES; i++) {
        world_run(world, scenario_scale(world, 5 * MS_US, SECOND_US));
        node_id_t id = world_random(world, 2)
                           ? 1 + (node_id_t)world_random(world, world->options.n_nodes)
                           : world_coordinator(world);
        if (!id)
            continue;
        world_crash(world, id);
        world_start_later(world, id, scenario_scale(world, MS_US, SECOND_US));
    }
}

static bool is_settled(const struct world *world)
{
    return after_is_settled(world) && bank_is_quiet(world);
}

static void settle(struct world *world)
{
    world_heal(world);
    if (!after_wait_for(world, world_is_served, SERVED_US))
        world_fail(world, "S15: a restored cluster has a coordinator", "there is none");
    if (!after_wait_for(world, is_settled, SETTLED_US))
        world_fail(world, "S15: a restored cluster comes to its end", "not within %u s",
                   (unsigned)(SETTLED_US / SECOND_US));
    after_wait_for(world, rot_is_repaired, REPAIRED_US);
}

static void check(struct world *world, const struct restored *it, bool all)
{
    oracle_end(world);
    after_check_values(world);
    picture_check_end(world, !all);
    if (bank_money(world) != it->money)
        world_fail(world, "S15: a restored cluster has the money of its snapshot",
                   "%" PRIu64 " of %" PRIu64, bank_money(world), it->money);
}

uint64_t restored_run(struct world *before)
{
    struct restored *it = before->restored;
    struct snapshot_model *model;
    struct text why = {0};
    if (!it || !it->container)
        return 0;
    if (snapshot_model_load((struct slice){it->container->at, it->container->len}, &model, &why))
        world_fail(before, "a snapshot can be read", "%s", why.at);
    struct world *world = new_world(it);
    world->picture = picture_new(before, model);
    world_say(world, NODE_NONE, "a cluster is restored from snapshot %" PRIu64 " of node %" PRIu64,
              model->name.counter, model->name.initiator);
    bool all = fill_disks(world, it, model);
    snapshot_model_destroy(&model);
    tasks_watch(world);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start_later(world, id, world_random(world, 100 * MS_US));
    world_client(world, CLIENT, 1, 200);
    trouble(world);
    settle(world);
    check(world, it, all);
    before->counts.restored++;
    before->counts.restored_ended += picture_ended(world->picture);
    before->counts.restored_begun += picture_begun(world->picture);
    before->counts.steps += world->counts.steps;
    uint64_t hash = world->hash;
    world_free(&world);
    return hash;
}
