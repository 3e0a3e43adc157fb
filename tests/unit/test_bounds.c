/* The largest state that the bounds allow: a checkpoint of it is built, loaded and replaced in
 * small steps, and holds the state as it was when it began, whatever is applied meanwhile. Work is
 * counted, not timed; what it took is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "nodes/core/ledger/ledger.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/harness/inside.h"
#include "tests/sim/world.h"

enum { INDEX = 1000000, MARKED = 100, LIVE_JOBS = 64, LIVE_OPS = 50, LIVE_BYTES = 4096 };

/* --- a node whose state the test fills --- */

static struct state *state_of(struct node *node)
{
    return inside_state_to_change(node);
}

static struct node *node_of(void)
{
    struct node_config config = {.id = 1,
                                 .n_nodes = 3,
                                 .n_voters = 3,
                                 .incarnation = 1,
                                 .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                 .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                 .compact_entries = COMPACT_ENTRIES,
                                 .log_level = LOG_ERROR,
                                 .insecure = true,
                                 .cluster = "bounds",
                                 .host = "bounds",
                                 .version = "0"};
    struct node_durable durable = {.term = 1};
    struct node *node = node_new(&config, &durable, SECOND_US);
    raft_log_reset(inside_raft_to_change(node), INDEX, 1);
    state_of(node)->applied = INDEX;
    state_of(node)->applied_term = 1;
    return node;
}

static struct message *submitted(unsigned number, const char *spec)
{
    char key[JOB_KEY_MAX];
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    text_format(key, sizeof key, "a-key-as-long-as-they-get-0123456789-0123456789-%08u", number);
    entry->as.entry_job_submitted.key = message_text(entry, key);
    entry->as.entry_job_submitted.kind = message_text(entry, "factorial");
    entry->as.entry_job_submitted.spec = message_text(entry, spec);
    return entry;
}

static struct message *done(job_id_t job)
{
    static char digits[TEXT_INLINE_DIGITS + 1];
    static uint8_t hash[HASH_BYTES] = {1, 2, 3};
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    memset(digits, '7', TEXT_INLINE_DIGITS);
    entry->as.entry_job_done.job = job;
    entry->as.entry_job_done.source = 1;
    entry->as.entry_job_done.digits = TEXT_INLINE_DIGITS;
    entry->as.entry_job_done.text = slice_of(digits);
    entry->as.entry_job_done.sha256 = (struct slice){hash, sizeof hash};
    return entry;
}

static struct message *ops_done(job_id_t job, op_id_t first, size_t n, size_t len)
{
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    struct wire_done *it = &entry->as.done;
    struct blob *value = blob_new(len);
    memset(value->at, 9, value->len);
    it->job = job;
    it->ops.n = n;
    it->ops.at = message_room(entry, n, sizeof *it->ops.at);
    for (size_t i = 0; i < n; i++)
        it->ops.at[i] = (struct wire_done_op){.op = first + i,
                                              .node = 2,
                                              .len = len,
                                              .frame = message_add_frame(entry, value)};
    it->tallies.n = 1;
    it->tallies.at = message_room(entry, 1, sizeof *it->tallies.at);
    it->tallies.at[0] =
        (struct wire_tally){.node = 2, .operations = n, .incarnation = 5, .executed = n};
    entry->as.entry_ops_done.source = 1;
    blob_drop(&value);
    return entry;
}

static void apply(struct node *node, uint64_t number, struct message *entry)
{
    assert_true(state_entry_is_valid(entry));
    state_apply(state_of(node), number, 1, entry);
    state_of(node)->applied = INDEX;
    message_drop(&entry);
}

static job_id_t id_of(uint64_t number)
{
    return (job_id_t)1 << JOB_INDEX_BITS | number;
}

