/* Checkpoints: building them in slices. Loading them: tables.c. */
#include "nodes/core/state/checkpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/slice.h"

/* Parts that have their place in a checkpoint: the order of tables, and of groups within one. */
struct placed {
    enum row_table table;
    uint64_t group; /* its number; 0: a small table */
    struct checkpoint *parts;
};

struct checkpoint_build {
    struct checkpoint_build *next; /* in the order in which they began */
    enum { BUILD_GOES_ON, BUILD_DONE, BUILD_LOST } state;
    enum checkpoint_use use;
    uint64_t number;
    struct checkpoint *checkpoint; /* filled when it is done; of CHECKPOINT_OPEN: as parts come */
    struct placed *placed;         /* owned, in the order in which they came */
    size_t n_placed, placed_size;
    unsigned table; /* where the sweep over the groups is ... */
    struct row_group *at;
    struct checkpoint *blocks; /* of forgotten keys, as they were when it began; NULL: none */
    struct message **late;     /* owned; those from the first one on are still to be packed */
    size_t late_first, n_late, late_size;
    struct bundle late_bundle;
    struct checkpoint *late_parts; /* they come last */
};

static size_t bundle_rows(const struct state *state)
{
    return state->step->config.checkpoint_bundle_rows ? state->step->config.checkpoint_bundle_rows
                                                      : CHECKPOINT_GROUP_ROWS;
}

/* The most rows of a group. */
static size_t group_rows(const struct state *state, enum row_table table)
{
    size_t most = bundle_rows(state);
    return most < state_tables[table]->group_rows ? most : state_tables[table]->group_rows;
}

/* --- what is packed goes to the builds that lack it --- */

static void *grown(void *at, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return at;
    *size = *size ? 2 * *size : 16;
    return mem_grow(at, *size, item);
}

static void place(struct checkpoint_build *build, enum row_table table, uint64_t group,
                  struct checkpoint *parts)
{
    build->placed =
        grown(build->placed, build->n_placed, &build->placed_size, sizeof *build->placed);
    build->placed[build->n_placed++] = (struct placed){table, group, checkpoint_ref(parts)};
}

static void add_all(struct checkpoint *to, const struct checkpoint *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        checkpoint_add(to, parts->parts[i]);
}

static void give_late(struct checkpoint_build *build, const struct checkpoint_sink *sink)
{
    for (size_t i = 0; i < sink->n_late; i++) {
        build->late = grown(build->late, build->n_late, &build->late_size, sizeof *build->late);
        build->late[build->n_late++] = message_ref(sink->late[i]);
    }
}

static bool is_open(const struct state_table *table, const struct row *row)
{
    return !table->is_open || table->is_open(row);
}

static bool lacks(const struct checkpoint_build *build, const struct row_group *group)
{
    return build->state == BUILD_GOES_ON && build->number > group->saved;
}

static void count(struct state *state, const struct checkpoint_sink *sink)
{
    struct checkpoint_builds *builds = &state->builds;
    builds->slice_rows += sink->n;
    builds->slice_bytes += sink->bytes;
    builds->packed_rows += sink->n;
    builds->packed_bytes += sink->bytes;
}

/* Packs the group, unless nothing has changed since; and gives it to those that lack it. */
static void give_whole(struct state *state, struct row_group *group)
{
    const struct state_table *table = state_tables[group->table];
    bool pack = !group->packed;
    struct checkpoint_sink sink = {.late_only = !pack};
    group->open = pack ? false : group->open;
    for (size_t i = 0; (pack || group->late) && i < group->n; i++) {
        bool open = is_open(table, group->rows[i]);
        group->open = group->open || open;
        if (pack || open)
            table->save(&sink, state, group->rows[i]);
    }
    if (pack) {
        group->packed = checkpoint_sink_bundle(&sink, bundle_rows(state));
        group->late = sink.n_late > 0;
    }
    for (struct checkpoint_build *it = state->builds.first; it; it = it->next)
        if (it->use == CHECKPOINT_WHOLE && lacks(it, group)) {
            place(it, group->table, group->number, group->packed);
            give_late(it, &sink);
        }
    count(state, &sink);
    checkpoint_sink_clear(&sink);
}

static void pack_closed(struct state *state, struct row_group *group)
{
    const struct state_table *table = state_tables[group->table];
    struct checkpoint_sink sink = {.use = CHECKPOINT_OPEN};
    if (group->closed)
        return;
    if (table->save_closed)
        table->save_closed(&sink, group->rows, group->n);
    group->closed = checkpoint_new(0, 0);
    for (size_t i = 0; i < sink.n; i++)
        checkpoint_add(group->closed, sink.at[i]);
    count(state, &sink);
    state->builds.slice_visits += group->n;
    checkpoint_sink_clear(&sink);
}

