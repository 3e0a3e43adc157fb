/* What goes wrong with tasks: attempts that fail, workers that die, and a new coordinator between
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/tasks/tasks.h"
#include "tests/harness/tasked.h"

static const struct wire_task_outcome slow = {.wall_us = 1000000},
                                      failed = {.exit = 1, .wall_us = 1000000};

static void an_attempt_that_fails_is_made_again_after_a_while_that_doubles(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options options = {.retries = 2, .retry_delay_ms = 1000};
    struct task_job *job = tasked_submit(it, "a", 1, &options);
    struct wire_task_hand hand;
    tasked_tell_both(it);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        assert_true(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
        assert_int_equal(hand.attempt, attempt);
        node_id_t id = it->tasks.slots[2].outstanding ? 2 : 3;
        tasked_ended(it, id, &hand, &failed);
        if (attempt == 3)
            break;
        it->step.now_us += (SECOND_US << (attempt - 1)) - 1;
        tasked_pump(it);
        assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
        assert_int_equal(tasked_counts(it, job).queued, 1);
        it->step.now_us++;
        tasked_pump(it);
    }
    tasked_log(it);
    assert_true(job->ended);
    assert_int_equal(tasked_counts(it, job).failed, 1);
    assert_int_equal(job->exceptions[0].attempts, 3);
    assert_int_equal(job->exceptions[0].exit, 1);
    assert_int_equal(job->retries, 2);
    assert_int_equal(jobs_find(&it->state.jobs, job->id)->state, JOB_FAILED);
}

/* Attempt 1 of the task has failed, and node 3 executes attempt 2 when a new coordinator begins. */
static struct task_job *second_attempt(struct tasked *it, struct wire_task_hand *first,
                                       struct wire_task_hand *again)
{
    struct wire_task_options options = {.retries = 2, .retry_delay_ms = 1000};
    struct task_job *job = tasked_submit(it, "a", 1, &options);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, first));
    tasked_ended(it, 2, first, &failed);
    it->step.now_us += SECOND_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 3, again) && again->attempt == 2);
    tasked_next_term(it);
    return job;
}

static void the_next_attempt_is_not_begun_while_it_runs(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand first, again, hand;
    struct task_job *job = second_attempt(it, &first, &again);
    tasked_ended(it, 2, &first, &failed); /* so the task waits for its next attempt */
    tasked_tell(it, 2, NULL);
    assert_int_equal(tasked_counts(it, job).queued, 1);
    tasked_tell(it, 3, &again);
    assert_int_equal(tasked_counts(it, job).running, 1);
    it->step.now_us += 2 * SECOND_US;
    tasked_pump(it);
    assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    tasked_ended(it, 3, &again, &slow);
    tasked_log(it);
    assert_true(job->ended && tasked_counts(it, job).done == 1);
}

static void an_attempt_that_failed_is_not_made_again_by_the_next_coordinator(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand first, again, hand;
    struct task_job *job = second_attempt(it, &first, &again);
    tasked_ended(it, 2, &first, &failed);
    tasked_ended(it, 3, &again, &failed);
    tasked_tell(it, 2, NULL);
    tasked_tell(it, 3, NULL);
    it->step.now_us += 2 * SECOND_US;
    tasked_pump(it);
    assert_true((tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand)) && hand.attempt == 3);
    assert_int_equal(tasked_counts(it, job).running, 1);
}

/* Two coordinators may have given the same attempt to two workers. */
static void an_attempt_counts_once_though_two_made_it_T19(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand first, again, same, hand;
    struct task_job *job = second_attempt(it, &first, &again);
    tasked_ended(it, 2, &first, &failed);
    tasked_tell(it, 2, NULL);
    it->step.now_us += SECOND_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 2, &same) && same.attempt == 2); /* node 3 says nothing yet */
    tasked_next_term(it);
    tasked_ended(it, 2, &same, &failed);
    tasked_tell(it, 2, NULL);
    it->step.now_us += 2 * SECOND_US;
    it->links.peers[2].alive = false; /* nobody can have the third one yet */
    tasked_pump(it);
    tasked_tell(it, 3, &again);
    assert_int_equal(tasked_counts(it, job).running, 1);
    tasked_ended(it, 3, &again, &failed);
    assert_int_equal(tasked_counts(it, job).failed, 0);
    it->links.peers[2].alive = true;
    it->step.now_us += 4 * SECOND_US;
    tasked_pump(it);
    assert_true((tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand)) && hand.attempt == 3);
    tasked_ended(it, it->tasks.slots[2].outstanding ? 2 : 3, &hand, &failed);
    tasked_log(it);
    assert_true(job->ended && tasked_counts(it, job).failed == 1);
    assert_int_equal(job->exceptions[0].attempts, 3);
}

