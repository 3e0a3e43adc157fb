/* Second copies of slow tasks: who gets one, what counts, and what becomes of the other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/tasks/tasks.h"
#include "shared/base/text.h"
#include "tests/harness/tasked.h"

#define SLOW_US (TASK_COPY_MIN_US + 1)

static const struct wire_task_options speculate = {.speculate = true},
                                      retries = {.speculate = true, .retries = 1};
static const struct wire_task_outcome second = {.wall_us = SECOND_US},
                                      failed = {.exit = 1, .wall_us = SECOND_US};

/* Node 2 has one task for long, and node 3 has done the other one. */
static struct task_job *straggle(struct tasked *it, const struct wire_task_options *options,
                                 struct wire_task_hand *slow)
{
    struct wire_task_hand hand;
    struct task_job *job = tasked_submit(it, "a", 2, options);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, slow) && tasked_given(it, 3, &hand));
    assert_false(slow->copy || hand.copy);
    tasked_ended(it, 3, &hand, &second);
    assert_false(tasked_given(it, 3, &hand));
    return job;
}

static struct task_job *copied(struct tasked *it, const struct wire_task_options *options,
                               struct wire_task_hand *slow, struct wire_task_hand *copy)
{
    struct task_job *job = straggle(it, options, slow);
    it->step.now_us += SLOW_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 3, copy));
    return job;
}

static void ended(struct tasked *it, node_id_t id, const struct wire_task_hand *hand,
                  struct wire_task_outcome like)
{
    like.copy = hand->copy;
    tasked_ended(it, id, hand, &like);
}

static void a_slow_task_gets_one_copy_on_another_node_T9(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy;
    struct task_job *job = straggle(it, &speculate, &slow);
    assert_true(tasks_deadline(&it->tasks) <= it->step.now_us + TASK_COPY_MIN_US);
    it->step.now_us += TASK_COPY_MIN_US - 1;
    tasked_pump(it);
    assert_false(tasked_given(it, 3, &copy));
    it->step.now_us += 1;
    tasked_pump(it);
    assert_true(tasked_given(it, 3, &copy) && copy.copy);
    assert_true(copy.first == slow.first && copy.count == 1 && copy.hand != slow.hand);
    assert_int_equal(copy.attempt, 1);
    it->step.now_us += SLOW_US;
    tasked_pump(it);
    assert_false(tasked_given(it, 2, &copy) || tasked_given(it, 3, &copy));
    struct wire_task_counts counts = tasked_counts(it, job);
    assert_true(counts.running == 1 && counts.queued == 0 && counts.copies == 1);
}

static void nothing_is_copied_without_the_option_or_while_tasks_wait(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy, hand;
    straggle(it, NULL, &slow);
    it->step.now_us += SLOW_US;
    tasked_pump(it);
    assert_false(tasked_given(it, 3, &copy));
    tasked_ended(it, 2, &slow, &second);
    tasked_submit(it, "b", 30, &speculate);
    assert_true(tasked_given(it, 2, &slow) && tasked_given(it, 3, &hand));
    for (uint64_t left = 28; left; left--) {
        it->step.now_us += 100 * MS_US;
        ended(it, 3, &hand, second);
        assert_true(tasked_given(it, 3, &hand) && !hand.copy);
    }
    it->step.now_us += SLOW_US;
    ended(it, 3, &hand, second);
    assert_true(tasked_given(it, 3, &hand) && hand.copy && hand.first == slow.first);
}

/* A task of a minute among others of a minute is not slow after three seconds. */
static void what_takes_as_long_as_others_is_not_slow(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, hand, copy;
    const struct wire_task_outcome minute = {.wall_us = 60 * SECOND_US};
    tasked_submit(it, "a", 2, &speculate);
    tasked_tell_both(it);
    assert_true(tasked_given(it, 2, &slow) && tasked_given(it, 3, &hand));
    it->step.now_us += 60 * SECOND_US;
    ended(it, 3, &hand, minute);
    assert_false(tasked_given(it, 3, &copy));
    it->step.now_us += 60 * SECOND_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 3, &copy));
}

