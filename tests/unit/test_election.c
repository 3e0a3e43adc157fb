/* Terms and votes of one node, message by message: what it sends, and not before what is on disk.
 * Statements of the checks are named; the stories of whole clusters are in test_cluster.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/harness/bench.h"
#include "tests/harness/inside.h"

/* --- R1, R3, R4 --- */

static void a_vote_leaves_after_it_is_on_disk_R1(void **state)
{
    (void)state;
    bench_begin(4, NODE_NONE);
    bench.slow_disk = true;
    bench_request_vote(2, false, 5, 0, 0);
    assert_null(bench_answer());
    assert_int_equal(bench.disk.term, 4);
    bench_sync_disk();
    assert_int_equal(bench.disk.term, 5);
    assert_int_equal(bench.disk.vote, 2);
    assert_true(bench_answered(true, 5));
    bench_finish();
}

static void no_message_of_a_term_leaves_before_the_term_is_on_disk_R1(void **state)
{
    (void)state;
    bench_begin(3, NODE_NONE);
    bench_pass_until_candidate(true);
    bench_forget_sent();
    bench.slow_disk = true;
    for (node_id_t id = 2; id <= 3; id++)
        bench_reply_vote(id, true, 4, true);
    assert_int_equal(inside_step(bench.node)->term, 4);
    for (size_t i = 0; i < bench.n_sent; i++)
        assert_int_not_equal(bench.sent[i]->type, MESSAGE_VOTE_REQUEST);
    bench_sync_disk();
    size_t requests = 0;
    for (size_t i = 0; i < bench.n_sent; i++)
        requests += bench.sent[i]->type == MESSAGE_VOTE_REQUEST;
    assert_int_equal(requests, N_NODES - 1);
    assert_int_equal(bench.disk.vote, 1); /* for itself */
    bench_finish();
}

static void a_crash_at_any_step_yields_no_second_vote_R1(void **state)
{
    (void)state;
    for (int synced = 0; synced < 2; synced++) {
        bench_begin(4, NODE_NONE);
        bench.slow_disk = true;
        bench_request_vote(2, false, 5, 0, 0);
        if (synced)
            bench_sync_disk();
        bool told = bench_answered(true, 5);
        assert_int_equal(told, synced);
        bench_crash();
        bench.slow_disk = false;
        bench_start();
        bench_request_vote(3, false, 5, 0, 0);
        /* It may vote for 3 only if nobody can have heard of a vote for 2. */
        assert_true(bench_answered(!told, 5));
        bench_finish();
    }
}

static void one_vote_a_term_and_the_same_again(void **state)
{
    (void)state;
    bench_begin(4, NODE_NONE);
    bench_request_vote(2, false, 5, 0, 0);
    assert_true(bench_answered(true, 5));
    bench_request_vote(3, false, 5, 0, 0);
    assert_true(bench_answered(false, 5));
    bench_request_vote(2, false, 5, 0, 0);
    assert_true(bench_answered(true, 5));
    bench_request_vote(3, false, 6, 0, 0);
    assert_true(bench_answered(true, 6));
    bench_request_vote(2, false, 5, 0, 0); /* an old term */
    assert_true(bench_answered(false, 6));
    bench_finish();
}

static void only_a_log_as_complete_as_ours_gets_a_vote_R3(void **state)
{
    (void)state;
    static const struct {
        log_index_t index;
        term_t term;
        bool granted;
    } cases[] = {{7, 3, true}, {8, 3, true},  {6, 3, false}, {100, 2, false},
                 {1, 4, true}, {0, 0, false}, {7, 2, false}, {7, 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int pre = 0; pre < 2; pre++) {
            bench_begin(4, NODE_NONE);
            raft_log_reset(inside_raft_to_change(bench.node), 7, 3);
            bench_request_vote(2, pre, 5, cases[i].index, cases[i].term);
            assert_true(bench_answered(cases[i].granted, cases[i].granted || !pre ? 5 : 4));
            bench_finish();
        }
    }
}

