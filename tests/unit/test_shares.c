/* Who gets a worker's slots, operations or tasks: shares.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/link/link.h"
#include "nodes/core/schedule/shares.h"

#define WORKER 2

static struct links links;
static struct schedule schedule;

/* So many slots, for operations and commands together; 0: as a node that was told nothing. */
static void set_up(uint64_t slots, size_t operation_jobs, size_t task_jobs)
{
    struct message *heartbeat = message_new(MESSAGE_HEARTBEAT);
    heartbeat->as.heartbeat.operation_slots = slots;
    heartbeat->as.heartbeat.slots = slots ? slots : 4;
    message_drop(&links.peers[WORKER].heartbeat);
    links.peers[WORKER].heartbeat = heartbeat;
    schedule = (struct schedule){.links = &links, .n_active = operation_jobs};
    schedule.task_jobs = task_jobs;
    schedule.wants = operation_jobs > 0;
    schedule.tasks_want = task_jobs > 0;
}

static int tear_down(void **state)
{
    (void)state;
    message_drop(&links.peers[WORKER].heartbeat);
    return 0;
}

static void expect(uint64_t operations, uint64_t tasks)
{
    uint64_t slots = links.peers[WORKER].heartbeat->as.heartbeat.slots;
    assert_int_equal(shares_of_operations(&schedule, WORKER), operations);
    assert_int_equal(schedule_slots_for_tasks(&schedule, WORKER, slots), tasks);
}

static void a_node_that_was_told_nothing_has_one_operation_beside_its_commands(void **state)
{
    (void)state;
    set_up(0, 1, 1);
    schedule.slots[WORKER].tasks = 4;
    schedule.slots[WORKER].outstanding = 1;
    expect(1, 4);
}

static void who_is_alone_has_all_slots(void **state)
{
    (void)state;
    set_up(3, 1, 0);
    assert_int_equal(shares_of_operations(&schedule, WORKER), 3);
    set_up(3, 0, 1);
    assert_int_equal(schedule_slots_for_tasks(&schedule, WORKER, 3), 3);
}

static void jobs_of_both_sorts_have_shares_by_their_numbers(void **state)
{
    (void)state;
    set_up(4, 1, 1);
    expect(2, 2);
    set_up(4, 3, 1);
    expect(3, 1);
    set_up(4, 1, 9);
    expect(1, 3);
    set_up(4, 9, 1);
    expect(3, 1);
}

static void what_one_sort_does_not_want_the_other_has(void **state)
{
    (void)state;
    set_up(4, 1, 1);
    schedule.tasks_want = false;
    schedule.slots[WORKER].tasks = 1; /* they have all handed out */
    expect(3, 2);
    set_up(4, 1, 1);
    schedule.wants = false;
    schedule.slots[WORKER].outstanding = 1;
    expect(2, 3);
}

/* They are not taken away: who has more than its share gets no more until they end. */
static void what_is_executed_counts(void **state)
{
    (void)state;
    set_up(4, 1, 1);
    schedule.slots[WORKER].tasks = 3;
    expect(1, 2);
    schedule.slots[WORKER].tasks = 4;
    expect(0, 2);
}

static void a_single_slot_goes_to_both_in_turn(void **state)
{
    (void)state;
    set_up(1, 1, 1);
    expect(0, 1);
    schedule.slots[WORKER].tasks_last = true;
    expect(1, 0);
    schedule.slots[WORKER].tasks = 1;
    expect(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_was_told_nothing_has_one_operation_beside_its_commands),
        cmocka_unit_test(who_is_alone_has_all_slots),
        cmocka_unit_test(jobs_of_both_sorts_have_shares_by_their_numbers),
        cmocka_unit_test(what_one_sort_does_not_want_the_other_has),
        cmocka_unit_test(what_is_executed_counts),
        cmocka_unit_test(a_single_slot_goes_to_both_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
