/* The coordinator's room of tasks: who gets what, and what becomes of outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/tasks/tasks.h"
#include "tests/harness/tasked.h"

static const struct wire_task_outcome instant = {0}, slow = {.wall_us = 1000000},
                                      failed = {.exit = 1, .wall_us = 1000000};

static void ranges_go_out_and_come_back_as_ranges(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 1000000, NULL);
    struct wire_task_hand hand;
    size_t messages = 0;
    tasked_tell_both(it);
    while (tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand)) {
        node_id_t id = it->tasks.slots[2].outstanding >= it->tasks.slots[3].outstanding ? 2 : 3;
        tasked_ended(it, id, &hand, &instant);
        messages++;
    }
    tasked_log(it);
    assert_true(job->ended);
    assert_int_equal(task_job_count(job, TASK_DONE), 1000000);
    assert_int_equal(job->attempts, 1000000);
    assert_in_range(messages, 100, 1000);
    assert_in_range(job->n_segments, 1, 5);
    assert_int_equal(jobs_find(&it->state.jobs, job->id)->state, JOB_DONE);
}

static void nothing_goes_out_before_a_worker_has_told_what_it_has(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    tasked_submit(it, "a", 100, NULL);
    assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    tasked_tell(it, 2, NULL);
    assert_false(tasked_given(it, 2, &hand)); /* what 3 has is not known */
    it->step.now_us += TASK_REPORTS_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 2, &hand));
    assert_false(tasked_given(it, 3, &hand));
    tasked_tell(it, 3, NULL);
    assert_true(tasked_given(it, 3, &hand));
}

static void a_slow_task_is_the_only_one_that_its_worker_has(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 10, NULL);
    tasked_tell_both(it);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(tasked_counts(it, job).running, 2);
        assert_int_equal(tasked_work(it, &slow) > 0, 1);
        if (job->ended)
            break;
    }
    tasked_log(it);
    assert_int_equal(tasked_counts(it, job).done, 10);
}

static void a_worker_has_a_slow_task_for_each_of_its_slots(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    it->links.peers[2].heartbeat->as.heartbeat.slots = 4;
    tasked_submit(it, "a", 100, NULL);
    tasked_tell_both(it);
    assert_true(it->tasks.slots[2].outstanding == 4 && it->tasks.slots[3].outstanding == 1);
    for (int i = 0; i < 20; i++) {
        assert_true(tasked_given(it, 2, &hand));
        tasked_ended(it, 2, &hand, &slow);
        assert_true(it->tasks.slots[2].outstanding == 4 && it->tasks.slots[3].outstanding == 1);
    }
}

static void a_task_may_take_several_slots(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options wide = {.slots = 2}, wider = {.slots = 9};
    struct wire_task_hand hand;
    it->links.peers[2].heartbeat->as.heartbeat.slots = 5;
    struct task_job *job = tasked_submit(it, "a", 3, &wide);
    tasked_tell_both(it);
    assert_true(it->tasks.slots[2].outstanding == 2 && it->tasks.slots[3].outstanding == 1);
    assert_true(job->options.slots == 2);
    for (node_id_t id = 2; id <= 3; id++)
        while (tasked_given(it, id, &hand))
            tasked_ended(it, id, &hand, &slow);
    tasked_submit(it, "b", 100, &wider); /* more than there are: one at a time */
    assert_true(it->tasks.slots[2].outstanding == 1 && it->tasks.slots[3].outstanding == 1);
}

/* It failed on the one that has room, and the other one is busy for long. */
static void a_task_that_waits_for_another_worker_holds_up_no_others(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options retries = {.retries = 5};
    struct wire_task_hand hand, other;
    tasked_submit(it, "a", 100, &retries);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &hand) && tasked_given(it, 3, &other));
    tasked_ended(it, 2, &hand, &failed);
    uint64_t again = hand.first;
    assert_true(tasked_given(it, 2, &hand) && hand.first != again);
    tasked_ended(it, 3, &other, &slow);
    assert_true(tasked_given(it, 3, &hand) && hand.first == again && hand.attempt == 2);
}

static void what_was_not_executed_tells_nothing_of_how_long_that_takes(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options retries = {.retries = 5};
    struct wire_task_outcome unstarted = {.reason = slice_of("its inputs cannot be fetched")};
    struct wire_task_hand hand;
    tasked_submit(it, "a", 100000, &retries);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &hand));
    tasked_ended(it, 2, &hand, &unstarted);
    assert_true(it->tasks.slots[2].outstanding == 1); /* not thousands */
}

