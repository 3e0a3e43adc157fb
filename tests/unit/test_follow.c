/* Operations that go to a worker together with what makes their operands, and small jobs that go to
 * one worker whole (nodes/core/schedule/follow.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/schedule/assignments.h"
#include "tests/harness/scheduled.h"

#define OPS  4 /* of 10!: R1 to R4 */
#define TEXT (OPS + 1)

/* --- what is played --- */

static void are_of_level(struct scheduled *it, uint64_t level)
{
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++)
        it->links.peers[id].heartbeat->as.heartbeat.entries = level;
}

static int begin(void **context)
{
    scheduled_begin(context);
    are_of_level(*context, ENTRY_LEVEL_FOLLOWS);
    return 0;
}

static void submit(struct scheduled *it, const char *key)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted.key = message_text(entry, key);
    entry->as.entry_job_submitted.kind = message_text(entry, "factorial");
    entry->as.entry_job_submitted.spec = message_text(entry, "10");
    raft_log_propose(&it->raft, entry);
    scheduled_apply(it);
    it->job = jobs_find_key(&it->state.jobs, slice_of(key));
    assert_non_null(it->job);
}

/* Another 10! comes while both workers have something to do, and one of them takes more. */
static node_id_t submit_beside(struct scheduled *it)
{
    scheduled_give_back(it, it->schedule.slots[2].first ? 2 : 3, 1, 1);
    outbox_begin(&it->step.out);
    submit(it, "b");
    scheduled_pump(it);
    return open_op_find(&it->schedule, it->job->id, 1)->node;
}

static node_id_t holder(const struct scheduled *it, op_id_t op)
{
    struct open_op *open = open_op_find(&it->schedule, it->job->id, op);
    return open && open->state == OP_ASSIGNED ? open->node : NODE_NONE;
}

static void finish(struct scheduled *it, node_id_t from)
{
    for (op_id_t op = 1; op <= TEXT; op++)
        scheduled_give_back(it, from, op, op < OPS ? op : OPS);
    scheduled_apply(it);
    assert_string_equal(schedule_status(&it->schedule, it->job).state, "done");
}

/* --- the stories --- */

static void the_conversion_goes_with_the_last_operation(void **context)
{
    struct scheduled *it = *context;
    assert_int_not_equal(holder(it, 1), holder(it, 2)); /* idle workers share the job */
    for (op_id_t op = 1; op < OPS; op++)
        scheduled_give_back(it, 2 + op % 2, op, (op + 1) / 2);
    assert_int_not_equal(holder(it, OPS), NODE_NONE);
    assert_int_equal(holder(it, TEXT), holder(it, OPS));
    scheduled_give_back(it, holder(it, OPS), OPS, 3);
    assert_int_equal(it->schedule.operations, OPS);
    scheduled_give_back(it, holder(it, TEXT), TEXT, 3);
    scheduled_apply(it);
    assert_string_equal(schedule_status(&it->schedule, it->job).state, "done");
    assert_int_equal(it->schedule.n_active, 0);
}

static void a_job_goes_whole_when_nobody_is_idle(void **context)
{
    struct scheduled *it = *context;
    node_id_t worker = submit_beside(it);
    for (op_id_t op = 1; op <= TEXT; op++)
        assert_int_equal(holder(it, op), worker);
    const struct wire_task_op *last = scheduled_task(it, TEXT);
    assert_true(last->operands.at[0].follows && !last->operands.at[0].frame);
    finish(it, worker);
    assert_int_equal(schedule_status(&it->schedule, it->job).executed, OPS);
}

/* How often a worker was told to drop all of a job. */
static size_t releases(struct scheduled *it, node_id_t worker, job_id_t job)
{
    struct channel *channel = &it->links.peers[worker].channel;
    const struct message *message;
    uint64_t after_seq;
    size_t n = 0;
    channel->linked = true;
    channel->sent = 0;
    while ((message = channel_next(channel, it->step.now_us, &after_seq)))
        n += message->type == MESSAGE_RELEASE && message->as.release.job == job &&
             !message->as.release.op;
    return n;
}

