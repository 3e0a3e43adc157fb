/* What tasks have left is on the coordinator's disk, and a majority's, before their outcomes count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/tasks/tasks.h"
#include "tests/harness/tasked.h"

#define NAME ((op_id_t)1 << 61)

static const struct wire_task_options options = {.bundles = true},
                                      again = {.bundles = true, .retries = 1};
static uint8_t hashes[BUNDLE_PIECES_MAX * HASH_BYTES], head[HASH_BYTES] = {1};

/* An outcome with so many bytes beside it. */
static struct wire_task_outcome left(struct wire_task_bundle *bundle, uint64_t len, uint64_t exit)
{
    uint64_t pieces = (len + BUNDLE_PIECE_BYTES - 1) / BUNDLE_PIECE_BYTES;
    *bundle = (struct wire_task_bundle){NAME, len, {hashes, pieces * HASH_BYTES}};
    return (struct wire_task_outcome){.wall_us = 1000000,
                                      .exit = exit,
                                      .out_bytes = len - 1,
                                      .out_hash = {hashes, HASH_BYTES},
                                      .out_len = len - 1,
                                      .head_len = 1,
                                      .head_hash = {head, HASH_BYTES},
                                      .bundle = {bundle, 1},
                                      .bundle_len = len};
}

/* Gives a job of one task to worker 2. */
static struct task_job *begin(struct tasked *it, const struct wire_task_options *how,
                              struct wire_task_hand *hand)
{
    struct task_job *job = tasked_submit(it, "a", 1, how);
    tasked_tell(it, 2, NULL);
    tasked_tell(it, 3, NULL);
    assert_true(tasked_given(it, 2, hand) || tasked_given(it, 3, hand));
    it->far = true;
    return job;
}

static struct value_id piece(const struct task_job *job, uint64_t n)
{
    return (struct value_id){job->id, NAME + n};
}

static node_id_t owner(const struct tasked *it)
{
    return it->tasks.slots[2].outstanding ? 2 : 3;
}

static void an_outcome_counts_when_all_that_it_left_is_on_disks(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    struct wire_task_bundle bundle;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, BUNDLE_PIECE_BYTES + 7, 0);
    tasked_ended(it, owner(it), &hand, &outcome);
    tasked_ended(it, owner(it), &hand, &outcome); /* told twice it is one */
    assert_int_equal(it->tasks.n_pulls, 1);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(tasked_counts(it, job).running, 1);
        tasks_value_failed(&it->tasks, piece(job, i)); /* it is not here yet */
        tasked_pump(it);
        assert_true(value_id_same(it->fetched, piece(job, i)));
        tasks_value_ready(&it->tasks, piece(job, i));
        tasks_value_kept(&it->tasks, piece(job, i));
        tasked_log(it);
    }
    tasked_log(it);
    assert_true(job->ended && !it->tasks.n_pulls);
    assert_int_equal(task_job_count(job, TASK_DONE), 1);
    assert_int_equal(job->n_bundles, 1);
    assert_int_equal(job->bundle_bytes, BUNDLE_PIECE_BYTES + 7);
}

static void a_worker_that_is_lost_takes_what_it_made_with_it(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand, other;
    struct wire_task_bundle bundle;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 0);
    node_id_t worker = owner(it);
    tasked_ended(it, worker, &hand, &outcome);
    tasks_worker_lost(&it->tasks, worker, false);
    tasked_pump(it);
    assert_int_equal(it->tasks.n_pulls, 0);
    assert_true(tasked_given(it, 2, &other) || tasked_given(it, 3, &other));
    assert_false(job->decided.count);
    tasks_value_kept(&it->tasks, piece(job, 0)); /* of use to nobody any more */
    tasked_log(it);
    assert_false(job->decided.count);
}

static void what_cannot_be_had_fails_its_attempt_with_the_reason(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    struct wire_task_bundle bundle;
    const struct task_exception *exception;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 0);
    tasked_ended(it, owner(it), &hand, &outcome);
    for (int i = 0; i < BUNDLE_TRIES_MAX; i++) {
        assert_false(job->decided.count);
        tasks_value_failed(&it->tasks, piece(job, 0)); /* not here */
        tasks_value_failed(&it->tasks, piece(job, 0)); /* nor there */
        it->step.now_us += BUNDLE_AGAIN_US;
        tasked_pump(it);
    }
    tasked_log(it);
    assert_int_equal(task_job_state(job, 1, &exception), TASK_FAILED);
    assert_non_null(strstr(exception->reason, "its output cannot be had from node"));
    assert_int_equal(job->n_bundles, 0);
}