static void fill(struct node *node, unsigned finished, unsigned open, unsigned snaps)
{
    for (unsigned i = 1; i <= finished + open; i++)
        apply(node, i, submitted(i, i % 10 && i <= finished ? "10" : "12000"));
    for (unsigned i = 1; i <= finished; i++)
        apply(node, i, done(id_of(i)));
    for (unsigned i = 1; i <= LIVE_JOBS && i <= open; i++)
        apply(node, i, ops_done(id_of(finished + i), 1, LIVE_OPS, LIVE_BYTES));
    for (unsigned snap = 0; snap < snaps; snap++) {
        char key[JOB_KEY_MAX];
        for (unsigned index = 1; index <= MARKED; index++)
            progress_set_state(&state_of(node)->progress, index, snap * 1000 + index);
        text_format(key, sizeof key, "snap-%u", snap);
        snaps_add(&state_of(node)->snaps, slice_of(key), progress_snap(&state_of(node)->progress));
    }
    /* Sealed blocks of keys are no parts of a checkpoint on disk: these stay in the open one. */
    for (unsigned i = 0; i < finished; i++) {
        char key[JOB_KEY_MAX];
        text_format(key, sizeof key, "forgotten-%u", i);
        keys_forget(&state_of(node)->keys, KEY_OF_JOB, slice_of(key));
    }
}

/* --- what the state is --- */

static uint64_t digest_job(const struct job *job)
{
    struct done_op *live;
    uint64_t sum = 0, hash = random_fold(job->id, map_hash(job->key, strlen(job->key)));
    for (size_t at = 0; (live = map_next(&job->live, &at, NULL));)
        sum += random_fold(live->op, live->len);
    hash = random_fold(random_fold(hash, job->state), sum);
    if (!job_is_finished(job))
        hash = random_fold(random_fold(hash, job->done), job->executed);
    hash = random_fold(hash, job->text ? map_hash(job->text->at, job->text->len) : 0);
    for (op_id_t op = 0; job->trace && op < job->plan.total; op++)
        hash = random_fold(hash, job->trace[op].node);
    return random_fold(hash, job->trace != NULL);
}

static void mix_key(void *context, uint64_t key)
{
    uint64_t *hash = context;
    *hash = random_fold(*hash, key);
}

static uint64_t digest(const struct state *state)
{
    const struct jobs *jobs = &state->jobs;
    uint64_t hash = random_fold(jobs->n, jobs->open), at_snap;
    for (size_t i = 0; i < jobs->n; i++)
        hash = random_fold(hash, digest_job(jobs->at[i]));
    for (size_t i = 0; i < state->snaps.n; i++)
        hash = random_fold(hash, state->snaps.at[i].snapshot);
    key_window_each(&state->keys.window, 0, mix_key, &hash);
    for (uint64_t index = 0; index <= MARKED; index++) {
        hash = random_fold(hash, progress_now(&state->progress, index));
        for (uint64_t snap = 0; snap < state->progress.snapshots; snap += 7)
            hash = random_fold(hash, progress_get_state(&state->progress, index, snap, &at_snap)
                                         ? 0
                                         : at_snap);
    }
    return random_fold(random_fold(hash, state->head.operations[2]), state->progress.snapshots);
}

/* --- measuring --- */

static uint64_t longest_us;

/* Of this thread: what others do on this machine does not count. */
static uint64_t cpu_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * SECOND_US + (uint64_t)at.tv_nsec / 1000;
}

static void took(uint64_t began_us)
{
    uint64_t us = cpu_us() - began_us;
    longest_us = us > longest_us ? us : longest_us;
}

static void report(const char *what)
{
    printf("%s: longest step %.1f ms\n", what, (double)longest_us / 1000);
    longest_us = 0;
}

static void tick(struct node *node, uint64_t now_us)
{
    uint64_t began_us = cpu_us();
    node_step(node, &(struct event){.kind = EVENT_TICK, .now_us = now_us});
    took(began_us);
}