static void a_task_whose_inputs_nobody_has_for_the_moment_is_given_again_T19(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct wire_task_outcome unbegun = {.reason = slice_of("its inputs cannot be fetched"),
                                        .returned = true};
    struct wire_task_hand hand;
    for (int round = 0; round < 2; round++) { /* without retries; and at most once */
        struct task_job *job = tasked_submit(it, round ? "b" : "a", 1, round ? &once : NULL);
        if (!round)
            tasked_tell_both(it);
        node_id_t had = NODE_NONE;
        for (int times = 0; times < 12; times++) {
            node_id_t id = tasked_given(it, 2, &hand) ? 2 : 3;
            assert_true(id == 2 || tasked_given(it, 3, &hand));
            assert_true(hand.attempt == 1 && id != had);
            tasked_ended(it, id, &hand, &unbegun);
            assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand)); /* yet */
            it->step.now_us += ERROR_BACKOFF_MAX_US;
            tasked_pump(it);
            had = id;
        }
        node_id_t id = tasked_given(it, 2, &hand) ? 2 : 3;
        assert_true(id == 2 || tasked_given(it, 3, &hand));
        tasked_ended(it, id, &hand, &slow);
        tasked_log(it);
        assert_true(job->ended && job->attempts == 1 && !job->retries);
        assert_int_equal(tasked_counts(it, job).done, 1);
    }
}

static void what_does_not_fit_into_one_message_is_told_in_several(void **context)
{
    struct tasked *it = *context;
    struct message *held = message_new(MESSAGE_TASKS_HELD);
    held->as.tasks_held.term = it->step.term;
    held->as.tasks_held.more = true;
    tasked_submit(it, "a", 100, NULL);
    tasks_held(&it->tasks, 2, held);
    assert_false(it->tasks.slots[2].told);
    message_drop(&held);
    tasked_tell_both(it);
    assert_true(it->tasks.slots[2].told);
}

static void jobs_take_turns(void **context)
{
    struct tasked *it = *context;
    struct task_job *one = tasked_submit(it, "a", 100, NULL);
    struct task_job *other = tasked_submit(it, "b", 100, NULL);
    struct wire_task_hand hand;
    uint64_t n[2] = {0};
    tasked_tell_both(it);
    for (int i = 0; i < 20; i++)
        for (node_id_t id = 2; id <= TASKED_NODES; id++)
            if (tasked_given(it, id, &hand)) {
                n[hand.job == other->id]++;
                tasked_ended(it, id, &hand, &slow);
            }
    assert_true(one->id != other->id);
    assert_in_range(n[0], 18, 22);
    assert_in_range(n[1], 18, 22);
}

static void an_outcome_counts_once_whoever_tells_it_T15(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 4, NULL);
    struct wire_task_hand hand, again;
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &hand));
    tasks_worker_lost(&it->tasks, 2, false);
    it->links.peers[2].alive = false;
    tasked_pump(it);
    do {
        assert_true(tasked_given(it, 3, &again));
        if (again.first != hand.first)
            tasked_ended(it, 3, &again, &slow);
    } while (again.first != hand.first);
    assert_true(again.hand != hand.hand);
    tasked_ended(it, 2, &hand, &failed); /* late: it is no attempt of now */
    assert_int_equal(tasked_counts(it, job).failed, 0);
    tasked_ended(it, 2, &hand, &slow); /* late, but done is done */
    tasked_ended(it, 3, &again, &slow);
    tasked_ended(it, 3, &again, &failed);
    tasked_log(it);
    assert_int_equal(tasked_counts(it, job).failed, 0);
    while (!job->ended) {
        assert_int_equal(tasked_work(it, &slow) > 0, 1);
        tasked_log(it);
    }
    assert_int_equal(tasked_counts(it, job).done, 4);
    assert_int_equal(job->attempts, 4);
}

static void what_was_done_is_told_to_the_next_coordinator_and_not_done_again(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 3, NULL);
    struct wire_task_hand done, running, hand;
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &done) && tasked_given(it, 3, &running));
    tasked_ended(it, 2, &done, &slow); /* it is not in the log yet */
    tasked_next_term(it);
    assert_int_equal(job->decided.count, 0);
    tasked_ended(it, 2, &done, &slow);
    tasked_tell(it, 2, NULL);
    tasked_tell(it, 3, &running);
    assert_true(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    assert_int_equal(hand.first + done.first + running.first, 6); /* the third */
    assert_int_equal(tasked_counts(it, job).running, 2);
    tasked_ended(it, 3, &running, &slow);
    tasked_ended(it, 2, &hand, &slow);
    tasked_log(it);
    assert_true(job->ended);
    assert_int_equal(job->attempts, 3);
}