static void the_first_that_is_done_counts_and_nobody_has_the_other_T9_T15(void **context)
{
    for (int copy_first = 0; copy_first < 2; copy_first++) {
        struct tasked *it;
        struct wire_task_hand slow, copy;
        (void)context;
        assert_int_equal(tasked_begin((void **)&it), 0);
        struct task_job *job = copied(it, &speculate, &slow, &copy);
        ended(it, copy_first ? 3 : 2, copy_first ? &copy : &slow, second);
        assert_true(it->tasks.slots[2].outstanding == 0 && it->tasks.slots[3].outstanding == 0);
        ended(it, copy_first ? 2 : 3, copy_first ? &slow : &copy, failed);
        tasked_log(it);
        assert_true(job->ended && task_job_count(job, TASK_DONE) == 2);
        assert_true(job->attempts == 2 && job->retries == 0 && job->copies == 1);
        assert_int_equal(tasked_end((void **)&it), 0);
    }
}

/* Else a node that lacks the program would spoil what another one is about to finish. */
static void a_copy_that_fails_changes_nothing_T9(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy;
    struct task_job *job = copied(it, &retries, &slow, &copy);
    ended(it, 3, &copy, failed);
    assert_true(tasked_counts(it, job).running == 1 && it->tasks.slots[3].outstanding == 0);
    it->step.now_us += 10 * SLOW_US;
    tasked_pump(it);
    assert_false(tasked_given(it, 3, &copy) || tasked_given(it, 2, &copy)); /* one is enough */
    ended(it, 2, &slow, second);
    tasked_log(it);
    assert_true(job->ended && task_job_count(job, TASK_DONE) == 2);
    assert_true(job->attempts == 2 && job->retries == 0);
}

static void the_copy_goes_on_when_the_first_fails_and_both_are_one_attempt_T9_T19(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy, again;
    struct task_job *job = copied(it, &retries, &slow, &copy);
    ended(it, 2, &slow, failed);
    assert_false(tasked_given(it, 2, &again));
    ended(it, 3, &copy, failed);
    tasked_pump(it);
    assert_true(tasked_given(it, 2, &again) || tasked_given(it, 3, &again));
    assert_true(again.attempt == 2 && !again.copy);
    ended(it, it->tasks.slots[2].outstanding ? 2 : 3, &again, second);
    tasked_log(it);
    assert_true(job->ended && task_job_count(job, TASK_DONE) == 2);
    assert_true(job->attempts == 3 && job->retries == 1);
}

static void lose(struct tasked *it, node_id_t id, bool died)
{
    it->links.peers[id].alive = false;
    tasks_worker_lost(&it->tasks, id, died);
    tasked_pump(it);
}

static void of_two_workers_one_may_be_lost(void **context)
{
    for (node_id_t lost = 2; lost <= 3; lost++) {
        struct tasked *it;
        struct wire_task_hand slow, copy, again;
        (void)context;
        assert_int_equal(tasked_begin((void **)&it), 0);
        struct task_job *job = copied(it, &speculate, &slow, &copy);
        lose(it, lost, false);
        assert_true(tasked_counts(it, job).running == 1);
        assert_false(tasked_given(it, 5 - lost, &again)); /* it has the task already */
        ended(it, 5 - lost, lost == 2 ? &copy : &slow, second);
        tasked_log(it);
        assert_true(job->ended && job->deaths == 0 && job->attempts == 2);
        assert_int_equal(tasked_end((void **)&it), 0);
    }
}