/* Loads it as a follower does: parcel by parcel, beside the state. */
static struct state *load(const struct state *like, const struct checkpoint *checkpoint,
                          size_t *most_bytes)
{
    struct state *scratch = checkpoint_scratch_new(like);
    for (size_t at = 0; at < checkpoint->n;) {
        uint64_t began_us = cpu_us();
        size_t bytes = 0;
        do {
            assert_int_equal(checkpoint_load_part(scratch,
                                                  (struct slice){checkpoint->parts[at]->at,
                                                                 checkpoint->parts[at]->len},
                                                  NULL, NULL),
                             OK);
            bytes += checkpoint->parts[at++]->len;
        } while (at < checkpoint->n && bytes + checkpoint->parts[at]->len <= INSTALL_BYTES_MAX);
        *most_bytes = bytes > *most_bytes ? bytes : *most_bytes;
        took(began_us);
    }
    assert_int_equal(scratch->applied, INDEX);
    return scratch;
}

/* --- the statements --- */

static void the_largest_state_is_packed_and_loaded_in_small_steps_W5(void **state)
{
    (void)state;
    struct node *node = node_of();
    uint64_t now_us = SECOND_US, draw = 1, steps = 0;
    fill(node, JOBS_KEPT_MAX, JOBS_OPEN_MAX, PROGRESS_SNAPS_MAX);
    uint64_t expected = digest(state_of(node)), began_us = cpu_us();
    struct checkpoint_build *build = checkpoint_begin(state_of(node), CHECKPOINT_WHOLE);
    took(began_us);
    report("the largest state: begins");
    while (!checkpoint_is_done(build)) {
        const struct checkpoint_builds *builds = &state_of(node)->builds;
        tick(node, now_us += CHECKPOINT_SLICE_GAP_US);
        assert_true(++steps < 2000);
        assert_true(builds->slice_rows <= CHECKPOINT_SLICE_ROWS + 8);
        assert_true(builds->slice_bytes <= 2 * CHECKPOINT_SLICE_BYTES);
        /* Entries go on: rows change before and behind what is packed, come and go. */
        for (unsigned i = 0; i < 3; i++) {
            uint64_t open = JOBS_KEPT_MAX + random_below(&draw, JOBS_OPEN_MAX) + 1;
            apply(node, 0, i ? done(id_of(open)) : ops_done(id_of(open), 1, 1, LIVE_BYTES));
            progress_set_state(&state_of(node)->progress, 1 + random_below(&draw, MARKED), draw);
            struct job *job = jobs_forget_one(&state_of(node)->jobs, JOBS_KEPT_MAX, UINT64_MAX);
            job_destroy(&job);
        }
        apply(node, 30000 + steps, submitted((unsigned)(30000 + steps), "10"));
        jobs_check_invariants(&state_of(node)->jobs);
    }
    report("the largest state: packing a slice");
    struct checkpoint *checkpoint = checkpoint_of(build);
    size_t bytes = 0, most = 0;
    for (size_t i = 0; i < checkpoint->n; i++)
        bytes += checkpoint->parts[i]->len;
    printf("the largest state: %zu parts, %zu MiB, %u slices\n", checkpoint->n,
           (size_t)(bytes / MIB_BYTES), (unsigned)steps);
    assert_true(checkpoint->n < 1000);
    struct state *loaded = load(state_of(node), checkpoint, &most);
    report("the largest state: loading a parcel");
    assert_true(most <= INSTALL_BYTES_MAX + MESSAGE_MAX_BYTES / 2);
    assert_true(digest(state_of(node)) != expected);
    began_us = cpu_us();
    checkpoint_replace_state(state_of(node), &loaded);
    took(began_us);
    report("the largest state: replacing it");
    assert_true(digest(state_of(node)) == expected);
    checkpoint_end(state_of(node), &build);
    node_destroy(&node);
}

/* One job with many live results, each as large as an entry takes: the job changes before it is
 * packed, is packed, and changes while its results wait for their slices. */