static void a_coordinator_grants_no_vote_R4(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    term_t term = inside_step(bench.node)->term;
    bench_forget_sent();
    bench_request_vote(2, false, term, 100, term - 1);
    assert_true(bench_answered(false, term));
    bench_request_vote(2, false, term + 1, 100, term);
    assert_true(bench_answered(false, term));
    bench_request_vote(2, true, term + 1, 100, term);
    assert_true(bench_answered(false, term));
    assert_true(election_leads(inside_raft(bench.node)));
    bench_finish();
}

/* --- R2: counting --- */

static void votes_are_counted_per_distinct_node_R2(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_candidate();
    for (int i = 0; i < 10; i++)
        bench_reply_vote(2, false, 1, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_CANDIDATE);
    bench_reply_vote(3, false, 1, true);
    assert_true(election_leads(inside_raft(bench.node)));
    bench_finish();
}

static void late_foreign_and_wrong_votes_do_not_count_R2(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_candidate();
    bench_reply_vote(2, false, 1, true); /* one more would do */
    bench_reply_vote(3, true, 1, true);  /* a pre-vote */
    bench_reply_vote(3, true, 2, true);
    bench_reply_vote(4, false, 0, true); /* of other terms */
    bench_reply_vote(4, false, 2, true);
    bench_reply_vote(5, false, 1, false); /* refused */
    bench_reply_vote(1, false, 1, true);  /* from ourselves, from nobody, from a stranger */
    bench_reply_vote(0, false, 1, true);
    bench_reply_vote(6, false, 1, true);
    bench_reply_vote(UINT32_MAX, false, 1, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_CANDIDATE);
    /* In the next term the votes of this one are forgotten. */
    bench_pass_until_candidate(true);
    for (node_id_t id = 2; id <= 3; id++)
        bench_reply_vote(id, true, 2, true);
    assert_int_equal(inside_step(bench.node)->term, 2);
    bench_reply_vote(3, false, 2, true);
    bench_reply_vote(4, false, 1, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_CANDIDATE);
    bench_reply_vote(5, false, 2, true);
    assert_true(election_leads(inside_raft(bench.node)));
    bench_finish();
}

static void a_vote_of_a_former_life_does_not_count_R2(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_candidate();
    bench_crash();
    bench_start();
    assert_int_equal(bench.disk.term, 1);
    for (node_id_t id = 2; id <= 5; id++)
        bench_reply_vote(id, false, 1, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_FOLLOWER);
    bench_finish();
}

/* --- R5: pre-votes and stickiness --- */

static void a_pre_vote_changes_neither_term_nor_vote_R5(void **state)
{
    (void)state;
    bench_begin(3, NODE_NONE);
    bench_request_vote(2, true, 4, 0, 0);
    assert_true(bench_answered(true, 4));
    bench_request_vote(3, true, 1000, 0, 0);
    assert_true(bench_answered(false, 3)); /* nor would we vote in it */
    assert_int_equal(inside_step(bench.node)->term, 3);
    assert_int_equal(inside_raft(bench.node)->election.vote, NODE_NONE);
    assert_int_equal(bench.wanted_seq, 0);
    /* Its own pre-votes, without an answer, do not either. */
    bench_pass(20 * T);
    assert_int_equal(inside_step(bench.node)->term, 3);
    assert_int_equal(bench.disk.term, 3);
    bench_finish();
}