static void a_nodes_death_is_no_failure_and_three_of_the_same_task_are_T5_T19(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 2, NULL); /* without retries */
    struct wire_task_hand hand;
    tasked_tell_both(it);
    for (unsigned death = 1; death <= 3; death++) {
        node_id_t id = tasked_given(it, 2, &hand) ? 2 : 3;
        if (id == 3)
            assert_true(tasked_given(it, 3, &hand));
        while (hand.first != 1) {
            tasked_ended(it, id, &hand, &slow);
            id = tasked_given(it, 2, &hand) ? 2 : 3;
            if (id == 3)
                assert_true(tasked_given(it, 3, &hand));
        }
        assert_int_equal(hand.attempt, 1);
        assert_int_equal(tasked_counts(it, job).failed, 0);
        tasked_die(it, id);
    }
    while (!job->ended) {
        tasked_work(it, &slow);
        tasked_log(it);
    }
    assert_int_equal(tasked_counts(it, job).failed, 1);
    assert_int_equal(job->exceptions[0].tasks.first, 1);
    assert_string_equal(job->exceptions[0].reason, "its workers died");
    assert_int_equal(job->deaths, 2);
}

/* Else all who have slots would wait until one of them has none in use. */
static void a_death_of_one_with_several_slots_makes_nobody_wait_but_a_second_does_T5(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand, first;
    for (node_id_t id = 2; id <= 3; id++)
        it->links.peers[id].heartbeat->as.heartbeat.slots = 4;
    tasked_submit(it, "a", 100, NULL);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &first) && it->tasks.slots[2].outstanding == 4);
    tasked_die(it, 2);
    assert_true(it->tasks.slots[2].outstanding == 4 && it->tasks.slots[3].outstanding == 4);
    while (tasked_given(it, 2, &hand) && hand.first != first.first)
        ;
    assert_true(hand.first == first.first);
    tasked_die(it, 2); /* it was the oldest again */
    assert_int_equal(it->tasks.slots[2].outstanding, 1);
    assert_true(it->tasks.slots[2].first && tasked_given(it, 2, &hand));
    while (tasked_given(it, 2, &hand))
        ; /* what it was given before it died */
    assert_true(hand.first == first.first);
}

static void too_many_failures_cancel_the_rest(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options options = {.max_fails = 2};
    struct task_job *job = tasked_submit(it, "a", 1000, &options);
    tasked_tell_both(it);
    tasked_work(it, &failed);
    tasked_log(it);
    assert_true(job->ended);
    assert_int_equal(tasked_counts(it, job).failed, 2);
    assert_int_equal(tasked_counts(it, job).cancelled, 998);
    assert_int_equal(jobs_find(&it->state.jobs, job->id)->state, JOB_FAILED);
}

static void a_worker_that_fails_fast_does_not_drain_the_queue_T14(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 100, NULL);
    struct wire_task_hand hand;
    uint64_t quick = 0;
    tasked_tell_both(it);
    /* In a second node 3 does one task, and node 2 could fail at a thousand. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++) {
            it->step.now_us += 10 * MS_US;
            tasked_pump(it);
            if (!tasked_given(it, 2, &hand))
                continue;
            tasked_ended(it, 2, &hand, &failed);
            quick++;
        }
        if (tasked_given(it, 3, &hand))
            tasked_ended(it, 3, &hand, &slow);
    }
    tasked_log(it);
    assert_in_range(tasked_counts(it, job).done, 19, 20);
    assert_in_range(quick, 2, 12);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tasked_begin, tasked_end)
    const struct CMUnitTest tests[] = {
        TEST(an_attempt_that_fails_is_made_again_after_a_while_that_doubles),
        TEST(the_next_attempt_is_not_begun_while_it_runs),
        TEST(an_attempt_that_failed_is_not_made_again_by_the_next_coordinator),
        TEST(an_attempt_counts_once_though_two_made_it_T19),
        TEST(a_nodes_death_is_no_failure_and_three_of_the_same_task_are_T5_T19),
        TEST(a_death_of_one_with_several_slots_makes_nobody_wait_but_a_second_does_T5),
        TEST(too_many_failures_cancel_the_rest),
        TEST(a_worker_that_fails_fast_does_not_drain_the_queue_T14),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
