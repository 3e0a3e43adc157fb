/* Global snapshots of whole nodes in the deterministic world: bank.c verifies each that anybody
 * keeps; here is what else must hold of them, and that faults leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/snapshot/verify.h"
#include "nodes/core/rooms.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/sim/bank.h"

#define PATIENCE_US (60 * SECOND_US)

static struct world *begin(uint64_t seed, uint32_t n_nodes)
{
    struct world_options options = {.seed = seed,
                                    .n_nodes = n_nodes,
                                    .delay_us = 100,
                                    .jitter_us = 200,
                                    .disk_us = 500,
                                    .op_us = 5,
                                    .story = getenv("STORY") != NULL};
    struct world *world = world_new(&options);
    for (node_id_t id = 1; id <= n_nodes; id++)
        world_start(world, id);
    world_run(world, SECOND_US);
    return world;
}

static bool first_is_answered(const struct world *world)
{
    return world->askers[0].answer != NULL;
}

static bool bank_is_open(const struct world *world)
{
    return world->bank.open;
}

static struct world *begin_bank(uint64_t seed, uint32_t n_nodes, uint64_t transfers,
                                unsigned takers, uint64_t snapshots)
{
    struct world *world = begin(seed, n_nodes);
    bank_open(world, transfers, takers, snapshots, 5 * MS_US);
    assert_true(world_run_until(world, bank_is_open, PATIENCE_US));
    return world;
}

/* Waits for the end of all that goes on, and that nothing of it is left. */
static void settle(struct world *world)
{
    if (world->bank.open)
        assert_true(world_run_until(world, bank_is_idle, 10 * PATIENCE_US));
    assert_true(world_run_until(world, bank_is_quiet, PATIENCE_US));
    if (world->bank.open)
        bank_check(world);
}

static void begin_to_take(struct world *world, node_id_t node)
{
    world_ask(world, 0, node, message_new(MESSAGE_SNAPSHOT_TAKE));
}

/* The snapshot that begin_to_take() was for, once it is kept. Caller destroys. */
static struct snapshot_model *taken(struct world *world)
{
    struct snapshot_model *model;
    struct text why = {0};
    assert_true(world_run_until(world, first_is_answered, PATIENCE_US));
    const struct message *answer = world->askers[0].answer;
    assert_int_equal(answer->type, MESSAGE_SNAPSHOT);
    const struct wire_snapshot_row *row = &answer->as.snapshot.heads.at[0];
    const struct blob *blob = map_get(&world->nodes[row->initiator].kept,
                                      machine_value_key((struct value_id){row->counter, 1}));
    assert_non_null(blob);
    assert_int_equal(blob->len, row->bytes);
    assert_int_equal(snapshot_model_load((struct slice){blob->at, blob->len}, &model, &why), OK);
    assert_int_equal(model->complete, row->complete);
    return model;
}

static struct snapshot_model *take(struct world *world, node_id_t node)
{
    begin_to_take(world, node);
    return taken(world);
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
    struct snapshot_model *model = take(world, 2);
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
    struct world *world = begin(3, 4);
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
    assert_int_equal(node->snapshots.n_recordings, 1);
    assert_int_equal(node->snapshots.recordings->open, 3);
    assert_true(node->snapshots.recordings->n_parts > 0);
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
    assert_true(world_run_until(world, world_is_idle, PATIENCE_US));
    assert_int_equal(world->counts.snapshots_complete, 100);
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
        struct snapshot_model *model = take(world, 1);
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
    begin_to_take(world, 1);
    cut_both(world, 2, 3, true);
    world_run(world, 150 * MS_US);
    assert_true(world->nodes[2].core->snapshots.n_recordings > 0);
    cut_both(world, 2, 3, false);
    struct snapshot_model *model = taken(world);
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
    begin_to_take(world, 1);
    world_crash(world, 3);
    world_start(world, 3);
    struct snapshot_model *model = taken(world);
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
    model = take(world, 3);
    assert_true(model->complete);
    snapshot_model_destroy(&model);
    world_free(&world);
}