static void who_hears_a_coordinator_helps_nobody_to_replace_it_R5(void **state)
{
    (void)state;
    bench_begin(3, NODE_NONE);
    for (node_id_t id = 2; id <= 3; id++)
        bench_heartbeat(id, "worker", 3, 4);
    bench_heartbeat(4, "coordinator", 3, 4);
    assert_int_equal(inside_step(bench.node)->coordinator, 4);
    for (uint64_t us = 0; us + 20 * MS_US < T; us += 20 * MS_US) {
        bench_request_vote(2, true, 4, 100, 3);
        assert_true(bench_answered(false, 3));
        bench_request_vote(2, false, 4, 100, 3);
        assert_true(bench_answered(false, 3));
        assert_int_equal(inside_step(bench.node)->term, 3);
        bench.now_us += 20 * MS_US;
        bench_step((struct event){.kind = EVENT_TICK});
    }
    bench.now_us += 40 * MS_US;
    bench_request_vote(2, true, 4, 100, 3);
    assert_true(bench_answered(true, 4));
    bench_finish();
}

/* --- terms --- */

static void a_higher_term_ends_a_reign(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    for (node_id_t id = 2; id <= 4; id++) {
        assert_true(election_leads(inside_raft(bench.node)));
        bench_heartbeat(id, "worker", 7, 3);
    }
    assert_false(election_leads(inside_raft(bench.node)));
    assert_int_equal(inside_step(bench.node)->term, 7);
    assert_int_equal(bench.disk.term, 7);
    assert_int_equal(bench.disk.vote, NODE_NONE);
    bench_finish();
}

static void terms_out_of_range_are_refused_X10(void **state)
{
    (void)state;
    static const term_t beyond[] = {TERM_MAX + 1, UINT64_MAX};
    bench_begin(3, NODE_NONE);
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        uint64_t rejected = inside_step(bench.node)->rejected_here;
        bench_heartbeat(2, "worker", beyond[i], 2);
        bench_heartbeat(2, "coordinator", beyond[i], 2);
        bench_reply_vote(2, false, beyond[i], false);
        for (int pre = 0; pre < 2; pre++) {
            bench_request_vote(2, pre, beyond[i], 0, 0);
            assert_null(bench_answer());
        }
        assert_int_equal(inside_step(bench.node)->rejected_here, rejected + 5);
    }
    /* A log of the term that is still to be won, or of none that there is. */
    uint64_t rejected = inside_step(bench.node)->rejected_here;
    bench_request_vote(2, false, 4, 100, 4);
    bench_request_vote(2, true, 4, 100, 4);
    bench_request_vote(2, false, 4, LOG_INDEX_MAX + 1, 3);
    bench_request_vote(2, false, 0, 0, 0);
    assert_null(bench_answer());
    assert_int_equal(inside_step(bench.node)->rejected_here, rejected + 4);
    assert_int_equal(inside_step(bench.node)->term, 3);
    assert_int_equal(bench.wanted_seq, 0);
    bench_finish();
}

static void a_term_never_falls_R14(void **state)
{
    (void)state;
    bench_begin(9, 3);
    for (term_t term = 1; term < 9; term++) {
        bench_heartbeat(2, "coordinator", term, 2);
        bench_heartbeat(3, "worker", term, 2);
        bench_request_vote(4, false, term, 100, term - 1);
        assert_true(bench_answered(false, 9));
        bench_reply_vote(4, false, term, false);
        assert_int_equal(inside_step(bench.node)->term, 9);
        assert_int_equal(inside_step(bench.node)->coordinator, NODE_NONE);
    }
    bench_finish();
}

static void a_second_coordinator_of_a_term_is_not_believed(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    uint64_t rejected = inside_step(bench.node)->rejected_here;
    bench_heartbeat(2, "coordinator", inside_step(bench.node)->term, 2);
    assert_true(election_leads(inside_raft(bench.node)));
    assert_int_equal(inside_step(bench.node)->rejected_here, rejected + 1);
    bench_finish();
}

/* --- time --- */

