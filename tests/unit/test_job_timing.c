/* Which phase a job is in, from what its coordinator knows (job_timing.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/schedule/schedule.h"
#include "shared/base/random.h"
#include "tests/harness/scheduled.h"

static void pass(struct scheduled *it, uint64_t ms)
{
    it->step.now_us += ms * MS_US;
    it->step.wall_ms += ms;
}

static uint64_t ms_in(const struct scheduled *it, enum phase phase)
{
    struct timing timing;
    assert_true(schedule_timing(&it->schedule, it->job, &timing));
    return timing.us[phase] / MS_US;
}

static uint64_t ms_in_all(const struct scheduled *it)
{
    struct timing timing;
    assert_true(schedule_timing(&it->schedule, it->job, &timing));
    return timing_total(&timing, timing.at_us) / MS_US;
}

/* Who has an operation, when only one is handed out. */
static node_id_t holder(const struct scheduled *it)
{
    return it->schedule.slots[2].outstanding ? 2 : 3;
}

static void beat(struct scheduled *it, node_id_t id, op_id_t executing)
{
    struct message *heartbeat = message_new(MESSAGE_HEARTBEAT);
    heartbeat->as.heartbeat.term = it->step.term;
    heartbeat->as.heartbeat.coordinator = it->step.coordinator;
    heartbeat->as.heartbeat.executing_job = executing ? it->job->id : JOB_NONE;
    heartbeat->as.heartbeat.executing_op = executing;
    message_drop(&it->links.peers[id].heartbeat);
    it->links.peers[id].heartbeat = heartbeat;
    schedule_heartbeat(&it->schedule, id);
    scheduled_pump(it);
}

static void the_time_of_a_small_job_is_computing_converting_and_announcing(void **context)
{
    struct scheduled *it = *context;
    pass(it, 10);
    for (op_id_t op = 1; op <= 4; op++) {
        scheduled_give_back(it, holder(it), op, 1);
        pass(it, 2);
    }
    assert_int_equal(ms_in(it, PHASE_COMPUTING), 16);
    assert_int_equal(ms_in(it, PHASE_CONVERTING), 2);
    op_id_t text = job_text_op(it->job);
    scheduled_give_back(it, holder(it), text, 1);
    pass(it, 30); /* the last entry is on its way */
    assert_int_equal(ms_in(it, PHASE_ANNOUNCING), 30);
    scheduled_apply(it);
    pass(it, 1000); /* it is over */
    assert_int_equal(it->job->state, JOB_DONE);
    assert_int_equal(ms_in(it, PHASE_COMPUTING), 16);
    assert_int_equal(ms_in(it, PHASE_CONVERTING), 2);
    assert_int_equal(ms_in(it, PHASE_ANNOUNCING), 30);
    assert_int_equal(ms_in_all(it), 48);
}

/* Values that are too large to ride along. */
static void values_that_move_and_are_kept_take_time_of_their_own(void **context)
{
    struct scheduled *it = *context;
    for (op_id_t op = 1; op <= 3; op++) {
        pass(it, 10);
        scheduled_give(it, 2 + op % 2, op, 1, 900);
    }
    node_id_t worker = holder(it);
    pass(it, 20); /* its operands are on their way */
    assert_int_equal(ms_in(it, PHASE_MOVING), 20);
    beat(it, worker, 4);
    pass(it, 5);
    assert_int_equal(ms_in(it, PHASE_MOVING), 20);
    assert_int_equal(ms_in(it, PHASE_COMPUTING), 35);
    scheduled_give(it, worker, 4, 2, 900);
    op_id_t text = job_text_op(it->job);
    worker = holder(it);
    beat(it, worker, text);
    pass(it, 7);
    scheduled_give(it, worker, text, 2, 2000);
    pass(it, 40); /* to the coordinator */
    assert_int_equal(ms_in(it, PHASE_MOVING), 60);
    schedule_value_ready(&it->schedule, (struct value_id){it->job->id, text});
    scheduled_pump(it);
    pass(it, 50);
    schedule_value_kept(&it->schedule, (struct value_id){it->job->id, text});
    scheduled_pump(it);
    pass(it, 6); /* until another disk has it, too */
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++)
        offers_held(&it->raft, id, &(struct wire_value_held){it->step.term, it->job->id, text});
    scheduled_pump(it);
    pass(it, 3);
    scheduled_apply(it);
    assert_int_equal(ms_in(it, PHASE_CONVERTING), 7);
    assert_int_equal(ms_in(it, PHASE_KEEPING), 56);
    assert_int_equal(ms_in(it, PHASE_ANNOUNCING), 3);
    assert_int_equal(ms_in_all(it), 30 + 20 + 5 + 40 + 7 + 56 + 3);
}