/* Its open rows, to those that want no others. */
static void give_open(struct state *state, struct row_group *group)
{
    const struct state_table *table = state_tables[group->table];
    struct checkpoint_sink sink = {.use = CHECKPOINT_OPEN};
    for (size_t i = 0; (!group->packed || group->open) && i < group->n; i++)
        if (is_open(table, group->rows[i]))
            table->save(&sink, state, group->rows[i]);
    pack_closed(state, group);
    for (struct checkpoint_build *it = state->builds.first; it; it = it->next)
        if (it->use == CHECKPOINT_OPEN && lacks(it, group)) {
            for (size_t i = 0; i < sink.n; i++)
                checkpoint_add(it->checkpoint, sink.at[i]);
            add_all(it->checkpoint, group->closed);
            give_late(it, &sink);
        }
    count(state, &sink);
    checkpoint_sink_clear(&sink);
}

/* A group has not changed since the oldest build that lacks it began: it is the same for all. */
static void save_group(struct state *state, struct row_group *group)
{
    bool lacking[] = {[CHECKPOINT_WHOLE] = false, [CHECKPOINT_OPEN] = false};
    for (const struct checkpoint_build *it = state->builds.first; it; it = it->next)
        lacking[it->use] = lacking[it->use] || lacks(it, group);
    if (lacking[CHECKPOINT_WHOLE])
        give_whole(state, group);
    if (lacking[CHECKPOINT_OPEN])
        give_open(state, group);
    group->saved = state->builds.watch.newest;
}

/* --- changes of rows: row.h --- */

static void group_changes(struct row_watch *watch, struct row_group *group)
{
    if (watch->building && group->saved < watch->newest && !MUTANT(checkpoint_torn)) {
        if (MUTANT(checkpoint_misses))
            group->saved = watch->newest;
        else
            save_group(watch->context, group);
    }
    if (!MUTANT(checkpoint_stale))
        groups_changed(group);
}

static void row_made(struct row_watch *watch, enum row_table table, struct row *row)
{
    struct state *state = watch->context;
    struct row_groups *groups = &state->builds.groups[table];
    size_t most = group_rows(state, table);
    struct row_group *joined = groups_joined(groups, most);
    if (joined) {
        group_changes(watch, joined);
        groups_changed(joined);
    }
    groups_add(groups, table, row, most, watch->newest);
}

static void row_changed(struct row_watch *watch, enum row_table table, struct row *row)
{
    assert(row->group->table == table);
    group_changes(watch, row->group);
}

/* No build is to begin where there is no group. */
static void drop_group(struct checkpoint_builds *builds, struct row_group *group)
{
    for (struct checkpoint_build *it = builds->first; it; it = it->next)
        if (it->at == group)
            it->at = group->newer;
    groups_drop(&builds->groups[group->table], group);
}

static void row_gone(struct row_watch *watch, enum row_table table, struct row *row)
{
    struct state *state = watch->context;
    struct row_group *group = row->group, *neighbour;
    group_changes(watch, group);
    groups_changed(group);
    groups_remove(row);
    neighbour = groups_too_small(group, group_rows(state, table));
    if (neighbour && neighbour != group) {
        struct row_group *older = neighbour == group->older ? neighbour : group;
        struct row_group *newer = older == group ? neighbour : group;
        group_changes(watch, neighbour);
        groups_changed(neighbour);
        groups_merge(older, newer);
        group = newer;
    }
    if (!group->n)
        drop_group(&state->builds, group);
}

/* --- slices --- */

static uint64_t slice_rows_max(const struct state *state)
{
    return state->step->config.checkpoint_slice_rows ? state->step->config.checkpoint_slice_rows
                                                     : CHECKPOINT_SLICE_ROWS;
}

/* `more`: so many rows are next. */
static bool is_spent(const struct state *state, size_t more)
{
    const struct checkpoint_builds *builds = &state->builds;
    size_t most = slice_rows_max(state);
    return builds->slice_rows >= most || builds->slice_bytes >= CHECKPOINT_SLICE_BYTES ||
           builds->slice_visits >= CHECKPOINT_SLICE_VISITS ||
           (builds->slice_rows && builds->slice_rows + more > most);
}

static void pack_late(struct state *state, struct checkpoint_build *build)
{
    struct blob *part = checkpoint_pack(build->late[build->late_first]);
    message_drop(&build->late[build->late_first++]);
    if (build->use == CHECKPOINT_WHOLE)
        bundle_add(&build->late_bundle, build->late_parts, part, bundle_rows(state));
    else
        checkpoint_add(build->checkpoint, part);
    count(state, &(struct checkpoint_sink){.n = 1, .bytes = part->len});
    blob_drop(&part);
    if (build->late_first == build->n_late)
        build->late_first = build->n_late = 0;
}

