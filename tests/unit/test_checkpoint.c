/* Checkpoints one after another: each is the state as it was when it began, and costs what has
 * changed since the one before, in packing as on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/harness/entries.h"

#define TERM ((term_t)1)

/* A state, and the disk that its checkpoints are written to. */
struct bed {
    struct step step;
    struct state state;
    struct stored stored;
    struct entries log;      /* the disk: names of parts ... */
    struct checkpoint *disk; /* ... and the parts */
    uint64_t number;         /* of the job submitted last */
};

static void begin(struct bed *bed, uint64_t slice_rows, uint64_t bundle_rows)
{
    *bed = (struct bed){
        .step = {.config = {.id = 1,
                            .n_nodes = 3,
                            .n_voters = 3,
                            .checkpoint_slice_rows = slice_rows,
                            .checkpoint_bundle_rows = bundle_rows,
                            .keys = {.snaps = 4, .sessions = 4, .block = 8, .blocks = 3}},
                 .identity = {.cluster_id = {1}},
                 .term = TERM,
                 .now_us = SECOND_US}};
    state_init(&bed->state, &bed->step);
}

static void end(struct bed *bed)
{
    stored_forget(&bed->stored);
    checkpoint_drop(&bed->disk);
    entries_clear(&bed->log);
    outbox_destroy(&bed->step.out);
    state_clear(&bed->state);
}

/* --- entries --- */

static void apply(struct bed *bed, struct message *entry)
{
    assert_true(state_entry_is_valid(entry));
    state_apply(&bed->state, bed->state.applied + 1, TERM, entry);
    message_drop(&entry);
}

static job_id_t submit(struct bed *bed)
{
    char key[JOB_KEY_MAX];
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    text_format(key, sizeof key, "key-%llu", (unsigned long long)++bed->number);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "20")};
    apply(bed, entry);
    return TERM << JOB_INDEX_BITS | bed->state.applied;
}

/* Operation `op` is done, by node 2; its value is in the log. */
static void work_on(struct bed *bed, job_id_t job, op_id_t op)
{
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    struct wire_done *done = &entry->as.done;
    struct blob *value = blob_copy("value", 5);
    done->job = job;
    done->tallies.n = done->ops.n = 1;
    done->tallies.at = message_room(entry, 1, sizeof *done->tallies.at);
    done->tallies.at[0] = (struct wire_tally){.node = 2, .operations = 1, .incarnation = 9};
    done->ops.at = message_room(entry, 1, sizeof *done->ops.at);
    done->ops.at[0] = (struct wire_done_op){
        .op = op, .node = 2, .attempt = 1, .len = 5, .frame = message_add_frame(entry, value)};
    entry->as.entry_ops_done.source = 1;
    blob_drop(&value);
    apply(bed, entry);
}

static void fail_job(struct bed *bed, job_id_t job)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_FAILED);
    entry->as.entry_job_failed =
        (struct wire_entry_job_failed){.job = job, .reason = message_text(entry, "for a test")};
    apply(bed, entry);
}

static void set_progress(struct bed *bed, uint64_t index)
{
    struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SET);
    entry->as.entry_progress_set =
        (struct wire_entry_progress_set){.index = index, .state = bed->state.applied};
    apply(bed, entry);
}

static void snap(struct bed *bed)
{
    char key[JOB_KEY_MAX];
    struct message *entry = message_new(MESSAGE_ENTRY_PROGRESS_SNAPPED);
    text_format(key, sizeof key, "snap-%llu", (unsigned long long)bed->state.applied);
    entry->as.entry_progress_snapped.key = message_text(entry, key);
    apply(bed, entry);
}

static void forget(struct bed *bed, size_t kept)
{
    bed->step.config.jobs_kept_max = kept;
    for (struct job *job; (job = state_forget_one(&bed->state));)
        job_destroy(&job);
}

/* --- checkpoints --- */

static struct checkpoint_build *build(struct bed *bed, enum checkpoint_use use)
{
    struct checkpoint_build *build = checkpoint_begin(&bed->state, use);
    for (; !checkpoint_is_done(build); checkpoint_pump(&bed->state))
        bed->step.now_us += CHECKPOINT_SLICE_GAP_US;
    state_check_invariants(&bed->state);
    return build;
}

static struct state *load(struct bed *bed, const struct checkpoint *checkpoint)
{
    struct state *loaded = checkpoint_scratch_new(&bed->state);
    for (size_t i = 0; i < checkpoint->n; i++)
        assert_int_equal(checkpoint_load_part(loaded,
                                              (struct slice){checkpoint->parts[i]->at,
                                                             checkpoint->parts[i]->len},
                                              NULL, NULL),
                         0);
    state_check_invariants(loaded);
    return loaded;
}

