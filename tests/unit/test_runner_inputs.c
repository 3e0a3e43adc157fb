/* The worker's room of tasks: the segments of stored values that tasks need, and slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/text.h"
#include "tests/harness/running.h"

static void assert_fetches(struct running *it, uint64_t segment, node_id_t from)
{
    const struct output *output = running_next(it, OUTPUT_FETCH);
    assert_non_null(output);
    assert_true(output->fetch.user == USER_RUNNER && output->fetch.id.job == it->value);
    assert_true(output->fetch.id.op == stored_op(TERM, segment) && output->fetch.from == from);
}

static void arrives(struct running *it, uint64_t segment)
{
    runner_value_ready(&it->runner, (struct value_id){it->value, stored_op(TERM, segment)}, NULL);
    running_pump(it);
}

static void fails(struct running *it, uint64_t segment)
{
    runner_value_failed(&it->runner, (struct value_id){it->value, stored_op(TERM, segment)});
    running_pump(it);
}

static void an_attempt_begins_when_its_segments_are_there(void **context)
{
    struct running *it = *context;
    running_submit(it);
    running_give(it, it->job, 4,
                 2); /* records 4 and 5: the last of one segment, the first of another */
    assert_fetches(it, 1, COORDINATOR);
    assert_null(running_next(it, OUTPUT_TASK));
    it->seen = 0;
    arrives(it, 1);
    const struct output *task = running_next(it, OUTPUT_TASK);
    assert_non_null(task);
    assert_true(task->task.task == 4 && task->task.place == 4);
    assert_true(task->task.spec.job == it->value && task->task.spec.op == stored_op(TERM, 1));
    assert_true(value_id_same(task->task.spec, task->task.record));
    assert_fetches(it, 2, COORDINATOR); /* while that one is executed */
    arrives(it, 2);
    assert_null(running_next(it, OUTPUT_TASK)); /* there is one slot */
    it->seen = it->step.out.n;
    running_ends(it, 4, 4);
    task = running_next(it, OUTPUT_TASK);
    assert_true(task && task->task.task == 5 && task->task.place == 0);
    assert_true(task->task.record.op == stored_op(TERM, 2));
}

/* The last of the queue goes while none before it can begin. */
static void what_lacks_its_inputs_ends_behind_one_that_waits_for_a_slot(void **context)
{
    struct running *it = *context;
    running_submit(it);
    running_give(it, it->job, 1, 2);
    arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 1);
    running_give(it, it->job, 5, 1);
    fails(it, 2);
    fails(it, 2);
    assert_true(it->runner.n_kept == 1 && it->runner.kept->result.returned);
    assert_int_equal(it->runner.queued, 1);
    running_ends(it, 1, 1);
    assert_true(it->runner.n_executing == 1 && !it->runner.queued);
}