static int compare_placed(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group;
}

/* In the order of the rows, though those that changed meanwhile came first: who loads it puts each
 * row behind the one before. */
static void finish(struct checkpoint_build *build)
{
    if (build->n_placed)
        qsort(build->placed, build->n_placed, sizeof *build->placed, compare_placed);
    for (size_t i = 0; i < build->n_placed; i++) {
        add_all(build->checkpoint, build->placed[i].parts);
        checkpoint_drop(&build->placed[i].parts);
    }
    build->n_placed = 0;
    bundle_flush(&build->late_bundle, build->late_parts);
    add_all(build->checkpoint, build->late_parts);
    if (build->blocks)
        add_all(build->checkpoint, build->blocks);
    build->state = BUILD_DONE;
}

/* Goes on with one build until it is done, or the slice is spent. */
static void sweep(struct state *state, struct checkpoint_build *build)
{
    struct checkpoint_builds *builds = &state->builds;
    while (build->table < TABLE_COUNT || build->n_late) {
        struct row_group *group = build->n_late ? NULL : build->at;
        bool packs = group && lacks(build, group) && !group->packed;
        if (is_spent(state, packs ? group->n : 0))
            return;
        if (build->n_late) {
            pack_late(state, build);
            continue;
        }
        builds->slice_visits++;
        if (!group) {
            build->table++;
            build->at = build->table < TABLE_COUNT ? builds->groups[build->table].oldest : NULL;
            continue;
        }
        if (lacks(build, group))
            save_group(state, group);
        build->at = group->newer;
    }
    finish(build);
}

void checkpoint_pump(struct state *state)
{
    struct checkpoint_builds *builds = &state->builds;
    bool building = false;
    if (!builds->watch.building)
        return;
    if (state->step->now_us >= builds->slice_us + CHECKPOINT_SLICE_GAP_US) {
        builds->slice_us = state->step->now_us;
        builds->slice_rows = builds->slice_bytes = builds->slice_visits = 0;
    }
    for (struct checkpoint_build *it = builds->first; it; it = it->next) {
        if (it->state == BUILD_GOES_ON)
            sweep(state, it);
        building = building || it->state == BUILD_GOES_ON;
    }
    builds->watch.building = building;
}

uint64_t checkpoint_deadline(const struct state *state)
{
    const struct checkpoint_builds *builds = &state->builds;
    return builds->watch.building ? builds->slice_us + CHECKPOINT_SLICE_GAP_US : UINT64_MAX;
}

/* --- beginning and ending --- */

static bool same_bytes(const struct blob *a, const struct blob *b)
{
    return slice_same((struct slice){a->at, a->len}, (struct slice){b->at, b->len});
}

/* A small table is packed each time; parts that come out the same are shared all the same. */
static void place_small(struct state *state, struct checkpoint_build *build, enum row_table table,
                        const struct checkpoint_sink *sink)
{
    struct checkpoint **before = &state->builds.small[table];
    struct checkpoint *parts = checkpoint_sink_bundle(sink, bundle_rows(state));
    for (size_t i = 0; *before && i < parts->n && i < (*before)->n; i++)
        if (same_bytes(parts->parts[i], (*before)->parts[i])) {
            blob_drop(&parts->parts[i]);
            parts->parts[i] = blob_ref((*before)->parts[i]);
        }
    place(build, table, 0, parts);
    checkpoint_drop(before);
    *before = parts;
}

static void save_small(struct state *state, struct checkpoint_build *build)
{
    for (int at = 0; at < TABLE_COUNT; at++) {
        const struct state_table *table = state_tables[at];
        struct checkpoint_sink sink = {.index = build->checkpoint->index,
                                       .term = build->checkpoint->term,
                                       .use = build->use};
        if (!table->save_all)
            continue;
        table->save_all(&sink, state);
        for (size_t i = 0; build->use == CHECKPOINT_OPEN && i < sink.n; i++)
            checkpoint_add(build->checkpoint, sink.at[i]);
        if (build->use == CHECKPOINT_WHOLE)
            place_small(state, build, (enum row_table)at, &sink);
        state->builds.slice_bytes += sink.bytes;
        checkpoint_sink_clear(&sink);
    }
}