/* Writes it to the disk, of which all that is new is taken, and looks whether it is there whole. */
static void write(struct bed *bed, struct checkpoint *checkpoint)
{
    outbox_begin(&bed->step.out);
    stored_write(&bed->stored, &bed->step.out, checkpoint);
    outbox_end(&bed->step.out);
    const struct output *output = &bed->step.out.at[0];
    assert_true(output->kind == OUTPUT_PERSIST && output->persist.n == 1);
    assert_true(entries_checkpoint(&bed->log, &bed->disk, output->persist.writes));
    assert_int_equal(bed->disk->n, checkpoint->n - checkpoint->n_blocks);
    for (size_t i = 0; i < bed->disk->n; i++)
        assert_ptr_equal(bed->disk->parts[i], checkpoint->parts[i]);
}

/* A checkpoint of now, on the disk; returns how many rows it packed. */
static uint64_t checkpoint_now(struct bed *bed)
{
    uint64_t before = bed->state.builds.packed_rows;
    struct checkpoint_build *it = build(bed, CHECKPOINT_WHOLE);
    write(bed, checkpoint_of(it));
    struct state *loaded = load(bed, checkpoint_of(it));
    assert_null(state_differs(&bed->state, loaded));
    checkpoint_scratch_drop(&loaded);
    checkpoint_end(&bed->state, &it);
    return bed->state.builds.packed_rows - before;
}

/* --- what a checkpoint costs --- */

static void a_checkpoint_costs_what_has_changed_W5(void **unused)
{
    (void)unused;
    enum { JOBS = 6400, GROUP = CHECKPOINT_GROUP_ROWS };
    struct bed bed;
    begin(&bed, 0, 0);
    job_id_t first = submit(&bed);
    for (size_t i = 1; i < JOBS; i++)
        submit(&bed);
    for (size_t i = 0; i < JOBS; i++)
        if (i % GROUP) /* one of each group is still open */
            fail_job(&bed, first + i);
    assert_int_equal(checkpoint_now(&bed), JOBS);
    assert_true(bed.stored.parts >= JOBS / GROUP && !bed.stored.reused_bytes);
    uint64_t all = bed.stored.bytes;

    assert_int_equal(checkpoint_now(&bed), 0); /* nothing changed: not even the head */
    assert_true(bed.stored.parts == 0 && bed.stored.reused_bytes == all);

    fail_job(&bed, first); /* three jobs of two groups */
    fail_job(&bed, first + (size_t)20 * GROUP);
    submit(&bed); /* and one of a new group */
    assert_int_equal(checkpoint_now(&bed), 2 * GROUP + 1);
    assert_int_equal(bed.stored.parts, 4); /* these, and the head */
    assert_true(bed.stored.bytes < all / 20 && bed.stored.reused_bytes > all * 9 / 10);

    forget(&bed, JOBS - 2 * GROUP - 9); /* the oldest ones: two groups, and some of a third */
    assert_true(checkpoint_now(&bed) <= 2 * GROUP); /* those that have open jobs left */
    assert_true(bed.stored.parts <= 4);

    set_progress(&bed, 7);
    assert_int_equal(checkpoint_now(&bed), 1);
    end(&bed);
}

/* Of a job that is not finished only what is known of its operations is packed anew each time. */
static void live_results_cost_no_group_W5(void **unused)
{
    (void)unused;
    struct bed bed;
    begin(&bed, 0, 0);
    job_id_t first = submit(&bed);
    for (size_t i = 1; i < CHECKPOINT_GROUP_ROWS; i++)
        submit(&bed);
    work_on(&bed, first + 3, 1);
    work_on(&bed, first + 4, 2);
    assert_true(checkpoint_now(&bed) > CHECKPOINT_GROUP_ROWS);
    assert_int_equal(checkpoint_now(&bed), 2);
    assert_int_equal(bed.stored.parts, 1);
    end(&bed);
}

/* A disk that was replaced as a whole has none of it. */
static void what_the_disk_may_have_lost_is_written_again_W5(void **unused)
{
    (void)unused;
    struct bed bed;
    begin(&bed, 0, 0);
    for (size_t i = 0; i < 1000; i++)
        submit(&bed);
    checkpoint_now(&bed);
    uint64_t parts = bed.stored.parts;
    stored_forget(&bed.stored);
    submit(&bed);
    checkpoint_now(&bed);
    assert_true(bed.stored.parts >= parts && !bed.stored.reused_bytes);
    end(&bed);
}

/* What is counted on must be on the disk, and what is new must not have an old part's name: as the
 * disk of the simulator and that of the stage see it. */