static void a_coordinator_serves_after_its_first_entry_is_committed_R10(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_candidate();
    bench.slow_disk = true;
    for (node_id_t id = 2; id <= 3; id++)
        bench_reply_vote(id, false, 1, true);
    assert_true(election_leads(inside_raft(bench.node)));
    assert_false(node_coordinates(bench.node));
    bench_sync_disk();
    assert_false(node_coordinates(bench.node)); /* it is on one disk of five */
    bench_acknowledge(2);
    assert_false(node_coordinates(bench.node));
    bench_acknowledge(3);
    assert_true(node_coordinates(bench.node));
    bench_finish();
}

static void a_coordinator_that_nobody_follows_steps_down_R7(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    for (int i = 0; i < 30; i++) { /* less than R35's 4 T: nobody acknowledges anything here */
        for (node_id_t id = 2; id <= 3; id++)
            bench_heartbeat(id, "worker", 1, 1);
        bench_pass(50 * MS_US);
    }
    assert_true(election_leads(inside_raft(bench.node)));
    for (int i = 0; i < 100 && election_leads(inside_raft(bench.node)); i++) {
        bench_heartbeat(2, "worker", 1, 1); /* one is no majority of five */
        bench_heartbeat(3, "worker", 1, 4); /* and who follows another does not count */
        bench_pass(50 * MS_US);
        assert_true(i <= 11);
    }
    assert_false(election_leads(inside_raft(bench.node)));
    assert_int_equal(inside_step(bench.node)->term, 1);
    bench_finish();
}

static void a_coordinator_that_was_stopped_serves_no_more_R13(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    bench.now_us += 10 * T;
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = 1;
    event.request.message = message_new(MESSAGE_STATUS_GET);
    bench_step(event); /* not even what comes before the first tick */
    message_drop(&event.request.message);
    assert_false(node_coordinates(bench.node));
    bench_finish();
}

static void a_jump_of_the_wall_clock_changes_nothing_R26(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    bench_become_coordinator();
    bench_acknowledge(2);
    bench_acknowledge(3);
    for (int i = 0; i < 50; i++) {
        for (node_id_t id = 2; id <= 5; id++)
            bench_heartbeat(id, "worker", 1, 1);
        bench.now_us += 50 * MS_US;
        bench_step((struct event){.kind = EVENT_TICK, .wall_ms = i % 2 ? 1 : 3600000});
    }
    assert_true(node_coordinates(bench.node));
    assert_int_equal(inside_step(bench.node)->term, 1);
    bench_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_leaves_after_it_is_on_disk_R1),
        cmocka_unit_test(no_message_of_a_term_leaves_before_the_term_is_on_disk_R1),
        cmocka_unit_test(a_crash_at_any_step_yields_no_second_vote_R1),
        cmocka_unit_test(one_vote_a_term_and_the_same_again),
        cmocka_unit_test(only_a_log_as_complete_as_ours_gets_a_vote_R3),
        cmocka_unit_test(a_coordinator_grants_no_vote_R4),
        cmocka_unit_test(votes_are_counted_per_distinct_node_R2),
        cmocka_unit_test(late_foreign_and_wrong_votes_do_not_count_R2),
        cmocka_unit_test(a_vote_of_a_former_life_does_not_count_R2),
        cmocka_unit_test(a_pre_vote_changes_neither_term_nor_vote_R5),
        cmocka_unit_test(who_hears_a_coordinator_helps_nobody_to_replace_it_R5),
        cmocka_unit_test(a_higher_term_ends_a_reign),
        cmocka_unit_test(terms_out_of_range_are_refused_X10),
        cmocka_unit_test(a_term_never_falls_R14),
        cmocka_unit_test(a_second_coordinator_of_a_term_is_not_believed),
        cmocka_unit_test(a_coordinator_serves_after_its_first_entry_is_committed_R10),
        cmocka_unit_test(a_coordinator_that_nobody_follows_steps_down_R7),
        cmocka_unit_test(a_coordinator_that_was_stopped_serves_no_more_R13),
        cmocka_unit_test(a_jump_of_the_wall_clock_changes_nothing_R26),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
