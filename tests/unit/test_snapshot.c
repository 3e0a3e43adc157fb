/* Global snapshots of whole nodes in the deterministic world: bank.c verifies each that anybody
 * keeps; here is what else must hold of them, and that faults leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/snapshot/snapshot.h"
#include "tests/harness/inside.h"
#include "tests/harness/snapshots.h"

static bool bank_is_open(const struct world *world)
{
    return world->bank.open;
}

static struct world *begin_bank(uint64_t seed, uint32_t n_nodes, uint64_t transfers,
                                unsigned takers, uint64_t snapshots)
{
    struct world *world = worlds_begin(seed, n_nodes);
    bank_open(world, transfers, takers, snapshots, 5 * MS_US);
    assert_true(world_run_until(world, bank_is_open, SNAPSHOTS_PATIENCE_US));
    return world;
}

/* Waits for the end of all that goes on, and that nothing of it is left. */
static void settle(struct world *world)
{
    if (world->bank.open)
        assert_true(world_run_until(world, bank_is_idle, 10 * SNAPSHOTS_PATIENCE_US));
    assert_true(world_run_until(world, bank_is_quiet, SNAPSHOTS_PATIENCE_US));
    if (world->bank.open)
        bank_check(world);
}

static bool says(struct slice text, const char *word)
{
    return text.len && memmem(text.at, text.len, word, strlen(word));
}

static void cut_both(struct world *world, node_id_t a, node_id_t b, bool cut)
{
    world_cut(world, a, b, cut);
    world_cut(world, b, a, cut);
}

/* --- the algorithm --- */

static void an_idle_cluster_is_recorded_whole_S9_S11_S13(void **state)
{
    (void)state;
    struct world *world = begin_bank(1, 4, 0, 0, 0);
    settle(world);
    struct snapshot_model *model = snapshots_take(world, 2);
    assert_true(model->complete);
    assert_int_equal(model->name.initiator, 2);
    assert_int_equal(model->name.incarnation, world->nodes[2].incarnation);
    for (node_id_t id = 1; id <= 4; id++) {
        assert_true(model->nodes[id].present);
        assert_int_equal(model->nodes[id].state.incarnation, world->nodes[id].incarnation);
        assert_int_equal(model->nodes[id].accounts.n, BANK_ACCOUNTS);
        assert_int_equal(model->nodes[id].state.first_marker != NODE_NONE, id != 2);
        for (node_id_t from = 1; from <= 4; from++)
            assert_int_equal(model_channel(model, from, id)->known, from != id);
    }
    assert_true(model->took_us < 100 * MS_US);
    snapshot_model_destroy(&model);
    settle(world);
    world_free(&world);
}

static void a_node_alone_is_a_cluster(void **state)
{
    (void)state;
    struct world *world = begin_bank(2, 1, 20, 1, 3);
    settle(world);
    assert_true(world->counts.snapshots_complete >= 3);
    world_free(&world);
}

/* The step that takes a snapshot writes the state and puts a marker on every channel: whatever is
 * sent afterwards is behind it. */
static void recording_and_markers_are_one_step_S1(void **state)
{
    (void)state;
    struct world *world = worlds_begin(3, 4);
    struct node *node = world->nodes[1].core;
    struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
    event.request.message = message_new(MESSAGE_SNAPSHOT_TAKE);
    event.request.message->as.request.node = 1;
    struct node_outputs outputs = node_step(node, &event);
    unsigned markers = 0;
    for (size_t i = 0; i < outputs.n; i++)
        markers +=
            outputs.at[i].kind == OUTPUT_SEND && outputs.at[i].send.message->type == MESSAGE_MARKER;
    assert_int_equal(markers, 3);
    assert_int_equal(inside_snapshots(node)->n_recordings, 1);
    assert_int_equal(inside_snapshots(node)->recordings->open, 3);
    assert_true(inside_snapshots(node)->recordings->n_parts > 0);
    message_drop(&event.request.message);
    world_crash(world, 1);
    world_free(&world);
}

static void money_under_way_is_in_the_channels_S2_S3_S14(void **state)
{
    (void)state;
    uint64_t holding = 0;
    for (uint64_t seed = 10; seed < 14; seed++) {
        struct world *world = begin_bank(seed, 3 + (uint32_t)(seed % 3), 1500, 2, 60);
        settle(world);
        assert_int_equal(world->counts.snapshots_complete, 60);
        assert_int_equal(world->counts.snapshots_partial, 0);
        holding += world->counts.snapshots_holding;
        world_free(&world);
    }
    assert_true(holding > 0);
}

