/* Checkpoints: building them in slices. Loading them: tables.c. */
#include "nodes/core/state/checkpoint.h"

#include <assert.h>
#include <stdlib.h>

#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

#define BUNDLE_BYTES (MESSAGE_MAX_BYTES / 4) /* a bundle of rows ends when it is this large ... */
#define BUNDLE_ROWS  128 /* ... or has so many: a follower loads it in one step */

struct checkpoint_build {
    struct checkpoint_build *next; /* in the order in which they began */
    enum { BUILD_GOES_ON, BUILD_DONE, BUILD_LOST } state;
    enum checkpoint_use use;
    uint64_t number;
    struct checkpoint *checkpoint;
    struct message *bundle; /* being filled; NULL: none */
    size_t bundle_bytes;
    unsigned table; /* where the sweep over the tables is ... */
    uint64_t cursor;
    struct checkpoint *blocks; /* of forgotten keys, as they were when it began; NULL: none */
    struct message **late;     /* owned; those from the first one on are still to be packed */
    size_t late_first, n_late, late_size;
};

/* --- what is packed goes to the builds that lack it --- */

static void flush(struct checkpoint_build *build)
{
    if (!build->bundle)
        return;
    build->bundle->as.image_bundle.rows = build->bundle->n_frames;
    struct blob *part = codec_pack(build->bundle);
    if (!part)
        panic("a part of a checkpoint cannot be encoded");
    checkpoint_add(build->checkpoint, part);
    blob_drop(&part);
    message_drop(&build->bundle);
    build->bundle_bytes = 0;
}

static void give_part(const struct state *state, struct checkpoint_build *build, struct blob *part)
{
    size_t most = state->step->config.checkpoint_bundle_rows
                      ? state->step->config.checkpoint_bundle_rows
                      : BUNDLE_ROWS;
    /* The head comes first, as it is: from it a reader knows what he has. */
    if (build->use == CHECKPOINT_OPEN || !build->checkpoint->n) {
        checkpoint_add(build->checkpoint, part);
        return;
    }
    /* What is large is not copied once more. */
    if (part->len >= BUNDLE_BYTES / 2) {
        flush(build);
        checkpoint_add(build->checkpoint, part);
        return;
    }
    if (!build->bundle)
        build->bundle = message_new(MESSAGE_IMAGE_BUNDLE);
    message_add_frame(build->bundle, part);
    build->bundle_bytes += part->len;
    if (build->bundle->n_frames >= most || build->bundle_bytes >= BUNDLE_BYTES)
        flush(build);
}

static void *grown(void *at, size_t n, size_t *size, size_t item)
{
    if (n < *size)
        return at;
    *size = *size ? 2 * *size : 16;
    return mem_grow(at, *size, item);
}

static void give(const struct state *state, struct checkpoint_build *build,
                 const struct checkpoint_sink *sink)
{
    for (size_t i = 0; i < sink->n; i++)
        give_part(state, build, sink->at[i]);
    for (size_t i = 0; i < sink->n_late; i++) {
        build->late = grown(build->late, build->n_late, &build->late_size, sizeof *build->late);
        build->late[build->n_late++] = message_ref(sink->late[i]);
    }
}

static struct blob *pack(const struct message *message)
{
    struct blob *packed = codec_pack(message);
    if (!packed)
        panic("a row of a checkpoint cannot be encoded: %s", message_name(message->type));
    return packed;
}

void checkpoint_sink_add(struct checkpoint_sink *sink, struct message *message)
{
    struct blob *packed = pack(message);
    sink->at = grown(sink->at, sink->n, &sink->size, sizeof *sink->at);
    sink->at[sink->n++] = packed;
    sink->bytes += packed->len;
    message_drop(&message);
}

void checkpoint_sink_add_late(struct checkpoint_sink *sink, struct message *message)
{
    if (MUTANT(live_results_at_once)) {
        checkpoint_sink_add(sink, message);
        return;
    }
    sink->late = grown(sink->late, sink->n_late, &sink->late_size, sizeof *sink->late);
    sink->late[sink->n_late++] = message;
}

static void clear(struct checkpoint_sink *sink)
{
    for (size_t i = 0; i < sink->n; i++)
        blob_drop(&sink->at[i]);
    for (size_t i = 0; i < sink->n_late; i++)
        message_drop(&sink->late[i]);
    free(sink->at);
    free(sink->late);
}