/* No heartbeat names what is over within 50 ms: the result says how long it took. */
static void what_is_executed_between_two_heartbeats_is_no_move(void **context)
{
    struct scheduled *it = *context;
    for (op_id_t op = 1; op <= 3; op++) {
        scheduled_give(it, 2 + op % 2, op, 1, 900);
    }
    pass(it, 20);
    scheduled_give(it, holder(it), 4, 2, 0); /* 1 ms of it */
    assert_int_equal(ms_in(it, PHASE_MOVING), 19);
    assert_int_equal(ms_in(it, PHASE_COMPUTING), 1);
}

static void without_workers_a_job_waits(void **context)
{
    struct scheduled *it = *context;
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++) {
        it->links.peers[id].alive = false;
        schedule_worker_lost(&it->schedule, id, false);
    }
    scheduled_pump(it);
    pass(it, 100);
    assert_int_equal(ms_in(it, PHASE_WAITING), 100);
    assert_int_equal(ms_in_all(it), 100);
}

static void a_new_coordinator_says_since_when_it_knows(void **context)
{
    struct scheduled *it = *context;
    struct timing timing;
    pass(it, 500);
    schedule_stop(&it->schedule);
    it->step.term++;
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++)
        it->links.peers[id].heartbeat->as.heartbeat.term = it->step.term; /* they follow */
    pass(it, 300);
    schedule_start(&it->schedule);
    scheduled_pump(it);
    pass(it, 40);
    assert_true(schedule_timing(&it->schedule, it->job, &timing));
    assert_int_equal(timing.since_ms, it->step.wall_ms - 40);
    assert_int_equal(timing.us[PHASE_EARLIER], 800 * MS_US);
    assert_int_equal(timing.us[PHASE_COMPUTING], 40 * MS_US);
}

static void what_another_coordinator_ended_is_not_known(void **context)
{
    struct scheduled *it = *context;
    struct timing timing;
    it->raft.election.serving = false;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = it->job->id;
    schedule_stop(&it->schedule);
    raft_log_propose(&it->raft, entry);
    scheduled_apply(it);
    it->raft.election.serving = true;
    schedule_start(&it->schedule);
    assert_false(schedule_timing(&it->schedule, it->job, &timing));
}

/* One thing that may happen to a job of two workers, in any order. */
static void anything_happens(struct scheduled *it, uint64_t *random)
{
    node_id_t id = 2 + (node_id_t)random_below(random, 2);
    op_id_t op = 1 + random_below(random, job_text_op(it->job));
    struct value_id value = {it->job->id, op};
    switch (random_below(random, 9)) {
    case 0:
        schedule_worker_lost(&it->schedule, id, false);
        break;
    case 1:
        it->links.peers[id].alive = !it->links.peers[id].alive;
        break;
    case 2:
        beat(it, id, op);
        break;
    case 3:
        schedule_value_failed(&it->schedule, value);
        break;
    case 4:
    case 5:
        value.op = 1 + random_below(random, job_text_op(it->job));
        schedule_value_ready(&it->schedule, value);
        schedule_value_kept(&it->schedule, value);
        break;
    case 6:
        scheduled_log(it);
        it->step.wall_ms += SCHEDULED_INTERVAL_US / MS_US;
        break;
    default:
        scheduled_give(it, id, op, 1, random_below(random, 2) ? 1500 : 0);
    }
    scheduled_pump(it);
}

static void phases_add_up_whatever_happens(void **context)
{
    bool ends = false;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t random = seed;
        if (seed > 1) {
            scheduled_end(context);
            scheduled_begin(context);
        }
        struct scheduled *it = *context;
        uint64_t began_us = it->step.now_us;
        for (int i = 0; i < 60 && !job_is_finished(it->job); i++) {
            pass(it, random_below(&random, 50));
            anything_happens(it, &random);
            if (!job_is_finished(it->job))
                assert_int_equal(ms_in_all(it), (it->step.now_us - began_us) / MS_US);
        }
        ends |= job_is_finished(it->job);
    }
    assert_true(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_time_of_a_small_job_is_computing_converting_and_announcing, scheduled_begin,
            scheduled_end),
        cmocka_unit_test_setup_teardown(values_that_move_and_are_kept_take_time_of_their_own,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(what_is_executed_between_two_heartbeats_is_no_move,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(without_workers_a_job_waits, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(a_new_coordinator_says_since_when_it_knows, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(what_another_coordinator_ended_is_not_known,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(phases_add_up_whatever_happens, scheduled_begin,
                                        scheduled_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
