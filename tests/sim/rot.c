#include "tests/sim/rot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "tests/harness/inside.h"

/* From one damaged value to the next, for the scrub: the sound ones are skipped. It takes long
 * enough, mostly, for a read to come first. */
#define SIM_SCRUB_LEAST_US (10 * MS_US)
#define SCRUB_STEPS        8 /* doublings of it */
/* Damaged at once on a node: the scrub comes round in time to repair it. */
#define ROT_MOST    8
#define ROT_EVERY   2 /* of so many deeds one comes with damage */
#define START_EVERY 2 /* of so many disks that come back one is damaged */

/* What the record of a damaged value says: of what was written. */
struct rot_record {
    uint64_t len;
    uint8_t hash[HASH_BYTES];
};

/* From a sequence of its own: a seed in which nothing is damaged is what it was. */
static uint64_t draw(struct world *world, uint64_t limit)
{
    uint64_t others = world->random;
    world->random = world->rot_random ? world->rot_random : ~world->options.seed;
    uint64_t number = world_random(world, limit);
    world->rot_random = world->random;
    world->random = others;
    return number;
}

/* --- what is damaged --- */

static const struct rot_record *find_record(const struct world_node *node, struct value_id id)
{
    return map_get(&node->damaged, machine_value_key(id));
}

static bool is_as_written(const struct blob *blob, const struct rot_record *record)
{
    uint8_t hash[HASH_BYTES];
    if (!record)
        return true;
    blob_hash(blob, hash);
    return blob->len == record->len && !memcmp(hash, record->hash, HASH_BYTES);
}

struct blob *rot_read(const struct world_node *node, struct value_id id)
{
    struct blob *blob = map_get(&node->kept, machine_value_key(id));
    return blob && is_as_written(blob, find_record(node, id)) ? blob : NULL;
}

bool rot_is_damaged(const struct world_node *node, struct value_id id)
{
    return map_get(&node->kept, machine_value_key(id)) && !rot_read(node, id);
}

struct blob *rot_look(const struct world_node *node, struct value_id id)
{
    struct blob *blob = map_get(&node->kept, machine_value_key(id));
    const struct rot_record *record = find_record(node, id);
    return blob && (!record || blob->len == record->len) ? blob : NULL;
}

void rot_mend(struct world_node *node, struct value_id id)
{
    free(map_remove(&node->damaged, machine_value_key(id)));
}

void rot_forget(struct world_node *node)
{
    struct rot_record *record;
    for (size_t at = 0; (record = map_next(&node->damaged, &at, NULL));)
        free(record);
    map_clear(&node->damaged);
    node->scrubbed = (struct value_id){0};
}

/* --- the account --- */

/* True when the state refers to it by its hash: so any other node's copy can be checked. */
static bool is_named(const struct node *node, struct value_id id)
{
    const struct job *job = jobs_find(&inside_state(node)->jobs, id.job);
    if (!job)
        return false;
    if (job->state == JOB_DONE && id.op == job_text_op(job))
        return job->digits && !job->text;
    const struct done_op *done = map_get(&job->live, (struct map_key){id.op, 0});
    return done && !done->value;
}

/* True when a node that runs has a sound one that its state names, so it stays. */
static bool is_elsewhere(const struct world *world, struct value_id value, node_id_t a, node_id_t b)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct world_node *node = &world->nodes[id];
        if (id != a && id != b && node->core && node->paused_until_us <= world->now_us &&
            is_named(node->core, value) && rot_read(node, value))
            return true;
    }
    return false;
}

bool rot_may_wipe(const struct world *world, node_id_t id)
{
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        struct map_key key;
        for (size_t at = 0; map_next(&world->nodes[other].damaged, &at, &key);) {
            struct value_id value = {key.a, key.b};
            if (other != id && rot_is_damaged(&world->nodes[other], value) &&
                !is_elsewhere(world, value, id, other))
                return false;
        }
    }
    return true;
}

bool rot_is_repaired(const struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct world_node *node = &world->nodes[id];
        struct map_key key;
        for (size_t at = 0; map_next(&node->damaged, &at, &key);) {
            struct value_id value = {key.a, key.b};
            if (rot_is_damaged(node, value) && is_named(node->core, value))
                return false;
        }
    }
    return true;
}

/* --- damage --- */

static void post(struct world *world, node_id_t id, enum pending_kind kind, uint64_t after_us,
                 struct value_id value)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = kind,
                                        .to = id,
                                        .incarnation = world->nodes[id].incarnation,
                                        .id = value});
}

static void scrub_later(struct world *world, node_id_t id)
{
    post(world, id, PENDING_SCRUB, SIM_SCRUB_LEAST_US << draw(world, SCRUB_STEPS),
         (struct value_id){0});
}

