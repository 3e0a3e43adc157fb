/* The worker's room of tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/runner/runner.h"
#include "tests/harness/running.h"
#include "tests/harness/task_entries.h"

/* The node is its own coordinator, so that what it tells is at hand. */
static void apply(struct running *it, struct message *entry)
{
    task_entry_apply(&it->state, TERM, entry);
    it->raft.log.applied = it->state.applied;
    runner_pump(&it->runner);
    runner_check_invariants(&it->runner);
}

static int begin(void **context)
{
    struct running *it = running_new(SELF, SELF);
    it->step.wall_ms = 1234;
    apply(it, task_entry_submitted("a", 1000, NULL, JOB_NONE));
    it->job = it->state.task_jobs.at[0]->id;
    *context = it;
    return 0;
}

static void give(struct running *it, uint64_t hand, uint64_t first, uint64_t count)
{
    struct message *message = message_new(MESSAGE_TASKS_GIVEN);
    struct wire_tasks_given *given = &message->as.tasks_given;
    given->kind = slice_of("empty");
    given->hands.n = 1;
    given->hands.at = message_room(message, 1, sizeof *given->hands.at);
    given->hands.at[0] = (struct wire_task_hand){it->job, hand, first, count, 1, false};
    runner_given(&it->runner, message);
    message_drop(&message);
    running_pump(it);
}

/* How many tasks the node tells itself to have ended; and, at the end, how many it executes. */
static uint64_t told(struct running *it, uint64_t *running)
{
    uint64_t n = 0;
    for (struct message *own; (own = runner_take_own(&it->runner)); message_drop(&own)) {
        if (own->type == MESSAGE_TASKS_HELD)
            *running = own->as.tasks_held.running.n;
        else
            for (size_t i = 0; i < own->as.tasks_ended.outcomes.n; i++)
                n += own->as.tasks_ended.outcomes.at[i].count;
    }
    return n;
}

static uint64_t told_when_asked(struct running *it, uint64_t *running)
{
    runner_asked(&it->runner, SELF);
    return told(it, running);
}

static size_t count(const struct running *it, enum output_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < it->step.out.n; i++)
        n += it->step.out.at[i].kind == kind;
    return n;
}

static void tasks_that_do_nothing_are_done_at_once(void **context)
{
    struct running *it = *context;
    give(it, 1, 1, 1000);
    assert_int_equal(told(it, NULL), 1000);
    assert_int_equal(it->runner.queued, 0);
    assert_int_equal(count(it, OUTPUT_TASK), 0);
}

static void what_ended_is_told_to_whoever_asks_until_the_log_has_it(void **context)
{
    struct running *it = *context;
    uint64_t running;
    give(it, 1, 1, 100);
    give(it, 2, 101, 100);
    assert_int_equal(told(it, &running), 200);
    runner_reset(&it->runner, TERM + 1);
    assert_int_equal(told_when_asked(it, &running), 200);
    apply(it, task_entry_ended(it->job, (struct range){1, 150}, "done", 0));
    assert_int_equal(told_when_asked(it, &running), 100); /* half of it is not there yet */
    apply(it, task_entry_ended(it->job, (struct range){151, 50}, "done", 0));
    assert_int_equal(told_when_asked(it, &running), 0);
    assert_int_equal(it->runner.n_kept, 0);
}

/* Between two coordinators, or without a connection, there is nobody to tell. */
static void what_cannot_be_told_is_told_later(void **context)
{
    struct running *it = *context;
    uint64_t running;
    it->step.coordinator = NODE_NONE;
    give(it, 1, 1, 100);
    assert_int_equal(told(it, &running), 0);
    it->step.coordinator = SELF;
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 100);
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 0);
    runner_check_invariants(&it->runner);
}

/* Each of them while others wait here; all when there are enough, or after a while, or at the end.
 */
