/* Who is no use though its heartbeats arrive (R35, R36): on real cores whose messages, disks and
 * clocks are in the hands of the test. As a story to be read: tests/trace/blocked_plane.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "tests/harness/stage.h"

#define T            ELECTION_TIMEOUT_DEFAULT_US
#define STALL_US     (STALL_TIMEOUTS * T)
#define BEHIND_US    (BEHIND_TIMEOUTS * T)
#define HEARTBEAT_US HEARTBEAT_DEFAULT_US

static const char no_acks[] = "steps down: no majority acknowledges what waits";

/* Nothing passes on the checkpoint plane from one node to another. */
static void block_plane(struct stage *stage, node_id_t from, node_id_t to)
{
    static const enum message_type types[] = {MESSAGE_APPEND, MESSAGE_APPEND_REPLY, MESSAGE_INSTALL,
                                              MESSAGE_INSTALL_REPLY};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        stage_lose_messages(stage, from, to, types[i]);
}

/* --- a coordinator that steps down --- */

/* Whichever direction is blocked, and though every heartbeat arrives. */
static void a_coordinator_that_nobody_acknowledges_makes_way_R35(void **state)
{
    (void)state;
    for (int outwards = 0; outwards < 2; outwards++) {
        struct stage *stage = stage_begin(3);
        block_plane(stage, outwards ? 1 : NODE_NONE, outwards ? NODE_NONE : 1);
        stage_set(stage, 1, 9, 1);
        stage_run(stage, STALL_US - HEARTBEAT_US);
        assert_int_equal(stage_coordinator(stage), 1);
        stage_run(stage, 2 * HEARTBEAT_US);
        assert_true(stage_told(stage, no_acks));
        assert_int_equal(stage_coordinator(stage), NODE_NONE);
        stage_run(stage, 2 * T);
        assert_int_equal(stage_coordinator(stage), 2); /* 1 would have been first, and rests */
        stage_set(stage, 2, 9, 2);
        stage_run(stage, 100 * MS_US);
        assert_int_equal(progress_now(&stage_state(stage, 2)->progress, 9), 2);
        stage_run(stage, 20 * T);
        assert_int_equal(stage_coordinator(stage), 2); /* no ping-pong */
        stage_free(&stage);
    }
}

static void a_read_that_nobody_confirms_waits_no_longer_R35(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    block_plane(stage, 1, NODE_NONE);
    stage_read(stage, 1, 9);
    stage_run(stage, STALL_US + 2 * HEARTBEAT_US);
    assert_true(stage_told(stage, "steps down: no majority confirms what is read"));
    assert_true(stage_refused(stage, "not_coordinator"));
    stage_free(&stage);
}

static void a_coordinator_whose_disk_hangs_makes_way_R35(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage->nodes[1].slow_disk = true;
    stage_set(stage, 1, 9, 1);
    stage_run(stage, STALL_US + 2 * HEARTBEAT_US);
    assert_true(stage_told(stage, "steps down: its disk has finished nothing"));
    stage_run(stage, 2 * T);
    assert_int_equal(stage_coordinator(stage), 2);
    stage_run(stage, 20 * T);
    assert_int_equal(stage_coordinator(stage), 2);
    stage_free(&stage);
}

/* Nothing waits: a quiet coordinator needs no acknowledgement, however long. One follower that
 * acknowledges suffices; so does a lone voter's own disk. */
static void a_coordinator_without_reason_stays_R35(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    block_plane(stage, 1, 3);
    for (int i = 0; i < 20; i++) {
        stage_set(stage, 1, 9, 1);
        stage_run(stage, T);
    }
    assert_int_equal(stage_coordinator(stage), 1);
    block_plane(stage, 1, 2);
    stage_run(stage, 20 * T);
    assert_int_equal(stage_coordinator(stage), 1);
    stage_free(&stage);
}

/* Three nodes, and a large result that its coordinator has and the others do not get. */
static struct stage *begin_large_result(void)
{
    struct stage *stage = stage_begin(3);
    stage->nodes[2].slow_values = stage->nodes[3].slow_values = true;
    for (node_id_t id = 1; id <= 3; id++)
        stage->nodes[id].op_us = 1;
    stage_ask(stage, 1, stage_submit_request("key", "30000"));
    return stage;
}

/* A large result that nobody gets in time: the entry that names it waits until followers have
 * fetched it. Bytes that come are progress; bytes that come no more are none. */
static void values_on_their_way_are_progress_R35(void **state)
{
    (void)state;
    struct stage *stage = begin_large_result();
    stage_run(stage, 2 * OFFER_WAIT_US + T); /* it is offered first, in vain */
    assert_true(stage_raft(stage, 1)->log.last > stage_raft(stage, 1)->log.commit);
    for (int i = 0; i < 20; i++) {
        stage->nodes[2].value_bytes += 1000;
        stage_run(stage, T);
        assert_int_equal(stage_coordinator(stage), 1);
    }
    stage_run(stage, STALL_US);
    assert_true(stage_told(stage, no_acks));
    stage_free(&stage);
}