/* To tell everybody of each small job is five messages of six nodes, of which one is of use. */
static void what_has_ended_is_released_where_something_of_it_was(void **context)
{
    struct scheduled *it = *context;
    node_id_t worker = submit_beside(it), other = 5 - worker;
    job_id_t job = it->job->id;
    finish(it, worker);
    assert_int_equal(releases(it, worker, job), 1);
    assert_int_equal(releases(it, other, job), 0);
}

static void a_job_that_was_spread_is_released_by_all_its_workers(void **context)
{
    struct scheduled *it = *context;
    job_id_t job = it->job->id;
    for (op_id_t op = 1; op < OPS; op++)
        scheduled_give_back(it, 2 + op % 2, op, (op + 1) / 2);
    scheduled_give_back(it, holder(it, OPS), OPS, 3);
    scheduled_give_back(it, holder(it, TEXT), TEXT, 3);
    scheduled_apply(it);
    assert_string_equal(schedule_status(&it->schedule, it->job).state, "done");
    for (node_id_t id = 2; id <= 3; id++)
        assert_int_equal(releases(it, id, job), 1);
}

static void an_earlier_release_is_given_each_by_itself(void **context)
{
    struct scheduled *it = *context;
    are_of_level(it, ENTRY_LEVEL_FOLLOWS - 1);
    submit_beside(it);
    assert_int_equal(holder(it, OPS), NODE_NONE);
    assert_int_equal(holder(it, TEXT), NODE_NONE);
}

static void each_goes_to_others_when_the_worker_is_lost(void **context)
{
    struct scheduled *it = *context;
    node_id_t worker = submit_beside(it), other = 5 - worker;
    uint64_t before = it->schedule.operations;
    scheduled_give_back(it, worker, 1, 1);
    it->links.peers[worker].alive = false;
    schedule_worker_lost(&it->schedule, worker, false);
    schedule_check_invariants(&it->schedule);
    assert_int_equal(open_op_find(&it->schedule, it->job->id, OPS)->state, OP_PENDING);
    scheduled_give_back(it, worker, OPS, 4); /* nobody waits for it */
    assert_int_equal(it->schedule.operations, before + 1);
    for (op_id_t op = 2; op <= TEXT; op++)
        scheduled_give_back(it, other, op, op < OPS ? op - 1 : 3);
    scheduled_apply(it);
    assert_string_equal(schedule_status(&it->schedule, it->job).state, "done");
    assert_int_equal(it->schedule.operations, before + OPS);
}

static void a_result_before_those_of_its_operands_counts_not(void **context)
{
    struct scheduled *it = *context;
    node_id_t worker = submit_beside(it);
    uint64_t before = it->schedule.operations;
    scheduled_give_back(it, worker, OPS, 1);
    assert_int_equal(it->schedule.operations, before);
    assert_int_equal(open_op_find(&it->schedule, it->job->id, OPS)->state, OP_PENDING);
}

static void what_a_failure_strands_is_nobodys_fault(void **context)
{
    struct scheduled *it = *context;
    node_id_t worker = submit_beside(it);
    scheduled_refuse(it, worker, OPS, 1);
    assert_int_equal(it->schedule.slots[worker].errors, 0);
    assert_int_equal(open_op_find(&it->schedule, it->job->id, OPS)->state, OP_PENDING);
    scheduled_refuse(it, worker, TEXT, OPS);
    assert_int_equal(it->schedule.slots[worker].errors, 0);
    scheduled_refuse(it, worker, 2, 0); /* that one is */
    assert_int_equal(it->schedule.slots[worker].errors, 1);
    schedule_check_invariants(&it->schedule);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, scheduled_end)
    const struct CMUnitTest tests[] = {
        STORY(the_conversion_goes_with_the_last_operation),
        STORY(a_job_goes_whole_when_nobody_is_idle),
        STORY(what_has_ended_is_released_where_something_of_it_was),
        STORY(a_job_that_was_spread_is_released_by_all_its_workers),
        STORY(an_earlier_release_is_given_each_by_itself),
        STORY(each_goes_to_others_when_the_worker_is_lost),
        STORY(a_result_before_those_of_its_operands_counts_not),
        STORY(what_a_failure_strands_is_nobodys_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