static void the_live_results_of_one_job_are_packed_in_slices_W5(void **state)
{
    (void)state;
    enum { RESULTS = 200, PER_ENTRY = 8, RESULT_BYTES = 60000 };
    for (int changes = 0; changes < 2; changes++) {
        struct node *node = node_of();
        uint64_t now_us = SECOND_US, steps = 0;
        size_t most = 0;
        apply(node, 1, submitted(1, "100000"));
        for (op_id_t op = 1; op <= RESULTS; op += PER_ENTRY)
            apply(node, 0, ops_done(id_of(1), op, PER_ENTRY, RESULT_BYTES));
        uint64_t expected = digest(state_of(node));
        struct checkpoint_build *build = checkpoint_begin(state_of(node), CHECKPOINT_WHOLE);
        const struct checkpoint_builds *builds = &state_of(node)->builds;
        do {
            assert_true(builds->slice_bytes <= 2 * CHECKPOINT_SLICE_BYTES);
            if (changes)
                apply(node, 0, ops_done(id_of(1), RESULTS + ++steps, 1, RESULT_BYTES));
            assert_true(builds->slice_bytes <= 2 * CHECKPOINT_SLICE_BYTES);
            tick(node, now_us += CHECKPOINT_SLICE_GAP_US);
        } while (!checkpoint_is_done(build));
        struct checkpoint *checkpoint = checkpoint_of(build);
        assert_true(checkpoint->n >= RESULTS * RESULT_BYTES / CHECKPOINT_SLICE_BYTES);
        struct state *loaded = load(state_of(node), checkpoint, &most);
        assert_true(digest(loaded) == expected);
        assert_true(changes == (digest(state_of(node)) != expected));
        checkpoint_scratch_drop(&loaded);
        checkpoint_end(state_of(node), &build);
        node_destroy(&node);
    }
    report("many live results of one job: packing a slice");
}

/* Of several that began at different times each holds its own state; a row is packed
 * once for all. */
static void checkpoints_that_overlap_are_each_whole_W5(void **state)
{
    (void)state;
    enum { BUILDS = 20 };
    struct node *node = node_of();
    struct checkpoint_build *builds[BUILDS];
    uint64_t expected[BUILDS], now_us = SECOND_US, draw = 7;
    fill(node, 300, 900, 50);
    for (unsigned i = 0; i < BUILDS; i++) {
        expected[i] = digest(state_of(node));
        builds[i] = checkpoint_begin(state_of(node), CHECKPOINT_WHOLE);
        for (unsigned n = 0; n < 10; n++) {
            apply(node, 0, done(id_of(301 + random_below(&draw, 900))));
            progress_set_state(&state_of(node)->progress, 1 + random_below(&draw, MARKED), draw);
        }
        tick(node, now_us += CHECKPOINT_SLICE_GAP_US);
    }
    for (unsigned i = 0; i < BUILDS; i++) {
        size_t most = 0;
        while (!checkpoint_is_done(builds[i]))
            tick(node, now_us += CHECKPOINT_SLICE_GAP_US);
        struct state *loaded = load(state_of(node), checkpoint_of(builds[i]), &most);
        assert_true(digest(loaded) == expected[i]);
        checkpoint_scratch_drop(&loaded);
        checkpoint_end(state_of(node), &builds[i]);
    }
    longest_us = 0;
    node_destroy(&node);
}