static void a_dead_or_silent_participant_is_named_S12(void **state)
{
    (void)state;
    for (int dies = 0; dies < 2; dies++) {
        struct world *world = begin_bank(42, 3, 300, 0, 0);
        begin_to_take(world, 1);
        if (dies)
            world_crash(world, 2);
        else
            world_pause(world, 2, 5 * SECOND_US);
        struct snapshot_model *model = taken(world);
        assert_false(model->complete);
        assert_true(model->nodes[1].present && model->nodes[3].present);
        assert_false(model->nodes[2].present);
        assert_true(model->nodes[2].about.missing.len > 0);
        assert_true(model_channel(model, 3, 1)->known);
        assert_true(model->took_us <= SNAPSHOT_TIMEOUT_DEFAULT_US + 200 * MS_US);
        snapshot_model_destroy(&model);
        model = take(world, 3); /* it is known to be gone: at once */
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
        if (world->nodes[id].core && world->nodes[id].core->snapshots.n_recordings)
            return false;
    return true;
}

static void a_dead_initiator_leaves_nothing_behind_S11(void **state)
{
    (void)state;
    for (int returns = 0; returns < 2; returns++) {
        struct world *world = begin_bank(44, 4, 300, 0, 0);
        cut_both(world, 2, 3, true); /* both wait for a marker */
        begin_to_take(world, 1);
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
    struct world *world = begin(46, 3);
    struct snapshot_name names[8];
    size_t n = 0;
    for (int life = 0; life < 4; life++) {
        for (int i = 0; i < 2; i++) {
            struct snapshot_model *model = take(world, 2);
            names[n++] = model->name;
            snapshot_model_destroy(&model);
        }
        assert_int_equal(world->nodes[2].core->snapshots.n_kept, life < 2 ? n : n - 4);
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
    bank_open(world, 1000, 0, 0, MS_US);
    assert_true(world_run_until(world, bank_is_open, PATIENCE_US));
    world_run(world, 100 * MS_US);
    world_clog(world, 1, 3, 300 * MS_US); /* it hears of the snapshot late, and sends on */
    world_clog(world, 2, 3, 300 * MS_US);
    begin_to_take(world, 1);
    struct snapshot_model *model = taken(world);
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
        struct snapshot_model *model = take(world, 1 + (node_id_t)(seed % 4));
        assert_true(model->complete);
        snapshot_model_destroy(&model);
        complete += world->counts.snapshots_complete;
        holding += world->counts.snapshots_holding;
        world_free(&world);
    }
    assert_true(complete > 200 && holding > 0);
}

/* --- single messages --- */

/* Hands a message to a node as the next one on the channel from a peer. What the node does about
 * it goes nowhere. */
static void inject(struct world *world, node_id_t to, node_id_t from, struct message *message)
{
    struct node *node = world->nodes[to].core;
    message->as.channel.seq = node->links.peers[from].channel.delivered + 1;
    message->as.channel.src = from;
    message->as.channel.src_incarnation = node->links.peers[from].channel.peer;
    message->as.channel.dst_incarnation = node->step.config.incarnation;
    message->as.channel.ack = node->links.peers[from].channel.acked;
    struct event event = {.kind = EVENT_MESSAGE, .now_us = node->step.now_us};
    event.message.plane = PLANE_CHANNEL;
    event.message.from = from;
    event.message.incarnation = node->links.peers[from].channel.peer;
    event.message.message = message;
    node_step(node, &event);
    node_check_invariants(node);
    message_drop(&message);
}

/* A marker of node 1's for all nodes. */
static struct message *marker(const struct world *world, uint64_t counter)
{
    uint32_t n = world->options.n_nodes;
    struct message *message = message_new(MESSAGE_MARKER);
    message->as.marker.initiator = 1;
    message->as.marker.incarnation = world->nodes[1].incarnation;
    message->as.marker.counter = counter;
    message->as.marker.participants.n = n;
    message->as.marker.participants.at =
        message_room(message, n + 1, sizeof *message->as.marker.participants.at);
    for (node_id_t id = 1; id <= n; id++)
        message->as.marker.participants.at[id - 1] =
            (struct wire_participant){id, world->nodes[id].incarnation};
    return message;
}

static void crash_all(struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_crash(world, id);
    world_free(&world);
}

static void a_second_marker_changes_nothing_S4(void **state)
{
    (void)state;
    struct world *world = begin(60, 4);
    const struct snapshots *snapshots = &world->nodes[2].core->snapshots;
    for (int times = 0; times < 3; times++) {
        inject(world, 2, 1, marker(world, 7));
        assert_int_equal(snapshots->n_recordings, 1);
        assert_int_equal(snapshots->recordings->open, 2);
        assert_int_equal(snapshots->recordings->first_marker, 1);
    }
    inject(world, 2, 3, marker(world, 7));
    inject(world, 2, 3, marker(world, 7));
    assert_int_equal(snapshots->recordings->open, 1);
    inject(world, 2, 4, marker(world, 7)); /* whole, and reported */
    assert_int_equal(snapshots->n_recordings, 0);
    for (node_id_t from = 1; from <= 4; from++)
        if (from != 2)
            inject(world, 2, from, marker(world, 7));
    assert_int_equal(snapshots->n_recordings, 0);
    crash_all(world);
}

static void only_participants_are_waited_for_S9(void **state)
{
    (void)state;
    struct world *world = begin(61, 4);
    const struct snapshots *snapshots = &world->nodes[2].core->snapshots;
    struct message *message = marker(world, 7);
    message->as.marker.participants.n = 3; /* without node 4 */
    inject(world, 2, 1, message);
    assert_int_equal(snapshots->recordings->open, 1);
    assert_int_equal(snapshots->recordings->channels[4].state, CUT_ABSENT);
    inject(world, 2, 4, marker(world, 7)); /* it may say what it likes */
    assert_int_equal(snapshots->recordings->open, 1);
    crash_all(world);
}

static void late_and_foreign_markers_start_nothing_S6(void **state)
{
    (void)state;
    struct world *world = begin(62, 3);
    const struct snapshots *snapshots = &world->nodes[2].core->snapshots;
    struct snapshot_model *model = take(world, 1);
    inject(world, 2, 3, marker(world, model->name.counter)); /* complete */
    assert_int_equal(snapshots->n_recordings, 0);
    snapshot_model_destroy(&model);
    struct message *message = message_new(MESSAGE_SNAPSHOT_END);
    message->as.snapshot_end.initiator = 1;
    message->as.snapshot_end.incarnation = world->nodes[1].incarnation;
    message->as.snapshot_end.counter = 8;
    inject(world, 2, 1, message);
    inject(world, 2, 3, marker(world, 8)); /* given up before its marker came */
    message = marker(world, 9);
    message->as.marker.incarnation--; /* a former life of the initiator */
    inject(world, 2, 3, message);
    message = marker(world, 10);
    message->as.marker.participants.at[1].incarnation--; /* a former life of ours */
    inject(world, 2, 1, message);
    message = marker(world, 11);
    message->as.marker.participants.at[1].node = 3; /* not for us */
    message->as.marker.participants.n = 2;
    inject(world, 2, 1, message);
    message = marker(world, 12);
    message->as.marker.initiator = 2; /* ours, and we know of none */
    inject(world, 2, 1, message);
    assert_int_equal(snapshots->n_recordings, 0);
    crash_all(world);
}

static void absurd_markers_are_rejected(void **state)
{
    (void)state;
    struct world *world = begin(63, 3);
    struct node *node = world->nodes[2].core;
    uint64_t before = node->step.rejected_here;
    struct message *message = marker(world, 7);
    message->as.marker.participants.at[2].node = 4;
    inject(world, 2, 1, message);
    message = marker(world, 7);
    message->as.marker.participants.at[2].node = 0;
    inject(world, 2, 1, message);
    message = marker(world, 7);
    message->as.marker.participants.at[2].node = 1;
    inject(world, 2, 1, message);
    message = marker(world, 7);
    message->as.marker.initiator = UINT64_C(1) << 32 | 1;
    inject(world, 2, 1, message);
    message = message_new(MESSAGE_SNAPSHOT_END);
    message->as.snapshot_end.initiator = 3; /* not its own */
    inject(world, 2, 1, message);
    assert_int_equal(node->step.rejected_here, before + 5);
    assert_int_equal(node->snapshots.n_recordings, 0);
    /* A flood of snapshots fills what there is for them, and no more. */
    for (uint64_t counter = 100; counter < 100 + 2 * SNAPSHOTS_ACTIVE_MAX; counter++)
        inject(world, 2, 1, marker(world, counter));
    assert_int_equal(node->snapshots.n_recordings, SNAPSHOTS_ACTIVE_MAX);
    crash_all(world);
}

static struct message *report(const struct world *world, uint64_t part, uint64_t parts,
                              const struct message *content)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_REPORT);
    message->as.snapshot_report.initiator = 1;
    message->as.snapshot_report.incarnation = world->nodes[1].incarnation;
    message->as.snapshot_report.counter = world->nodes[1].core->snapshots.counter;
    message->as.snapshot_report.part = part;
    message->as.snapshot_report.parts = parts;
    struct blob *blob = codec_pack(content);
    message_add_frame(message, blob);
    blob_drop(&blob);
    return message;
}