static void a_disk_refuses_parts_that_it_does_not_have_W5(void **unused)
{
    (void)unused;
    struct bed bed;
    struct blob *part = blob_copy("part", 4), *parts[] = {NULL, part};
    struct part_name names[] = {{5, 0}, {6, 1}};
    struct write write = {
        .kind = WRITE_CHECKPOINT, .index = 6, .parts = parts, .names = names, .n_parts = 2};
    begin(&bed, 0, 0);
    assert_false(entries_checkpoint(&bed.log, &bed.disk, &write));
    assert_null(bed.disk);
    assert_true(entries_checkpoint(
        &bed.log, &bed.disk,
        &(struct write){.kind = WRITE_CHECKPOINT, .index = 5, .parts = &part, .n_parts = 1}));
    assert_true(entries_checkpoint(&bed.log, &bed.disk, &write));
    assert_int_equal(bed.disk->n, 2);
    names[1].index = 5;
    assert_false(entries_checkpoint(&bed.log, &bed.disk, &write));
    blob_drop(&part);
    end(&bed);
}

/* A snapshot wants the open jobs: groups that have none cost it nothing. */
static void a_snapshot_does_not_look_at_finished_jobs_that_are_packed_W5(void **unused)
{
    (void)unused;
    enum { JOBS = 2000 };
    struct bed bed;
    begin(&bed, 0, 0);
    job_id_t first = submit(&bed);
    for (size_t i = 1; i < JOBS; i++)
        submit(&bed);
    for (size_t i = 0; i < JOBS; i++)
        if (i != 500)
            fail_job(&bed, first + i);
    checkpoint_now(&bed);
    struct checkpoint_build *it = build(&bed, CHECKPOINT_OPEN); /* their keys are packed once */
    size_t parts = checkpoint_of(it)->n;
    uint64_t before = bed.state.builds.packed_rows;
    checkpoint_end(&bed.state, &it);
    it = build(&bed, CHECKPOINT_OPEN);
    assert_int_equal(checkpoint_of(it)->n, parts);
    assert_int_equal(bed.state.builds.packed_rows - before, 1);
    bed.step.config.keys.block = JOBS;
    struct state *loaded = load(&bed, checkpoint_of(it));
    assert_int_equal(loaded->jobs.n, 1);
    assert_int_equal(key_window_count(&loaded->keys.window), JOBS - 1);
    checkpoint_scratch_drop(&loaded);
    checkpoint_end(&bed.state, &it);
    end(&bed);
}

/* --- what it holds --- */

#define BUILDS 4 /* at a time */

struct under_way {
    struct checkpoint_build *build;
    uint64_t digest; /* of the state when it began */
};

static void change(struct bed *bed, uint64_t *draw)
{
    struct jobs *jobs = &bed->state.jobs;
    const struct job *job = jobs->n ? jobs->at[random_below(draw, jobs->n)] : NULL;
    switch (random_below(draw, 12)) {
    case 0:
        set_progress(bed, 1 + random_below(draw, 5));
        break;
    case 1:
        snap(bed);
        break;
    case 2:
        forget(bed, random_below(draw, 30));
        break;
    case 3:
    case 4:
    case 5:
        submit(bed);
        break;
    default:
        if (job && !job_is_finished(job) && random_below(draw, 2))
            work_on(bed, job->id, 1 + random_below(draw, job->plan.total));
        else if (job)
            fail_job(bed, job->id);
    }
}

/* Begins, goes on with, and ends builds while the state changes. */
static void changes_and_checkpoints(uint64_t seed)
{
    struct bed bed;
    struct under_way at[BUILDS] = {{NULL, 0}};
    uint64_t draw = seed, ended = 0;
    begin(&bed, 1 + random_below(&draw, 8), 1 + random_below(&draw, 6));
    submit(&bed);
    for (unsigned round = 0; round < 1500; round++) {
        struct under_way *it = &at[random_below(&draw, BUILDS)];
        change(&bed, &draw);
        if (!random_below(&draw, 3)) {
            bed.step.now_us += CHECKPOINT_SLICE_GAP_US;
            checkpoint_pump(&bed.state);
        }
        if (round % 16 == 0)
            state_check_invariants(&bed.state);
        if (!it->build && !random_below(&draw, 8)) {
            it->digest = state_digest(&bed.state);
            it->build = checkpoint_begin(&bed.state, CHECKPOINT_WHOLE);
        } else if (it->build && checkpoint_is_done(it->build)) {
            struct state *loaded = load(&bed, checkpoint_of(it->build));
            assert_true(state_digest(loaded) == it->digest);
            checkpoint_scratch_drop(&loaded);
            if (checkpoint_of(it->build)->index > bed.log.base)
                write(&bed, checkpoint_of(it->build));
            checkpoint_end(&bed.state, &it->build);
            ended++;
        }
    }
    assert_true(ended > 20);
    for (unsigned i = 0; i < BUILDS; i++)
        checkpoint_end(&bed.state, &at[i].build);
    end(&bed);
}