/* It is offered before its entry is proposed: what others ask for is committed meanwhile. */
static void a_value_on_its_way_holds_up_nothing_else_T10(void **state)
{
    (void)state;
    struct stage *stage = begin_large_result();
    stage_run(stage, OFFER_WAIT_US / 2); /* computed, and at nobody else's */
    stage_ask(stage, 1, stage_submit_request("key2", "10"));
    stage_run(stage, OFFER_WAIT_US / 4);
    const struct jobs *jobs = &stage_state(stage, 2)->jobs;
    assert_int_equal(jobs->n, 2);
    assert_int_equal(jobs->at[0]->state, JOB_QUEUED);
    assert_int_equal(jobs->at[1]->state, JOB_DONE);
    stage_free(&stage);
}

/* --- who is level --- */

static const struct wire_status *ask_status(struct stage *stage)
{
    stage_ask(stage, 1, message_new(MESSAGE_STATUS_GET));
    stage_run(stage, 5 * MS_US); /* a majority confirms it */
    assert_true(stage_answered(stage, MESSAGE_STATUS));
    return &stage->answer->as.status;
}

static void a_node_that_stands_still_is_named_R36(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_run(stage, 2 * HEARTBEAT_US);
    assert_true(ask_status(stage)->healthy);
    assert_int_equal(ask_status(stage)->may_fail, 1);
    block_plane(stage, 1, 3);
    stage_set(stage, 1, 9, 1);
    stage_run(stage, BEHIND_US - HEARTBEAT_US);
    assert_true(ask_status(stage)->healthy); /* a lag is no illness */
    stage_run(stage, 3 * HEARTBEAT_US);
    const struct wire_status *status = ask_status(stage);
    assert_false(status->healthy);
    assert_int_equal(status->may_fail, 0);
    assert_true(status->nodes.at[2].alive);
    assert_in_range(status->nodes.at[2].behind_ms, BEHIND_US / MS_US, 2 * BEHIND_US / MS_US);
    assert_int_equal(status->nodes.at[1].behind_ms, 0);
    for (int i = 0; i < 20; i++) {
        stage_set(stage, 1, 9, 2);
        stage_run(stage, T);
    }
    assert_int_equal(stage_told_times(stage, "node 3 is behind"), 1);
    stage_no_rules(stage);
    stage_run(stage, T);
    assert_int_equal(stage_told_times(stage, "node 3 has caught up"), 1);
    assert_true(ask_status(stage)->healthy);
    assert_int_equal(ask_status(stage)->may_fail, 1);
    stage_free(&stage);
}

/* It applies what is committed, and has none of it on disk. */
static void a_disk_that_hangs_is_named_R36(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(5);
    stage->nodes[4].slow_disk = true;
    stage_set(stage, 1, 9, 1);
    stage_run(stage, STALL_US + 2 * HEARTBEAT_US);
    const struct wire_status *status = ask_status(stage);
    assert_false(status->healthy);
    assert_int_equal(status->may_fail, 1);
    assert_in_range(status->nodes.at[3].stalled_ms, STALL_US / MS_US, 2 * STALL_US / MS_US);
    stage_run(stage, BEHIND_US);
    assert_true(ask_status(stage)->nodes.at[3].behind_ms > 0);
    stage->nodes[4].slow_disk = false;
    stage_sync(stage, 4);
    stage_run(stage, T);
    assert_true(ask_status(stage)->healthy);
    stage_free(&stage);
}

/* A node that is always a little late is not behind: it reaches what was committed a while ago. */
static void a_short_lag_is_no_illness_R36(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage->nodes[3].slow_disk = true;
    for (int i = 0; i < 60; i++) {
        stage_set(stage, 1, 9, 1);
        stage_run(stage, T / 2);
        if (i % 3 == 2)
            stage_sync(stage, 3);
        assert_true(ask_status(stage)->healthy);
    }
    assert_false(stage_told(stage, "is behind: "));
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_that_nobody_acknowledges_makes_way_R35),
        cmocka_unit_test(a_read_that_nobody_confirms_waits_no_longer_R35),
        cmocka_unit_test(a_coordinator_whose_disk_hangs_makes_way_R35),
        cmocka_unit_test(a_coordinator_without_reason_stays_R35),
        cmocka_unit_test(values_on_their_way_are_progress_R35),
        cmocka_unit_test(a_value_on_its_way_holds_up_nothing_else_T10),
        cmocka_unit_test(a_node_that_stands_still_is_named_R36),
        cmocka_unit_test(a_disk_that_hangs_is_named_R36),
        cmocka_unit_test(a_short_lag_is_no_illness_R36),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