/* A report that is not what it should be is its sender's loss alone. */
static void malformed_reports_are_rejected(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct world *world = begin(64, 3);
        struct node *node = world->nodes[1].core;
        struct message *content = message_new(how == 0   ? MESSAGE_CUT_ACCOUNTS
                                              : how == 1 ? MESSAGE_LEDGER_ACK
                                                         : MESSAGE_CUT_STATE);
        content->as.cut_state.role = message_text(content, "follower");
        if (how >= 2)
            content->as.cut_state.node = how == 2 ? 3 : 2;
        world_pause(world, 2, SECOND_US);
        world_pause(world, 3, SECOND_US);
        begin_to_take(world, 1);
        uint64_t before = node->step.rejected_here;
        inject(world, 1, 2, report(world, how == 3, how == 4 ? 0 : 2, content));
        assert_int_equal(node->step.rejected_here, before + 1);
        assert_non_null(node->snapshots.collections->nodes[2].missing);
        assert_null(node->snapshots.collections->nodes[3].missing);
        message_drop(&content);
        crash_all(world);
    }
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
        cmocka_unit_test(loss_and_reconnects_only_delay_S4_S5_S16),
        cmocka_unit_test(a_cut_delays_the_marker_and_completes_S4_S5),
        cmocka_unit_test(a_new_life_voids_its_channels_S5_S12),
        cmocka_unit_test(a_dead_or_silent_participant_is_named_S12),
        cmocka_unit_test(a_dead_initiator_leaves_nothing_behind_S11),
        cmocka_unit_test(ids_are_never_used_again_S8),
        cmocka_unit_test(what_is_recorded_is_capped_S10),
        cmocka_unit_test(everything_fails_and_nothing_is_lost_S12_S14_S16),
        cmocka_unit_test(a_second_marker_changes_nothing_S4),
        cmocka_unit_test(only_participants_are_waited_for_S9),
        cmocka_unit_test(late_and_foreign_markers_start_nothing_S6),
        cmocka_unit_test(absurd_markers_are_rejected),
        cmocka_unit_test(malformed_reports_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