/* What the build of the release before wrote: a part a row, marks as a list, any index. */
static void parts_of_an_earlier_release_are_read_W5(void **state)
{
    (void)state;
    struct node *node = node_of();
    struct state *loaded = checkpoint_scratch_new(state_of(node));
    size_t most = 0;
    fill(node, 0, 40, 3);
    struct checkpoint_build *build =
        checkpoint_begin(state_of(node), CHECKPOINT_OPEN); /* a part a row, as then */
    struct checkpoint *old = checkpoint_new(INDEX, 1);
    uint64_t now_us = SECOND_US, got;
    while (!checkpoint_is_done(build))
        tick(node, now_us += CHECKPOINT_SLICE_GAP_US);
    for (size_t i = 0; i < checkpoint_of(build)->n; i++)
        checkpoint_add(old, checkpoint_of(build)->parts[i]);
    const uint64_t foreign[] = {0, 500, 1000, 1001, 378000, (uint64_t)1 << 53};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct message *message = message_new(MESSAGE_IMAGE_PROGRESS);
        message->as.image_progress.index = foreign[i];
        message->as.image_progress.marks.n = 2;
        message->as.image_progress.marks.at = message_room(message, 2, sizeof(struct wire_mark));
        message->as.image_progress.marks.at[0] = (struct wire_mark){0, 5};
        message->as.image_progress.marks.at[1] = (struct wire_mark){2, 6};
        struct blob *packed = codec_pack(message);
        checkpoint_add(old, packed);
        blob_drop(&packed);
        message_drop(&message);
    }
    checkpoint_scratch_drop(&loaded);
    loaded = load(state_of(node), old, &most);
    assert_true(digest(loaded) != digest(state_of(node))); /* index 0, which is no node */
    assert_int_equal(progress_now(&loaded->progress, 0), 6);
    assert_int_equal(progress_now(&loaded->progress, 1000), 6);
    assert_int_equal(progress_get_state(&loaded->progress, 500, 1, &got), OK);
    assert_int_equal(got, 5);
    assert_int_equal(progress_now(&loaded->progress, 1001), 0);
    assert_int_equal(progress_now(&loaded->progress, 378000), 0);
    assert_int_equal(loaded->progress.nodes.count, MARKED + 3);
    checkpoint_scratch_drop(&loaded);
    checkpoint_drop(&old);
    checkpoint_end(state_of(node), &build);
    node_destroy(&node);
}

/* Another node's checkpoint replaces the state: what was being built can never be finished. */
static void a_build_of_a_state_that_was_replaced_is_lost_W5(void **state)
{
    (void)state;
    struct node *node = node_of();
    struct state *other = checkpoint_scratch_new(state_of(node));
    fill(node, 0, 1000, 3);
    struct checkpoint_build *build = checkpoint_begin(state_of(node), CHECKPOINT_WHOLE);
    assert_false(checkpoint_is_done(build));
    checkpoint_replace_state(state_of(node), &other);
    assert_true(checkpoint_is_lost(build));
    assert_null(checkpoint_of(build));
    for (unsigned i = 0; i < 10; i++)
        tick(node, SECOND_US + i * CHECKPOINT_SLICE_GAP_US);
    assert_true(checkpoint_is_lost(build));
    checkpoint_end(state_of(node), &build);
    longest_us = 0;
    node_destroy(&node);
}

/* --- snapshots --- */

/* Recording is one step (Chandy & Lamport 1985), so it must be a short one. */
static void a_full_ledger_is_recorded_in_one_short_step_W5(void **state)
{
    (void)state;
    struct node *node = node_of();
    char name[LEDGER_NAME_MAX];
    struct blob *value = blob_new(KV_VALUE_MAX);
    memset(value->at, 'x', value->len);
    for (unsigned i = 0; i < ACCOUNTS_MAX; i++) {
        text_format(name, sizeof name, "an-account-with-a-long-name-%08u", i);
        ledger_table_add(&inside_ledger_to_change(node)->accounts, slice_of(name))->balance = i;
        inside_ledger_to_change(node)->total += i;
    }
    for (unsigned i = 0; i < KV_NAMES_MAX; i++) {
        text_format(name, sizeof name, "a-value-%08u", i);
        ledger_table_add(&inside_ledger_to_change(node)->values, slice_of(name))->value =
            blob_ref(value);
    }
    blob_drop(&value);
    struct message *take = message_new(MESSAGE_SNAPSHOT_TAKE);
    struct event event = {.kind = EVENT_REQUEST, .now_us = SECOND_US};
    event.request.client = 1;
    event.request.message = take;
    uint64_t began_us = cpu_us();
    node_step(node, &event);
    took(began_us);
    report("a full ledger: recording it");
    assert_int_equal(inside_snapshots(node)->n_collections, 1);
    message_drop(&take);
    node_destroy(&node);
}

static bool all_answered(const struct world *world)
{
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++)
        if (!world->askers[i].answer)
            return false;
    return true;
}