static void another_source_is_asked_and_at_the_end_one_attempt_has_a_reason(void **context)
{
    struct running *it = *context;
    running_submit(it);
    running_give(it, it->job, 1, 2);
    assert_fetches(it, 1, COORDINATOR);
    fails(it, 1);
    assert_fetches(it, 1, 3); /* the other voter that lives */
    assert_null(it->runner.kept);
    fails(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
    assert_string_equal(it->runner.kept->result.reason, "its inputs cannot be fetched");
    assert_true(it->runner.kept->result.first == 1 && it->runner.kept->result.count == 1);
    assert_true(it->runner.kept->result.returned);
    assert_int_equal(it->runner.queued, 1);
    assert_fetches(it, 1, COORDINATOR); /* the next attempt tries again */
    arrives(it, 1);
    it->seen = 0;
    assert_true(running_next(it, OUTPUT_TASK)->task.task == 2);
}

static void without_another_voter_the_coordinator_alone_is_asked(void **context)
{
    struct running *it = *context;
    running_submit(it);
    it->links.peers[3].alive = false;
    running_give(it, it->job, 1, 1);
    fails(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
    assert_int_equal(it->runner.n_inputs, 0);
    fails(it, 1); /* nobody waits for it any more */
    arrives(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
}

static void a_node_executes_as_many_as_it_has_slots(void **context)
{
    struct running *it = *context;
    running_submit(it);
    it->step.config.slots = 3;
    running_give(it, it->job, 1, 4);
    arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 3);
    assert_int_equal(it->runner.queued, 1);
    running_ends(it, 1, 2);
    assert_int_equal(it->runner.n_executing, 3);
    assert_int_equal(it->runner.queued, 0);
}

static void give_slots(struct running *it, uint64_t first, uint64_t count, uint64_t slots)
{
    struct message *message = message_new(MESSAGE_TASKS_GIVEN);
    struct wire_tasks_given *given = &message->as.tasks_given;
    given->kind = slice_of("map");
    given->slots = slots;
    given->hands.n = 1;
    given->hands.at = message_room(message, 1, sizeof *given->hands.at);
    given->hands.at[0] = (struct wire_task_hand){it->job, first, first, count, 1, false};
    runner_given(&it->runner, message);
    message_drop(&message);
    running_pump(it);
}

static void a_task_takes_so_many_slots_and_nothing_passes_one_that_waits_for_them(void **context)
{
    struct running *it = *context;
    running_submit(it);
    it->step.config.slots = 4;
    give_slots(it, 1, 1, 3);
    arrives(it, 1);
    give_slots(it, 2, 1, 2); /* waits */
    give_slots(it, 3, 1, 1); /* has room, and waits behind it */
    assert_int_equal(it->runner.n_executing, 1);
    running_ends(it, 1, 1);
    assert_int_equal(it->runner.n_executing, 2);
    give_slots(it, 4, 1, 100); /* more than there are: alone */
    assert_int_equal(it->runner.n_executing, 2);
    running_ends(it, 2, 2);
    assert_int_equal(it->runner.n_executing, 1);
    running_ends(it, 3, 3);
    assert_true(it->runner.n_executing == 1 && it->runner.executing[0].order.task == 4);
    running_ends(it, 4, 4);
    assert_true(it->runner.slots_taken == 0 && it->runner.queued == 0);
}

static void few_segments_are_held_and_all_tasks_are_executed(void **context)
{
    struct running *it = *context;
    uint64_t executed = 0;
    running_submit(it);
    for (uint64_t i = 0; i < SEGMENTS; i++) /* one of each, and backwards */
        running_give(it, it->job, (SEGMENTS - 1 - i) * ITEMS + 1, 1);
    for (unsigned round = 0; round < 20 * SEGMENTS && executed < SEGMENTS; round++) {
        for (const struct output *output; (output = running_next(it, OUTPUT_FETCH));) {
            runner_value_ready(&it->runner, output->fetch.id, NULL);
            if (round % 3)
                break; /* some come one after another */
        }
        running_pump(it);
        assert_true(it->runner.n_inputs - it->runner.n_files <= INPUTS_HELD_MAX);
        while (it->runner.n_executing) {
            struct task_order order = it->runner.executing[0].order;
            assert_true(order.record.op == stored_op(TERM, 1 + order.task / ITEMS));
            assert_true(order.place == order.task % ITEMS);
            running_ends(it, order.hand, order.task);
            executed++;
        }
    }
    assert_true(executed == SEGMENTS);
}

static void what_a_job_needed_goes_with_it(void **context)
{
    struct running *it = *context;
    running_submit(it);
    running_give(it, it->job, 1, 10);
    arrives(it, 1);
    assert_int_equal(it->runner.n_inputs, 1);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = it->job;
    running_apply(it, entry);
    it->seen = it->step.out.n;
    running_pump(it);
    const struct output *drop = running_next(it, OUTPUT_DROP);
    assert_true(drop && drop->drop.user == USER_RUNNER && drop->drop.id.job == it->value);
    assert_int_equal(it->runner.n_inputs, 0);
}

/* The log may come after the tasks. */
static void a_job_that_the_log_does_not_tell_of_yet_waits(void **context)
{
    struct running *it = *context;
    job_id_t job = (job_id_t)TERM << JOB_INDEX_BITS | (it->state.applied + 1);
    running_give(it, job, 1, 1);
    assert_null(running_next(it, OUTPUT_FETCH));
    assert_int_equal(it->runner.queued, 1);
    running_submit(it);
    assert_true(it->job == job);
    running_pump(it);
    assert_fetches(it, 1, COORDINATOR);
}

static void more_is_executed_than_one_message_tells(void **context)
{
    struct running *it = *context;
    size_t told = 0, messages = 0;
    running_submit(it);
    it->step.config.slots = 99;
    it->step.coordinator = SELF; /* so that what it tells is at hand */
    running_give(it, it->job, 1, 99);
    assert_int_equal(it->runner.n_inputs, 1);
    for (uint64_t i = 1; i <= SEGMENTS; i++)
        arrives(it, i);
    assert_int_equal(it->runner.n_executing, 99);
    runner_asked(&it->runner, SELF);
    bool more = true;
    for (struct message *own; (own = runner_take_own(&it->runner)); message_drop(&own)) {
        assert_true(more && own->as.tasks_held.running.n <= TASK_HANDS_MAX);
        told += own->as.tasks_held.running.n;
        more = own->as.tasks_held.more;
        messages++;
    }
    assert_true(told == 99 && messages == 2 && !more);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, running_begin, running_end)
    const struct CMUnitTest tests[] = {
        TEST(an_attempt_begins_when_its_segments_are_there),
        TEST(what_lacks_its_inputs_ends_behind_one_that_waits_for_a_slot),
        TEST(another_source_is_asked_and_at_the_end_one_attempt_has_a_reason),
        TEST(without_another_voter_the_coordinator_alone_is_asked),
        TEST(a_node_executes_as_many_as_it_has_slots),
        TEST(a_task_takes_so_many_slots_and_nothing_passes_one_that_waits_for_them),
        TEST(few_segments_are_held_and_all_tasks_are_executed),
        TEST(what_a_job_needed_goes_with_it),
        TEST(a_job_that_the_log_does_not_tell_of_yet_waits),
        TEST(more_is_executed_than_one_message_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