static void what_may_begin_once_begins_when_the_log_has_it_T16(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct wire_task_hand hand;
    struct task_job *job = tasked_submit(it, "a", 2, &once);
    it->holds = true;
    tasked_tell_both(it);
    assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    it->holds = false;
    tasked_pump(it);
    assert_int_equal(job->n_starts, 2);
    assert_true(tasked_given(it, 2, &hand));
    assert_true(tasked_given(it, 3, &hand));
    tasked_die(it, 3);
    tasked_log(it);
    assert_false(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    assert_int_equal(tasked_counts(it, job).lost, 1);
}

static void what_may_have_begun_is_lost_when_its_worker_started_again_T16(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct wire_task_hand one, other, hand;
    struct task_job *job = tasked_submit(it, "a", 3, &once);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &one) && tasked_given(it, 3, &other));
    it->links.peers[3].incarnation++;
    tasked_next_term(it);
    tasked_tell(it, 2, &one);
    tasked_tell(it, 3, NULL);
    tasked_log(it);
    assert_int_equal(tasked_counts(it, job).lost, 1);
    assert_true(tasked_given(it, 3, &hand));
    assert_true(hand.first != one.first && hand.first != other.first);
    tasked_ended(it, 2, &one, &slow);
    tasked_ended(it, 3, &hand, &slow);
    tasked_log(it);
    assert_true(job->ended);
    assert_int_equal(tasked_counts(it, job).done, 2);
}

/* The coordinator died between the entry and the order, say. */
static void what_its_worker_did_not_begin_is_not_lost_T16(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct wire_task_hand one, other, again;
    struct task_job *job = tasked_submit(it, "a", 2, &once);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &one) && tasked_given(it, 3, &other));
    for (int term = 0; term < 3; term++) {
        tasked_next_term(it);
        tasked_tell(it, 2, &one);
        tasked_tell(it, 3, NULL);
        tasked_log(it);
        assert_true(tasked_given(it, 3, &again) && again.first == other.first);
        assert_int_equal(job->n_starts, 2);
    }
    tasked_ended(it, 2, &one, &slow);
    tasked_ended(it, 3, &again, &slow);
    tasked_log(it);
    assert_true(job->ended && !job->n_starts);
    assert_int_equal(tasked_counts(it, job).done, 2);
}

/* What it began in the former life of its node the last start does not tell. */
static void who_may_have_begun_it_last_is_the_one_that_is_asked_T16(void **context)
{
    struct tasked *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct wire_task_hand other, again;
    struct task_job *job = tasked_submit(it, "a", 1, &once);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &other) || tasked_given(it, 3, &other));
    node_id_t first = job->starts[0].node, second = first == 2 ? 3 : 2;
    tasked_next_term(it);
    tasked_tell(it, first, NULL);
    tasked_tell(it, second, NULL);
    tasked_log(it);
    if (!tasked_given(it, second, &again))
        assert_true(tasked_given(it, first, &again));
    node_id_t last = job->starts[0].node;
    it->links.peers[last].incarnation++;
    tasked_next_term(it);
    tasked_tell(it, first, NULL);
    tasked_tell(it, second, NULL);
    tasked_log(it);
    assert_int_equal(tasked_counts(it, job).lost, 1);
    assert_true(job->ended && again.first == other.first);
}

static void absurd_outcomes_are_rejected(void **context)
{
    struct tasked *it = *context;
    struct task_job *job = tasked_submit(it, "a", 10, NULL);
    tasked_tell_both(it);
    struct wire_task_hand absurd[] = {{.job = job->id, .first = 0, .count = 1},
                                      {.job = job->id, .first = 1, .count = 0},
                                      {.job = job->id, .first = 11, .count = 1},
                                      {.job = job->id, .first = 2, .count = TASKS_MAX},
                                      {.job = job->id + 1, .first = 1, .count = 1}};
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++)
        tasked_ended(it, 2, &absurd[i], &slow);
    assert_int_equal(it->step.rejected_here, 4);
    tasked_log(it);
    tasks_check_invariants(&it->tasks);
    assert_int_equal(tasked_counts(it, job).done, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tasked_begin, tasked_end)
    const struct CMUnitTest tests[] = {
        TEST(ranges_go_out_and_come_back_as_ranges),
        TEST(nothing_goes_out_before_a_worker_has_told_what_it_has),
        TEST(a_slow_task_is_the_only_one_that_its_worker_has),
        TEST(a_worker_has_a_slow_task_for_each_of_its_slots),
        TEST(a_task_may_take_several_slots),
        TEST(a_task_that_waits_for_another_worker_holds_up_no_others),
        TEST(what_was_not_executed_tells_nothing_of_how_long_that_takes),
        TEST(a_task_whose_inputs_nobody_has_for_the_moment_is_given_again_T19),
        TEST(what_does_not_fit_into_one_message_is_told_in_several),
        TEST(jobs_take_turns),
        TEST(an_outcome_counts_once_whoever_tells_it_T15),
        TEST(what_was_done_is_told_to_the_next_coordinator_and_not_done_again),
        TEST(what_may_begin_once_begins_when_the_log_has_it_T16),
        TEST(what_may_have_begun_is_lost_when_its_worker_started_again_T16),
        TEST(what_its_worker_did_not_begin_is_not_lost_T16),
        TEST(who_may_have_begun_it_last_is_the_one_that_is_asked_T16),
        TEST(absurd_outcomes_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
