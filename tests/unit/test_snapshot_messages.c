/* Single markers and reports of global snapshots, handed to one node by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/link/link.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/step/step.h"
#include "shared/wire/codec.h"
#include "tests/harness/inside.h"
#include "tests/harness/snapshots.h"

/* --- single messages --- */

/* Hands a message to a node as the next one on the channel from a peer. What the node does about
 * it goes nowhere. */
static void inject(struct world *world, node_id_t to, node_id_t from, struct message *message)
{
    struct node *node = world->nodes[to].core;
    message->as.channel.seq = inside_links(node)->peers[from].channel.delivered + 1;
    message->as.channel.src = from;
    message->as.channel.src_incarnation = inside_links(node)->peers[from].channel.peer;
    message->as.channel.dst_incarnation = inside_step(node)->config.incarnation;
    message->as.channel.ack = inside_links(node)->peers[from].channel.acked;
    struct event event = {.kind = EVENT_MESSAGE, .now_us = inside_step(node)->now_us};
    event.message.plane = PLANE_CHANNEL;
    event.message.from = from;
    event.message.incarnation = inside_links(node)->peers[from].channel.peer;
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
    struct world *world = worlds_begin(60, 4);
    const struct snapshots *snapshots = inside_snapshots(world->nodes[2].core);
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
    struct world *world = worlds_begin(61, 4);
    const struct snapshots *snapshots = inside_snapshots(world->nodes[2].core);
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
    struct world *world = worlds_begin(62, 3);
    const struct snapshots *snapshots = inside_snapshots(world->nodes[2].core);
    struct snapshot_model *model = snapshots_take(world, 1);
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
    struct world *world = worlds_begin(63, 3);
    struct node *node = world->nodes[2].core;
    uint64_t before = inside_step(node)->rejected_here;
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
    assert_int_equal(inside_step(node)->rejected_here, before + 5);
    assert_int_equal(inside_snapshots(node)->n_recordings, 0);
    /* A flood of snapshots fills what there is for them, and no more. */
    for (uint64_t counter = 100; counter < 100 + 2 * SNAPSHOTS_ACTIVE_MAX; counter++)
        inject(world, 2, 1, marker(world, counter));
    assert_int_equal(inside_snapshots(node)->n_recordings, SNAPSHOTS_ACTIVE_MAX);
    crash_all(world);
}

static struct message *report(const struct world *world, uint64_t part, uint64_t parts,
                              const struct message *content)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_REPORT);
    message->as.snapshot_report.initiator = 1;
    message->as.snapshot_report.incarnation = world->nodes[1].incarnation;
    message->as.snapshot_report.counter = inside_snapshots(world->nodes[1].core)->counter;
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
        struct world *world = worlds_begin(64, 3);
        struct node *node = world->nodes[1].core;
        struct message *content = message_new(how == 0   ? MESSAGE_CUT_ACCOUNTS
                                              : how == 1 ? MESSAGE_LEDGER_ACK
                                                         : MESSAGE_CUT_STATE);
        content->as.cut_state.role = message_text(content, "follower");
        if (how >= 2)
            content->as.cut_state.node = how == 2 ? 3 : 2;
        world_pause(world, 2, SECOND_US);
        world_pause(world, 3, SECOND_US);
        snapshots_begin_to_take(world, 1);
        uint64_t before = inside_step(node)->rejected_here;
        inject(world, 1, 2, report(world, how == 3, how == 4 ? 0 : 2, content));
        assert_int_equal(inside_step(node)->rejected_here, before + 1);
        assert_non_null(inside_snapshots(node)->collections->nodes[2].missing);
        assert_null(inside_snapshots(node)->collections->nodes[3].missing);
        message_drop(&content);
        crash_all(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_marker_changes_nothing_S4),
        cmocka_unit_test(only_participants_are_waited_for_S9),
        cmocka_unit_test(late_and_foreign_markers_start_nothing_S6),
        cmocka_unit_test(absurd_markers_are_rejected),
        cmocka_unit_test(malformed_reports_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