static void many_at_once_all_complete_S7(void **state)
{
    (void)state;
    struct world *world = begin_bank(20, 4, 1000, BANK_TAKERS, 200);
    settle(world);
    assert_int_equal(world->counts.snapshots_complete, 200);
    assert_true(world->counts.snapshots_holding > 0);
    /* All in one moment. */
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++) {
        world->askers[i].done = NULL;
        world_ask(world, i, 1 + i % 4, message_new(MESSAGE_SNAPSHOT_TAKE));
    }
    settle(world);
    assert_int_equal(world->counts.snapshots_complete, 200 + WORLD_ASKERS_MAX);
    assert_int_equal(world->counts.snapshots_partial, 0);
    world_free(&world);
}

static void what_is_computed_is_in_the_picture(void **state)
{
    (void)state;
    struct world *world = begin_bank(21, 4, 300, 4, 100);
    for (node_id_t id = 1; id <= 4; id++)
        world_pace(world, id, 300);
    for (unsigned client = 0; client < 3; client++)
        world_client(world, client, 3, 2000);
    settle(world);
    assert_true(world_run_until(world, world_is_idle, SNAPSHOTS_PATIENCE_US));
    assert_int_equal(world->counts.snapshots_complete, 100);
    world_free(&world);
}

static struct message *submit_of(unsigned number, const char *spec)
{
    struct text key = {0};
    struct message *message = message_new(MESSAGE_SUBMIT);
    text_add(&key, "%u", number);
    message->as.submit.key = message_text(message, key.at);
    message->as.submit.kind = slice_of("factorial");
    message->as.submit.spec = slice_of(spec);
    return message;
}

/* A snapshot while so many jobs of n! are open, none of which ends. */
static struct snapshot_model *take_with_jobs(struct world *world, unsigned jobs, const char *n)
{
    node_id_t coordinator = world_coordinator(world);
    for (node_id_t id = 1; id <= 3; id++)
        world_pace(world, id, 10 * SECOND_US);
    for (unsigned i = 0; i < jobs; i++)
        world_ask(world, 1, coordinator, submit_of(i, n));
    world_run(world, SECOND_US);
    return snapshots_take(world, 1);
}

/* More than one part has room for: of all that are scheduled a row is there. */
static void every_job_in_work_has_a_row_S9(void **state)
{
    (void)state;
    struct world *world = begin_bank(22, 3, 0, 0, 0);
    node_id_t coordinator = world_coordinator(world);
    struct snapshot_model *model = take_with_jobs(world, ACTIVE_JOBS_MAX + 1, "20");
    assert_true(model->complete);
    assert_int_equal(model->coordinator, coordinator);
    assert_true(ACTIVE_JOBS_MAX > CUT_JOBS_MAX);
    assert_int_equal(model->jobs.n, ACTIVE_JOBS_MAX);
    for (size_t i = 1; i < model->jobs.n; i++)
        assert_true(model->jobs.at[i].job > model->jobs.at[i - 1].job);
    snapshot_model_destroy(&model);
    world_free(&world);
}

/* Each has values in memory; small ones have next to nothing. */
static void few_large_jobs_are_in_work_at_once_S9(void **state)
{
    (void)state;
    struct world *world = begin_bank(23, 3, 0, 0, 0);
    struct snapshot_model *model = take_with_jobs(world, ACTIVE_LARGE_MAX + 10, "2000");
    assert_int_equal(model->jobs.n, ACTIVE_LARGE_MAX);
    snapshot_model_destroy(&model);
    world_free(&world);
}

/* --- the network --- */

static void loss_and_reconnects_only_delay_S4_S5_S16(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed < 34; seed++) {
        struct world *world = begin_bank(seed, 3, 400, 3, 40);
        world->options.loss = 10000;
        world->options.duplication = 20000;
        for (unsigned times = 0; times < 20; times++) {
            node_id_t from = 1 + (node_id_t)world_random(world, 3);
            world_run(world, 20 * MS_US);
            world_break(world, from, from % 3 + 1, PLANE_CHANNEL);
        }
        settle(world);
        world->options.loss = world->options.duplication = 0;
        world_run(world, 2 * SECOND_US);
        assert_true(world->counts.faults[FAULT_LOSS] > 0);
        assert_true(world->counts.faults[FAULT_DUPLICATE] > 0);
        assert_true(world->counts.snapshots_complete > 10);
        struct snapshot_model *model = snapshots_take(world, 1);
        assert_true(model->complete && model->took_us < SECOND_US);
        snapshot_model_destroy(&model);
        world_free(&world);
    }
}