static void outcomes_share_a_message_while_more_is_to_be_executed(void **context)
{
    struct running *it = *context;
    uint64_t running;
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 7);
    uint64_t of_a_time[] = {0, 0, 0, 4, 0, 2, 1}; /* nothing waits after the last */
    for (uint64_t task = 1; task <= 7; task++) {
        struct task_result result = {.job = it->job, .hand = 1, .first = task, .count = 1};
        runner_results(&it->runner, &result, 1);
        runner_pump(&it->runner);
        assert_int_equal(told(it, &running), of_a_time[task - 1]);
        runner_check_invariants(&it->runner);
    }
    give(it, 2, 8, 3);
    struct task_result result = {.job = it->job, .hand = 2, .first = 8, .count = 1};
    runner_results(&it->runner, &result, 1);
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 0);
    it->step.now_us = runner_deadline(&it->runner);
    assert_true(it->step.now_us < SECOND_US);
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 1);
    assert_int_equal(runner_deadline(&it->runner), UINT64_MAX);
}

static void what_is_executed_goes_on_and_what_waits_does_not_when_the_term_ends(void **context)
{
    struct running *it = *context;
    uint64_t running = 0;
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 3);
    assert_int_equal(count(it, OUTPUT_TASK), 1);
    runner_reset(&it->runner, TERM + 1);
    assert_int_equal(it->runner.queued, 0);
    assert_int_equal(told_when_asked(it, &running), 0);
    assert_int_equal(running, 1);
    struct task_result result = {.job = it->job, .hand = 1, .first = 1, .count = 1};
    runner_results(&it->runner, &result, 1);
    runner_results(&it->runner, &result, 1); /* it is no attempt of ours any more */
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 1);
    runner_check_invariants(&it->runner);
}

static void the_end_of_a_job_in_the_log_ends_its_tasks_here(void **context)
{
    struct running *it = *context;
    uint64_t running = 9;
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 3);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = it->job;
    apply(it, entry);
    assert_int_equal(count(it, OUTPUT_TASK_CANCEL), 1);
    assert_int_equal(it->runner.queued, 0);
    assert_int_equal(told_when_asked(it, &running), 0);
    assert_int_equal(running, 0);
    struct task_result result = {.job = it->job, .hand = 1, .first = 1, .count = 1, .signal = 15};
    runner_results(&it->runner, &result, 1);
    runner_pump(&it->runner);
    assert_int_equal(told(it, &running), 0);
    assert_int_equal(it->runner.n_executing, 0);
}

/* Another node had a copy of them. */
static void what_has_an_outcome_is_executed_no_more_T9(void **context)
{
    struct running *it = *context;
    uint64_t running = 9;
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 3);
    apply(it, task_entry_ended(it->job, (struct range){1, 2}, "done", 0));
    assert_int_equal(count(it, OUTPUT_TASK_CANCEL), 1);
    struct task_result result = {.job = it->job, .hand = 1, .first = 1, .count = 1};
    runner_results(&it->runner, &result, 1); /* it was too late for that */
    runner_pump(&it->runner);
    assert_int_equal(told_when_asked(it, &running), 0);
    assert_true(running == 1 && it->runner.executing[0].order.task == 3);
}

static void outputs_come_along_with_their_hashes_T17(void **context)
{
    struct running *it = *context;
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 1);
    struct blob *text = blob_copy("hello\n", 6);
    struct task_result result = {.job = it->job,
                                 .hand = 1,
                                 .first = 1,
                                 .count = 1,
                                 .exit = 2,
                                 .out_bytes = 900,
                                 .out_hash = {1, 2},
                                 .out = text};
    runner_results(&it->runner, &result, 1);
    runner_pump(&it->runner);
    blob_drop(&text);
    struct message *own = runner_take_own(&it->runner);
    const struct wire_task_outcome *outcome = &own->as.tasks_ended.outcomes.at[0];
    assert_int_equal(outcome->out_bytes, 900);
    assert_int_equal(message_frame(own, outcome->out_frame)->len, 6);
    assert_int_equal(outcome->out_hash.at[1], 2);
    assert_int_equal(outcome->exit, 2);
    assert_null(message_frame(own, outcome->err_frame));
    message_drop(&own);
}

/* A task has ended with so many values beside its outcome. */
static struct message *left(struct running *it, size_t n, uint64_t len)
{
    struct task_piece pieces[2] = {{blob_copy("a", 1), {1}}, {blob_copy("b", 1), {2}}};
    struct task_result result = {.job = it->job,
                                 .hand = 1,
                                 .first = 1,
                                 .count = 1,
                                 .pieces = pieces,
                                 .n_pieces = n,
                                 .bundle_len = len,
                                 .files = 1};
    it->step.config.tasks_execute = true;
    give(it, 1, 1, 1);
    runner_results(&it->runner, &result, 1);
    runner_pump(&it->runner);
    blob_drop(&pieces[0].bytes);
    blob_drop(&pieces[1].bytes);
    return runner_take_own(&it->runner);
}