static void each_checkpoint_is_the_state_as_it_was_when_it_began_W5(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 20; seed++)
        changes_and_checkpoints(seed);
}

/* What was loaded goes on as what was made here. */
static void a_state_that_was_installed_is_packed_like_any_other_W5(void **unused)
{
    (void)unused;
    struct bed bed;
    begin(&bed, 0, 0);
    job_id_t first = submit(&bed);
    for (size_t i = 1; i < 500; i++)
        submit(&bed);
    struct checkpoint_build *it = build(&bed, CHECKPOINT_WHOLE);
    struct state *loaded = load(&bed, checkpoint_of(it));
    fail_job(&bed, first);
    checkpoint_end(&bed.state, &it);
    checkpoint_replace_state(&bed.state, &loaded);
    state_check_invariants(&bed.state);
    assert_int_equal(checkpoint_now(&bed), 500);
    fail_job(&bed, first + 100);
    assert_int_equal(checkpoint_now(&bed), CHECKPOINT_GROUP_ROWS);
    end(&bed);
}

/* --- open jobs --- */

static void check_open(const struct state *state, const job_id_t *jobs, size_t n)
{
    job_id_t after = JOB_NONE;
    for (size_t i = 0; i < n; i++) {
        const struct job *job = jobs_open_after(&state->jobs, after);
        assert_non_null(job);
        assert_int_equal(job->id, jobs[i]);
        after = job->id;
    }
    assert_null(jobs_open_after(&state->jobs, after));
}

/* A new coordinator takes them up without a look at those that are finished. */
static void open_jobs_are_found_whatever_else_is_remembered(void **unused)
{
    (void)unused;
    struct bed bed;
    begin(&bed, 0, 0);
    check_open(&bed.state, NULL, 0);
    job_id_t first = submit(&bed), open[] = {first + 3, first + 70, first + 199};
    for (size_t i = 1; i < 200; i++)
        submit(&bed);
    for (size_t i = 0; i < 200; i++)
        if (i != 3 && i != 70 && i != 199)
            fail_job(&bed, first + i);
    check_open(&bed.state, open, 3);
    struct checkpoint_build *it = build(&bed, CHECKPOINT_WHOLE);
    struct state *loaded = load(&bed, checkpoint_of(it));
    check_open(loaded, open, 3);
    checkpoint_scratch_drop(&loaded);
    checkpoint_end(&bed.state, &it);
    fail_job(&bed, open[1]);
    open[1] = open[2];
    check_open(&bed.state, open, 2);
    fail_job(&bed, open[0]);
    fail_job(&bed, open[2]);
    check_open(&bed.state, NULL, 0);
    end(&bed);
}

/* --- groups --- */

/* However rows go, so few groups are left that a checkpoint is not made of tiny parts. */
static void groups_stay_few_however_rows_go(void **unused)
{
    (void)unused;
    enum { ROWS = 6400, MOST = CHECKPOINT_GROUP_ROWS };
    struct row *rows = calloc(ROWS, sizeof *rows);
    struct bed bed;
    begin(&bed, 0, 0);
    struct row_watch *watch = &bed.state.builds.watch;
    struct row_groups *groups = &bed.state.builds.groups[TABLE_JOBS];
    for (size_t i = 0; i < ROWS; i++)
        row_is_made(watch, TABLE_JOBS, &rows[i]);
    assert_int_equal(groups->n, ROWS / MOST);
    uint64_t draw = 3, left = ROWS;
    for (size_t i = 0; i < ROWS; i++)
        if (random_below(&draw, MOST)) {
            row_goes(watch, TABLE_JOBS, &rows[i]);
            left--;
            groups_check_invariants(groups, TABLE_JOBS, MOST);
        }
    assert_true(left > 50 && groups->n <= 4 * left / MOST + 1);
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].group)
            row_goes(watch, TABLE_JOBS, &rows[i]);
    assert_int_equal(groups->n, 0);
    free(rows);
    end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_costs_what_has_changed_W5),
        cmocka_unit_test(live_results_cost_no_group_W5),
        cmocka_unit_test(what_the_disk_may_have_lost_is_written_again_W5),
        cmocka_unit_test(a_disk_refuses_parts_that_it_does_not_have_W5),
        cmocka_unit_test(a_snapshot_does_not_look_at_finished_jobs_that_are_packed_W5),
        cmocka_unit_test(each_checkpoint_is_the_state_as_it_was_when_it_began_W5),
        cmocka_unit_test(a_state_that_was_installed_is_packed_like_any_other_W5),
        cmocka_unit_test(open_jobs_are_found_whatever_else_is_remembered),
        cmocka_unit_test(groups_stay_few_however_rows_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