/* A marker that is held up keeps its channel open, and the same life's channel resumes. */
static void a_cut_delays_the_marker_and_completes_S4_S5(void **state)
{
    (void)state;
    struct world *world = begin_bank(36, 3, 200, 0, 0);
    snapshots_begin_to_take(world, 1);
    cut_both(world, 2, 3, true);
    world_run(world, 150 * MS_US);
    assert_true(inside_snapshots(world->nodes[2].core)->n_recordings > 0);
    cut_both(world, 2, 3, false);
    struct snapshot_model *model = snapshots_taken(world);
    assert_true(model->complete);
    snapshot_model_destroy(&model);
    settle(world);
    world_free(&world);
}

/* --- participants that die, start again, or are silent --- */

static void a_new_life_voids_its_channels_S5_S12(void **state)
{
    (void)state;
    struct world *world = begin_bank(40, 4, 500, 0, 0);
    snapshots_begin_to_take(world, 1);
    world_crash(world, 3);
    world_start(world, 3);
    struct snapshot_model *model = snapshots_taken(world);
    assert_false(model->complete);
    assert_false(model->nodes[3].present);
    assert_true(says(model->nodes[3].about.missing, "started again"));
    for (node_id_t id = 1; id <= 4; id++) {
        assert_int_equal(model->nodes[id].present, id != 3);
        if (id != 3)
            assert_false(model_channel(model, 3, id)->known);
        if (id != 3)
            assert_true(model_channel(model, 3, id)->missing.len > 0);
    }
    assert_true(model->took_us < SECOND_US); /* nobody waits for the dead */
    snapshot_model_destroy(&model);
    settle(world);
    model = snapshots_take(world, 3);
    assert_true(model->complete);
    snapshot_model_destroy(&model);
    world_free(&world);
}

static void a_dead_or_silent_participant_is_named_S12(void **state)
{
    (void)state;
    for (int dies = 0; dies < 2; dies++) {
        struct world *world = begin_bank(42, 3, 300, 0, 0);
        snapshots_begin_to_take(world, 1);
        if (dies)
            world_crash(world, 2);
        else
            world_pause(world, 2, 5 * SECOND_US);
        struct snapshot_model *model = snapshots_taken(world);
        assert_false(model->complete);
        assert_true(model->nodes[1].present && model->nodes[3].present);
        assert_false(model->nodes[2].present);
        assert_true(model->nodes[2].about.missing.len > 0);
        assert_true(model_channel(model, 3, 1)->known);
        assert_true(model->took_us <= SNAPSHOT_TIMEOUT_DEFAULT_US + 200 * MS_US);
        snapshot_model_destroy(&model);
        model = snapshots_take(world, 3); /* it is known to be gone: at once */
        assert_false(model->complete);
        assert_true(says(model->nodes[2].about.missing, "not alive"));
        assert_true(model->took_us < SECOND_US);
        snapshot_model_destroy(&model);
        world_run(world, 5 * SECOND_US);
        world_start(world, 2);
        settle(world); /* what reached it late has started nothing, or ended */
        world_free(&world);
    }
}

static bool nobody_else_records(const struct world *world)
{
    for (node_id_t id = 2; id <= world->options.n_nodes; id++)
        if (world->nodes[id].core && inside_snapshots(world->nodes[id].core)->n_recordings)
            return false;
    return true;
}

static void a_dead_initiator_leaves_nothing_behind_S11(void **state)
{
    (void)state;
    for (int returns = 0; returns < 2; returns++) {
        struct world *world = begin_bank(44, 4, 300, 0, 0);
        cut_both(world, 2, 3, true); /* both wait for a marker */
        snapshots_begin_to_take(world, 1);
        world_run(world, 20 * MS_US);
        assert_false(nobody_else_records(world));
        world_crash(world, 1);
        message_drop(&world->askers[0].request);
        if (returns)
            world_start(world, 1);
        world_run(world, returns ? SECOND_US : 2 * SNAPSHOT_TIMEOUT_DEFAULT_US + SECOND_US / 2);
        assert_true(nobody_else_records(world));
        cut_both(world, 2, 3, false);
        world_start(world, 1);
        settle(world);
        world_free(&world);
    }
}