/* The file is gone (nothing is left of it), has lost its end, or has one byte that is another. */
static struct blob *spoil(struct world *world, const struct blob *sound)
{
    bool rots = draw(world, 2);
    size_t len = rots ? sound->len : draw(world, 2) ? 0 : (size_t)draw(world, sound->len);
    struct blob *blob = blob_copy(sound->at, len);
    if (rots)
        blob->at[draw(world, blob->len)] ^= (uint8_t)(1 + draw(world, 255));
    world_count(world, rots ? FAULT_ROTTEN_VALUE : FAULT_MISSING_VALUE);
    return blob;
}

static void damage(struct world *world, node_id_t id, struct value_id value)
{
    struct world_node *node = &world->nodes[id];
    const struct blob *sound = rot_read(node, value);
    struct rot_record *record = mem_new(1, sizeof *record);
    record->len = sound->len;
    blob_hash(sound, record->hash);
    struct blob *blob = spoil(world, sound);
    world_say(world, id, "its operation %" PRIu64 " of %" PRIu64 ", %" PRIu64 " bytes, %s",
              value.op, value.job, record->len,
              blob->len == record->len ? "rots"
              : blob->len              ? "is cut short"
                                       : "goes missing");
    machine_put_value(&node->kept, value, blob);
    blob_drop(&blob);
    free(map_put(&node->damaged, machine_value_key(value), record));
}

static bool is_enabled(const struct world *world)
{
#ifdef CONCLAVE_MUTANTS
    if (mutant_planted != MUTANT_none)
        return mutant_planted == MUTANT_rot_stays;
#endif
    return world->options.seed % 2;
}

/* Values that are on the disk and committed, as another node says: its own node need not have
 * applied that yet. */
static void damage_some(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct value_id *ids = mem_new(node->kept.count + 1, sizeof *ids);
    struct map_key key;
    size_t n = 0;
    for (size_t at = 0; map_next(&node->kept, &at, &key);) {
        struct value_id value = {key.a, key.b};
        if (!find_record(node, value) && rot_read(node, value)->len &&
            is_elsewhere(world, value, id, id))
            ids[n++] = value;
    }
    for (uint64_t left = 1 + draw(world, ROT_MOST); left && n && node->damaged.count < ROT_MOST;
         left--) {
        size_t which = (size_t)draw(world, n);
        damage(world, id, ids[which]);
        ids[which] = ids[--n];
    }
    free(ids);
}

void rot_trouble(struct world *world, uint64_t within_us)
{
    if (!is_enabled(world) || draw(world, ROT_EVERY))
        return;
    node_id_t id = 1 + (node_id_t)draw(world, world->options.n_nodes);
    post(world, id, PENDING_ROT, draw(world, within_us), (struct value_id){0});
}

/* Of that node, or the next one that has what can be damaged. */
void rot_strike(struct world *world, node_id_t id)
{
    uint32_t n = world->options.n_nodes;
    for (uint32_t i = 0; i < n; i++, id = id % n + 1) {
        struct world_node *node = &world->nodes[id];
        size_t before = node->damaged.count;
        if (node->core)
            damage_some(world, id);
        if (!before && node->damaged.count)
            scrub_later(world, id);
        if (node->damaged.count > before)
            return;
    }
}

void rot_start(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    if (node->kept.count && is_enabled(world) && !draw(world, START_EVERY))
        damage_some(world, id);
    node->scrubbed = (struct value_id){0};
    if (node->damaged.count)
        scrub_later(world, id);
}

/* --- finding it --- */

void rot_found(struct world *world, node_id_t id, struct value_id value)
{
    world_say(world, id, "a read of operation %" PRIu64 " of %" PRIu64 " fails", value.op,
              value.job);
    post(world, id, PENDING_LOST, 1, value);
}

static bool is_before(struct map_key a, struct map_key b)
{
    return a.a < b.a || (a.a == b.a && a.b < b.b);
}

/* One value after another, in order, and round again. */
void rot_scrub(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    struct map_key key, first = {UINT64_MAX, UINT64_MAX}, next = first;
    struct map_key last = machine_value_key(node->scrubbed);
    if (!node->damaged.count)
        return;
    for (size_t at = 0; map_next(&node->damaged, &at, &key);) {
        first = is_before(key, first) ? key : first;
        next = is_before(last, key) && is_before(key, next) ? key : next;
    }
    next = next.a == UINT64_MAX ? first : next;
    struct value_id value = {next.a, next.b};
    node->scrubbed = value;
    if (rot_is_damaged(node, value))
        post(world, id, PENDING_LOST, 1, value);
    else
        rot_mend(node, value); /* it was collected */
    if (node->damaged.count)
        scrub_later(world, id);
}