static struct value_id kept(const struct running *it)
{
    for (size_t i = it->step.out.n; i-- > 0;)
        if (it->step.out.at[i].kind == OUTPUT_KEEP)
            return it->step.out.at[i].keep.id;
    return (struct value_id){0};
}

static void what_a_task_left_is_on_disk_before_it_is_told(void **context)
{
    struct running *it = *context;
    uint64_t running = 0;
    assert_null(left(it, 2, BUNDLE_PIECE_BYTES + 1));
    struct value_id first = kept(it);
    assert_int_equal(first.job, it->job);
    assert_int_equal(told_when_asked(it, &running), 0); /* for the coordinator it goes on */
    assert_int_equal(running, 1);
    runner_value_kept(&it->runner, first);
    runner_pump(&it->runner);
    assert_null(runner_take_own(&it->runner));
    assert_int_equal(kept(it).op, first.op + 1);
    runner_value_kept(&it->runner, kept(it));
    runner_pump(&it->runner);
    struct message *own = runner_take_own(&it->runner);
    const struct wire_task_bundle *bundle = &own->as.tasks_ended.outcomes.at[0].bundle.at[0];
    assert_true(bundle->op == first.op && bundle->len == BUNDLE_PIECE_BYTES + 1);
    assert_true(bundle->hashes.len == 2 * HASH_BYTES && bundle->hashes.at[HASH_BYTES] == 2);
    message_drop(&own);
}

static void a_full_disk_is_why_its_attempt_failed(void **context)
{
    struct running *it = *context;
    assert_null(left(it, 2, BUNDLE_PIECE_BYTES + 1));
    runner_value_failed(&it->runner, kept(it));
    runner_pump(&it->runner);
    struct message *own = runner_take_own(&it->runner);
    const struct wire_task_outcome *outcome = &own->as.tasks_ended.outcomes.at[0];
    assert_true(slice_equals(outcome->reason, "disk full: no room for its output"));
    assert_true(!outcome->bundle.n && !outcome->bundle_len && !outcome->files);
    message_drop(&own);
}

static void what_is_short_rides_along(void **context)
{
    struct running *it = *context;
    struct message *own = left(it, 1, 1);
    const struct wire_task_outcome *outcome = &own->as.tasks_ended.outcomes.at[0];
    assert_int_equal(message_frame(own, outcome->bundle_frame)->len, 1);
    assert_true(!outcome->bundle.n && outcome->bundle_len == 1 && outcome->files == 1);
    assert_int_equal(count(it, OUTPUT_KEEP), 0);
    message_drop(&own);
}

static void a_queue_has_a_bound(void **context)
{
    struct running *it = *context;
    it->step.config.tasks_execute = true;
    for (uint64_t i = 0; i < 2 * TASK_WORKS_MAX; i++)
        give(it, i, 1, 10);
    assert_int_equal(it->runner.n_works, TASK_WORKS_MAX);
    give(it, 1, 0, 1);
    give(it, 1, 1, 0);
    assert_int_equal(it->runner.n_works, TASK_WORKS_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, running_end)
    const struct CMUnitTest tests[] = {
        TEST(tasks_that_do_nothing_are_done_at_once),
        TEST(what_ended_is_told_to_whoever_asks_until_the_log_has_it),
        TEST(what_cannot_be_told_is_told_later),
        TEST(outcomes_share_a_message_while_more_is_to_be_executed),
        TEST(what_is_executed_goes_on_and_what_waits_does_not_when_the_term_ends),
        TEST(the_end_of_a_job_in_the_log_ends_its_tasks_here),
        TEST(what_has_an_outcome_is_executed_no_more_T9),
        TEST(outputs_come_along_with_their_hashes_T17),
        TEST(what_a_task_left_is_on_disk_before_it_is_told),
        TEST(a_full_disk_is_why_its_attempt_failed),
        TEST(what_is_short_rides_along),
        TEST(a_queue_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