static void ids_are_never_used_again_S8(void **state)
{
    (void)state;
    struct world *world = worlds_begin(46, 3);
    struct snapshot_name names[8];
    size_t n = 0;
    for (int life = 0; life < 4; life++) {
        for (int i = 0; i < 2; i++) {
            struct snapshot_model *model = snapshots_take(world, 2);
            names[n++] = model->name;
            snapshot_model_destroy(&model);
        }
        assert_int_equal(inside_snapshots(world->nodes[2].core)->n_kept, life < 2 ? n : n - 4);
        world_crash(world, 2);
        if (life == 1)
            world_wipe(world, 2);
        world_start(world, 2);
        world_run(world, SECOND_US);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(names[i].incarnation == names[j].incarnation &&
                         names[i].counter == names[j].counter);
    world_free(&world);
}

static void what_is_recorded_is_capped_S10(void **state)
{
    (void)state;
    struct world_options options = {.seed = 48, .n_nodes = 3, .delay_us = 100, .record_bytes = 500};
    struct world *world = world_new(&options);
    for (node_id_t id = 1; id <= 3; id++)
        world_start(world, id);
    world_run(world, SECOND_US);
    bank_open(world, 4000, 0, 0, MS_US); /* enough to go on while it records */
    assert_true(world_run_until(world, bank_is_open, SNAPSHOTS_PATIENCE_US));
    world_run(world, 100 * MS_US);
    world_clog(world, 1, 3, 300 * MS_US); /* it hears of the snapshot late, and sends on */
    world_clog(world, 2, 3, 300 * MS_US);
    snapshots_begin_to_take(world, 1);
    struct snapshot_model *model = snapshots_taken(world);
    assert_false(model->complete);
    assert_true(says(model_channel(model, 3, 1)->missing, "more was recorded"));
    assert_true(model->nodes[1].present && model->nodes[2].present && model->nodes[3].present);
    snapshot_model_destroy(&model);
    settle(world);
    world_free(&world);
}

static void everything_fails_and_nothing_is_lost_S12_S14_S16(void **state)
{
    (void)state;
    uint64_t complete = 0, holding = 0;
    for (uint64_t seed = 50; seed < 56; seed++) {
        struct world *world = begin_bank(seed, 4, 2000, BANK_TAKERS, 200);
        world->options.loss = seed % 2 ? 0 : 5000;
        for (unsigned times = 0; times < 12; times++) {
            node_id_t victim = 1 + (node_id_t)world_random(world, 4);
            world_run(world, world_random(world, 200 * MS_US));
            if (times % 3 == 0) {
                world_pause(world, victim, world_random(world, 3 * SECOND_US));
                continue;
            }
            world_crash(world, victim);
            world_run(world, world_random(world, 300 * MS_US));
            world_start(world, victim);
        }
        settle(world);
        world->options.loss = 0;
        world_run(world, SECOND_US);
        struct snapshot_model *model = snapshots_take(world, 1 + (node_id_t)(seed % 4));
        assert_true(model->complete);
        snapshot_model_destroy(&model);
        complete += world->counts.snapshots_complete;
        holding += world->counts.snapshots_holding;
        world_free(&world);
    }
    assert_true(complete > 200 && holding > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_cluster_is_recorded_whole_S9_S11_S13),
        cmocka_unit_test(a_node_alone_is_a_cluster),
        cmocka_unit_test(recording_and_markers_are_one_step_S1),
        cmocka_unit_test(money_under_way_is_in_the_channels_S2_S3_S14),
        cmocka_unit_test(many_at_once_all_complete_S7),
        cmocka_unit_test(what_is_computed_is_in_the_picture),
        cmocka_unit_test(every_job_in_work_has_a_row_S9),
        cmocka_unit_test(few_large_jobs_are_in_work_at_once_S9),
        cmocka_unit_test(loss_and_reconnects_only_delay_S4_S5_S16),
        cmocka_unit_test(a_cut_delays_the_marker_and_completes_S4_S5),
        cmocka_unit_test(a_new_life_voids_its_channels_S5_S12),
        cmocka_unit_test(a_dead_or_silent_participant_is_named_S12),
        cmocka_unit_test(a_dead_initiator_leaves_nothing_behind_S11),
        cmocka_unit_test(ids_are_never_used_again_S8),
        cmocka_unit_test(what_is_recorded_is_capped_S10),
        cmocka_unit_test(everything_fails_and_nothing_is_lost_S12_S14_S16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