static void a_disk_without_room_fails_the_attempt_and_no_more(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    struct wire_task_bundle bundle;
    const struct task_exception *exception;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 0);
    tasked_ended(it, owner(it), &hand, &outcome);
    for (int i = 0; i < BUNDLE_TRIES_MAX; i++) {
        tasks_value_failed(&it->tasks, piece(job, 0));
        tasks_value_ready(&it->tasks, piece(job, 0));
        tasks_value_failed(&it->tasks, piece(job, 0)); /* it came, and cannot be written */
        it->step.now_us += BUNDLE_AGAIN_US;
        tasked_pump(it);
    }
    tasked_log(it);
    assert_int_equal(task_job_state(job, 1, &exception), TASK_FAILED);
    assert_string_equal(exception->reason, "its output has no room on node 1");
}

/* The last attempt's is: who retries does not look at it. */
static void what_a_failed_attempt_left_is_pulled_when_it_decides(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    struct wire_task_bundle bundle;
    struct task_job *job = begin(it, &again, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 1);
    tasked_ended(it, owner(it), &hand, &outcome);
    assert_int_equal(it->tasks.n_pulls, 0);
    it->step.now_us += SECOND_US;
    tasked_pump(it);
    assert_true(tasked_given(it, 2, &hand) || tasked_given(it, 3, &hand));
    assert_int_equal(hand.attempt, 2);
    tasked_ended(it, owner(it), &hand, &outcome);
    assert_int_equal(it->tasks.n_pulls, 1);
    tasks_value_kept(&it->tasks, piece(job, 0)); /* it is here already */
    tasked_log(it);
    assert_int_equal(task_job_count(job, TASK_FAILED), 1);
    assert_int_equal(job->n_bundles, 1);
}

static void what_a_worker_says_of_it_is_checked(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand;
    struct wire_task_bundle bundle;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 0);
    bundle.hashes.len--;
    tasked_ended(it, owner(it), &hand, &outcome);
    bundle.hashes.len++;
    outcome.bundle_len++;
    tasked_ended(it, owner(it), &hand, &outcome);
    assert_int_equal(it->tasks.n_pulls, 0);
    assert_false(job->decided.count);
    outcome.bundle_len--;
    outcome.out_len = UINT64_MAX; /* more than it has: the task is done, and has no such output */
    tasked_ended(it, owner(it), &hand, &outcome);
    tasks_value_kept(&it->tasks, piece(job, 0));
    tasked_log(it);
    assert_int_equal(task_job_count(job, TASK_DONE), 1);
}

static void a_later_coordinator_hears_of_it_again(void **context)
{
    struct tasked *it = *context;
    struct wire_task_hand hand, other;
    struct wire_task_bundle bundle;
    struct task_job *job = begin(it, &options, &hand);
    struct wire_task_outcome outcome = left(&bundle, 100000, 0);
    node_id_t worker = owner(it);
    tasked_ended(it, worker, &hand, &outcome);
    tasked_next_term(it);
    assert_int_equal(it->tasks.n_pulls, 0);
    tasked_ended(it, worker, &hand, &outcome);
    tasked_tell(it, 2, NULL);
    tasked_tell(it, 3, NULL);
    assert_int_equal(it->tasks.n_pulls, 1);
    assert_false(tasked_given(it, 2, &other) ||
                 tasked_given(it, 3, &other)); /* nobody repeats it */
    tasks_value_kept(&it->tasks, piece(job, 0));
    tasked_log(it);
    assert_int_equal(task_job_count(job, TASK_DONE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_outcome_counts_when_all_that_it_left_is_on_disks,
                                        tasked_begin, tasked_end),
        cmocka_unit_test_setup_teardown(a_worker_that_is_lost_takes_what_it_made_with_it,
                                        tasked_begin, tasked_end),
        cmocka_unit_test_setup_teardown(what_cannot_be_had_fails_its_attempt_with_the_reason,
                                        tasked_begin, tasked_end),
        cmocka_unit_test_setup_teardown(a_disk_without_room_fails_the_attempt_and_no_more,
                                        tasked_begin, tasked_end),
        cmocka_unit_test_setup_teardown(what_a_failed_attempt_left_is_pulled_when_it_decides,
                                        tasked_begin, tasked_end),
        cmocka_unit_test_setup_teardown(what_a_worker_says_of_it_is_checked, tasked_begin,
                                        tasked_end),
        cmocka_unit_test_setup_teardown(a_later_coordinator_hears_of_it_again, tasked_begin,
                                        tasked_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