struct checkpoint_build *checkpoint_begin(struct state *state, enum checkpoint_use use)
{
    struct checkpoint_builds *builds = &state->builds;
    struct checkpoint_build *build = mem_new(1, sizeof *build), **end = &builds->first;
    log_index_t index = state->applied;
    if (MUTANT(image_one_behind) && index > 1)
        index--;
    while (*end)
        end = &(*end)->next;
    *end = build;
    build->use = use;
    build->checkpoint = checkpoint_new(index, state->applied_term);
    build->late_parts = checkpoint_new(0, 0);
    build->number = ++builds->watch.newest;
    build->at = builds->groups[0].oldest;
    builds->watch.building = true;
    if (use == CHECKPOINT_WHOLE) {
        build->blocks = keys_blocks(state);
        build->checkpoint->n_blocks = build->blocks->n;
        build->checkpoint->next_block = state->keys.window.next;
    }
    save_small(state, build);
    checkpoint_pump(state);
    return build;
}

void checkpoint_end(struct state *state, struct checkpoint_build **build)
{
    struct checkpoint_build *it = *build, **at = &state->builds.first;
    *build = NULL;
    if (!it)
        return;
    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    for (size_t i = 0; i < it->n_placed; i++)
        checkpoint_drop(&it->placed[i].parts);
    free(it->placed);
    for (size_t i = it->late_first; i < it->n_late; i++)
        message_drop(&it->late[i]);
    free(it->late);
    message_drop(&it->late_bundle.message);
    checkpoint_drop(&it->late_parts);
    checkpoint_drop(&it->blocks);
    checkpoint_drop(&it->checkpoint);
    free(it);
}

bool checkpoint_is_done(const struct checkpoint_build *build)
{
    return build->state == BUILD_DONE;
}

bool checkpoint_is_lost(const struct checkpoint_build *build)
{
    return build->state == BUILD_LOST;
}

struct checkpoint *checkpoint_of(const struct checkpoint_build *build)
{
    return checkpoint_is_done(build) ? build->checkpoint : NULL;
}

void checkpoint_check_invariants(const struct state *state)
{
    const struct checkpoint_builds *builds = &state->builds;
    uint64_t before = 0;
    for (const struct checkpoint_build *it = builds->first; it; it = it->next) {
        assert(before < it->number && it->number <= builds->watch.newest);
        assert(it->state != BUILD_GOES_ON || builds->watch.building);
        assert(it->state != BUILD_DONE ||
               (it->table == TABLE_COUNT && !it->n_placed && !it->n_late));
        assert(it->late_first <= it->n_late && it->n_late <= it->late_size);
        before = it->number;
    }
    for (int i = 0; i < TABLE_COUNT; i++)
        groups_check_invariants(&builds->groups[i], (enum row_table)i,
                                group_rows(state, (enum row_table)i));
}

/* --- the state as a whole --- */

/* The tables say what changes in them. */
static void watch(struct state *state)
{
    struct row_watch *it = &state->builds.watch;
    it->made = row_made;
    it->changes = row_changed;
    it->goes = row_gone;
    it->context = state;
    for (int i = 0; i < TABLE_COUNT; i++)
        if (state_tables[i]->watch)
            state_tables[i]->watch(state, it);
}

static void init(struct state *state)
{
    for (int i = 0; i < TABLE_COUNT; i++)
        if (state_tables[i]->init)
            state_tables[i]->init(state);
}

void checkpoint_init(struct state *state)
{
    init(state);
    watch(state);
}

struct state *checkpoint_scratch_new(const struct state *state)
{
    struct state *scratch = mem_new(1, sizeof *scratch);
    scratch->step = state->step;
    checkpoint_init(scratch);
    return scratch;
}

void checkpoint_scratch_drop(struct state **scratch)
{
    if (*scratch)
        checkpoint_clear_state(*scratch);
    free(*scratch);
    *scratch = NULL;
}

void checkpoint_clear_state(struct state *state)
{
    for (int i = 0; i < TABLE_COUNT; i++)
        if (state_tables[i]->clear)
            state_tables[i]->clear(state);
    for (int i = 0; i < TABLE_COUNT; i++) {
        groups_clear(&state->builds.groups[i]);
        checkpoint_drop(&state->builds.small[i]);
    }
}

void checkpoint_replace_state(struct state *state, struct state **scratch)
{
    struct checkpoint_builds *builds = &state->builds;
    for (struct checkpoint_build *it = builds->first; it; it = it->next)
        if (it->state == BUILD_GOES_ON)
            it->state = BUILD_LOST;
    builds->watch.building = false;
    checkpoint_clear_state(state);
    state->applied = (*scratch)->applied;
    state->applied_term = (*scratch)->applied_term;
#define X(SYMBOL, name, type) state->name = (*scratch)->name;
    STATE_TABLES(X)
#undef X
    memcpy(builds->groups, (*scratch)->builds.groups, sizeof builds->groups);
    free(*scratch);
    *scratch = NULL;
    watch(state);
}