static uint64_t memory_of(const struct world *world)
{
    uint64_t most = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        if (inside_snapshots(world->nodes[id].core)->bytes > most)
            most = inside_snapshots(world->nodes[id].core)->bytes;
    return most;
}

/* Asks all nodes for snapshots at once; counts the complete. */
static unsigned take_many(struct world *world, uint64_t *most)
{
    unsigned complete = 0;
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++)
        world_ask(world, i, 1 + i % 3, message_new(MESSAGE_SNAPSHOT_TAKE));
    for (unsigned i = 0; i < 10000 && !all_answered(world); i++) {
        world_run(world, 100);
        *most = memory_of(world) > *most ? memory_of(world) : *most;
        assert_true(memory_of(world) <= world->options.snapshot_memory);
    }
    assert_true(all_answered(world));
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++) {
        const struct message *answer = world->askers[i].answer;
        if (answer->type == MESSAGE_ERROR) {
            assert_true(slice_equals(answer->as.error.code, "busy"));
            continue;
        }
        const struct wire_snapshot_row *row = &answer->as.snapshot.heads.at[0];
        complete += row->complete;
        assert_true(row->complete || row->missing.len);
    }
    return complete;
}

/* With that its snapshot is over, of which it was the last that others waited for. */
static void an_initiator_that_gives_up_ends_its_snapshot_S10(void **state)
{
    (void)state;
    struct world_options options = {.seed = 91, .n_nodes = 1, .snapshot_memory = 1000};
    struct world *world = world_new(&options);
    world_start(world, 1);
    world_run(world, SECOND_US);
    for (unsigned i = 0; i < 3; i++) {
        world_ask(world, 0, 1, message_new(MESSAGE_SNAPSHOT_TAKE));
        world_run(world, SECOND_US);
        const struct message *answer = world->askers[0].answer;
        assert_non_null(answer);
        const struct wire_snapshot_row *row = &answer->as.snapshot.heads.at[0];
        assert_true(!row->complete && row->missing.len);
        assert_int_equal(memory_of(world), 0);
    }
    world_free(&world);
}

/* The simulator's invariants say after every step that no node holds more than it may. */
static void snapshots_share_one_bound_of_memory_S10(void **state)
{
    (void)state;
    uint64_t limits[] = {MIB_BYTES, 0, 1000}, most = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct world_options options = {.seed = 90,
                                        .n_nodes = 3,
                                        .delay_us = 100,
                                        .snapshot_memory = limits[i]};
        struct world *world = world_new(&options);
        for (node_id_t id = 1; id <= 3; id++)
            world_start(world, id);
        world_run(world, SECOND_US);
        world->options.disk_us = 50 * MS_US; /* what is whole waits for the disk */
        unsigned complete = take_many(world, &most);
        limits[1] = i ? limits[1] : most / 2; /* of what they took when they could */
        printf("snapshots in %zu bytes: %u of %d complete\n", (size_t)limits[i], complete,
               WORLD_ASKERS_MAX);
        assert_true(i == 0   ? complete == WORLD_ASKERS_MAX
                    : i == 1 ? complete > 0 && complete < WORLD_ASKERS_MAX
                             : complete == 0);
        world_run(world, 5 * SECOND_US);
        assert_int_equal(memory_of(world), 0);
        world_free(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_state_is_packed_and_loaded_in_small_steps_W5),
        cmocka_unit_test(the_live_results_of_one_job_are_packed_in_slices_W5),
        cmocka_unit_test(checkpoints_that_overlap_are_each_whole_W5),
        cmocka_unit_test(parts_of_an_earlier_release_are_read_W5),
        cmocka_unit_test(a_build_of_a_state_that_was_replaced_is_lost_W5),
        cmocka_unit_test(a_full_ledger_is_recorded_in_one_short_step_W5),
        cmocka_unit_test(snapshots_share_one_bound_of_memory_S10),
        cmocka_unit_test(an_initiator_that_gives_up_ends_its_snapshot_S10),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