static void both_may_be_lost_and_the_task_is_free(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy, again;
    struct task_job *job = copied(it, &speculate, &slow, &copy);
    lose(it, 2, true);
    lose(it, 3, true);
    assert_true(tasked_counts(it, job).queued == 1);
    it->links.peers[2].alive = true;
    tasks_worker_met(&it->tasks, 2);
    tasked_tell(it, 2, NULL);
    assert_true(tasked_given(it, 2, &again) && again.first == slow.first && !again.copy);
}

static void a_new_coordinator_knows_both_and_makes_no_third_T9(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy, again;
    struct task_job *job = copied(it, &speculate, &slow, &copy);
    tasked_log(it);
    tasked_next_term(it);
    slow.job = copy.job = job->id;
    tasked_tell(it, 3, &copy);
    tasked_tell(it, 2, &slow);
    assert_true(it->tasks.slots[2].outstanding == 1 && it->tasks.slots[3].outstanding == 1);
    it->step.now_us += 2 * TASK_COPY_BLIND_US;
    tasked_pump(it);
    assert_false(tasked_given(it, 2, &again) || tasked_given(it, 3, &again));
    ended(it, 2, &slow, failed);
    assert_true(tasked_counts(it, job).failed == 0);
    ended(it, 3, &copy, second);
    tasked_log(it);
    assert_true(job->ended && task_job_count(job, TASK_DONE) == 2 && job->copies == 1);
}

static void a_copys_failure_that_is_told_to_a_new_coordinator_does_not_count(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy;
    struct task_job *job = copied(it, &speculate, &slow, &copy);
    tasked_log(it);
    tasked_next_term(it);
    ended(it, 3, &copy, failed); /* before 2 has told that it executes the task */
    tasked_tell(it, 3, NULL);
    tasked_tell(it, 2, &slow);
    assert_true(tasked_counts(it, job).failed == 0 && tasked_counts(it, job).running == 1);
}

/* None has ended in its term: then it takes patience. */
static void a_new_coordinator_copies_what_takes_very_long(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy;
    straggle(it, &speculate, &slow);
    tasked_log(it);
    tasked_next_term(it);
    tasked_tell(it, 3, NULL);
    tasked_tell(it, 2, &slow);
    it->step.now_us += TASK_COPY_BLIND_US - 1;
    tasked_pump(it);
    assert_false(tasked_given(it, 3, &copy));
    it->step.now_us += 1;
    tasked_pump(it);
    assert_true(tasked_given(it, 3, &copy) && copy.copy);
}

static void what_runs_twice_is_told(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand slow, copy;
    struct text out = {0};
    struct task_place place;
    const char *state;
    struct task_job *job = copied(it, &speculate, &slow, &copy);
    tasked_log(it);
    tasks_explain(&it->tasks, jobs_find(&it->state.jobs, job->id), &out);
    assert_non_null(strstr(out.at, "on node 3, too"));
    assert_non_null(strstr(out.at, "1 second copy\n"));
    struct range open = {slow.first, 1};
    assert_int_equal(tasks_alike(&it->tasks, job, open, &state, &place).count, 1);
    assert_string_equal(state, "running");
    assert_true(place.node == 2 && place.copy == 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tasked_begin, tasked_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slow_task_gets_one_copy_on_another_node_T9),
        TEST(nothing_is_copied_without_the_option_or_while_tasks_wait),
        TEST(what_takes_as_long_as_others_is_not_slow),
        TEST(the_first_that_is_done_counts_and_nobody_has_the_other_T9_T15),
        TEST(a_copy_that_fails_changes_nothing_T9),
        TEST(the_copy_goes_on_when_the_first_fails_and_both_are_one_attempt_T9_T19),
        TEST(of_two_workers_one_may_be_lost),
        TEST(both_may_be_lost_and_the_task_is_free),
        TEST(a_new_coordinator_knows_both_and_makes_no_third_T9),
        TEST(a_copys_failure_that_is_told_to_a_new_coordinator_does_not_count),
        TEST(a_new_coordinator_copies_what_takes_very_long),
        TEST(what_runs_twice_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