/* A row has not changed since the oldest build that lacks it began: it is the same for all. */
static void save_row(struct state *state, enum row_table at, struct row *row)
{
    struct checkpoint_builds *builds = &state->builds;
    const struct state_table *table = state_tables[at];
    struct checkpoint_sink sink = {0};
    bool open = !table->is_open || table->is_open(row);
    for (struct checkpoint_build *it = builds->first; it; it = it->next) {
        if (it->state != BUILD_GOES_ON || it->number <= row->saved ||
            (it->use == CHECKPOINT_OPEN && !open))
            continue;
        if (!sink.n)
            table->save(&sink, state, row);
        give(state, it, &sink);
    }
    row->saved = builds->watch.newest;
    builds->slice_rows += sink.n;
    builds->slice_bytes += sink.bytes;
    clear(&sink);
}

static void save_before_change(struct row_watch *watch, enum row_table table, struct row *row)
{
    if (MUTANT(checkpoint_torn))
        return;
    if (MUTANT(checkpoint_misses)) {
        row->saved = watch->newest;
        return;
    }
    save_row(watch->context, table, row);
}

/* --- slices --- */

static uint64_t slice_rows_max(const struct state *state)
{
    return state->step->config.checkpoint_slice_rows ? state->step->config.checkpoint_slice_rows
                                                     : CHECKPOINT_SLICE_ROWS;
}

static bool is_spent(const struct state *state)
{
    const struct checkpoint_builds *builds = &state->builds;
    return builds->slice_rows >= slice_rows_max(state) ||
           builds->slice_bytes >= CHECKPOINT_SLICE_BYTES ||
           builds->slice_visits >= CHECKPOINT_SLICE_VISITS;
}

static void pack_late(struct state *state, struct checkpoint_build *build)
{
    struct blob *part = pack(build->late[build->late_first]);
    message_drop(&build->late[build->late_first++]);
    give_part(state, build, part);
    state->builds.slice_rows++;
    state->builds.slice_bytes += part->len;
    blob_drop(&part);
    if (build->late_first == build->n_late)
        build->late_first = build->n_late = 0;
}

/* Goes on with one build until it is done, or the slice is spent. */
static void sweep(struct state *state, struct checkpoint_build *build)
{
    while (build->table < TABLE_COUNT || build->n_late) {
        if (is_spent(state))
            return;
        if (build->n_late) {
            pack_late(state, build);
            continue;
        }
        const struct state_table *table = state_tables[build->table];
        struct row *row = table->next ? table->next(state, &build->cursor) : NULL;
        state->builds.slice_visits++;
        if (!row) {
            build->table++;
            build->cursor = 0;
        } else if (row->saved < build->number) {
            save_row(state, (enum row_table)build->table, row);
        }
    }
    flush(build);
    for (size_t i = 0; build->blocks && i < build->blocks->n; i++)
        checkpoint_add(build->checkpoint, build->blocks->parts[i]);
    build->state = BUILD_DONE;
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
    build->number = ++builds->watch.newest;
    builds->watch.building = true;
    if (use == CHECKPOINT_WHOLE) {
        build->blocks = keys_blocks(state);
        build->checkpoint->n_blocks = build->blocks->n;
        build->checkpoint->next_block = state->keys.window.next;
    }
    for (int at = 0; at < TABLE_COUNT; at++) {
        const struct state_table *table = state_tables[at];
        struct checkpoint_sink sink = {.index = index, .term = state->applied_term, .use = use};
        if (!table->save_all)
            continue;
        table->save_all(&sink, state);
        give(state, build, &sink);
        builds->slice_bytes += sink.bytes;
        clear(&sink);
    }
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
    checkpoint_drop(&it->checkpoint);
    if (it->blocks)
        checkpoint_drop(&it->blocks);
    message_drop(&it->bundle);
    for (size_t i = it->late_first; i < it->n_late; i++)
        message_drop(&it->late[i]);
    free(it->late);
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
        assert(it->state != BUILD_DONE || (it->table == TABLE_COUNT && !it->bundle && !it->n_late));
        assert(it->late_first <= it->n_late && it->n_late <= it->late_size);
        before = it->number;
    }
}

/* --- the state as a whole --- */

/* The tables say what changes in them. */
static void watch(struct state *state)
{
    struct row_watch *it = &state->builds.watch;
    it->save = save_before_change;
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
    init(scratch);
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
    free(*scratch);
    *scratch = NULL;
    watch(state);
}
