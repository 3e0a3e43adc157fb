/* The schedule through its door, without a node: the log is played by a loop that applies at once
 * what is proposed, the workers by the results that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/schedule/schedule.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"
#include "tests/harness/scheduled.h"

#define HELD_BYTES 4000

/* A worker has a value that is too long for a message: it says so, and holds it. */
static void hold(struct scheduled *it, node_id_t from, op_id_t op, uint64_t elapsed_us)
{
    outbox_begin(&it->step.out);
    scheduled_return(it, from,
                     (struct wire_result_op){
                         .op = op, .attempt = 1, .elapsed_us = elapsed_us, .len = HELD_BYTES},
                     NULL);
}

/* How many outputs of that kind the last steps had, about that operation. */
static size_t count(const struct scheduled *it, enum output_kind kind, op_id_t op)
{
    size_t n = 0;
    for (size_t i = 0; i < it->step.out.n; i++) {
        const struct output *output = &it->step.out.at[i];
        if (output->kind == kind)
            n += (kind == OUTPUT_FETCH && output->fetch.id.op == op) ||
                 (kind == OUTPUT_KEEP && output->keep.id.op == op);
    }
    return n;
}

/* Which voter the last steps have offered the value of that operation to; there is one. */
static node_id_t offered(const struct scheduled *it, op_id_t op)
{
    node_id_t to = NODE_NONE;
    for (size_t i = 0; i < it->step.out.n; i++) {
        const struct output *output = &it->step.out.at[i];
        if (output->kind != OUTPUT_SEND || output->send.message->type != MESSAGE_VALUE_OFFER ||
            output->send.message->as.value_offer.op != op)
            continue;
        assert_int_equal(to, NODE_NONE);
        to = output->send.to;
    }
    return to;
}

static void lose(struct scheduled *it, node_id_t worker)
{
    it->links.peers[worker].alive = false;
    schedule_worker_lost(&it->schedule, worker, false);
    scheduled_pump(it);
}

/* --- the stories --- */

static void only_the_coordinator_knows_of_what_is_not_logged(void **context)
{
    struct scheduled *it = *context;
    assert_string_equal(schedule_status(&it->schedule, it->job).state, "running");
    scheduled_give_back(it, 2, 1, 2);
    struct job_status now = schedule_status(&it->schedule, it->job);
    assert_int_equal(now.done, 1);
    assert_int_equal(now.executed, 2); /* once for nothing: it says so itself */
    assert_int_equal(now.trace[0].node, 2);
    assert_int_equal(it->job->state, JOB_QUEUED);
    assert_int_equal(it->job->done, 0);
    assert_null(it->job->trace);
    scheduled_log(it);
    assert_int_equal(it->job->done, 1);
    assert_int_equal(it->job->executed, 2);
    assert_int_equal(it->job->trace[0].node, 2);
}

static void a_coordinator_that_ends_takes_what_is_not_logged_with_it(void **context)
{
    struct scheduled *it = *context;
    scheduled_give_back(it, 2, 1, 1);
    scheduled_log(it);
    scheduled_give_back(it, 3, 2, 1);
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 2);
    schedule_stop(&it->schedule);
    struct job_status now = schedule_status(&it->schedule, it->job);
    assert_string_equal(now.state, "queued");
    assert_int_equal(now.done, 1);
    assert_int_equal(now.executed, 1);
    schedule_start(&it->schedule); /* the next one goes on from the log */
    now = schedule_status(&it->schedule, it->job);
    assert_string_equal(now.state, "running");
    assert_int_equal(now.done, 1);
    scheduled_pump(it);
    assert_true(it->schedule.slots[2].outstanding + it->schedule.slots[3].outstanding > 0);
}

static void a_job_runs_to_its_end(void **context)
{
    struct scheduled *it = *context;
    for (op_id_t op = 1; op <= it->job->plan.total; op++)
        scheduled_give_back(it, 2 + op % 2, op, (op + 1) / 2);
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 4);
    assert_int_equal(it->schedule.operations, 4);
    scheduled_give_back(it, 2, 1, 2); /* late: its operation is done */
    assert_int_equal(it->schedule.operations, 4);
    scheduled_give_back(it, 2, job_text_op(it->job), 2);
    scheduled_apply(it);
    struct job_status now = schedule_status(&it->schedule, it->job);
    assert_string_equal(now.state, "done");
    assert_int_equal(now.done, 4);
    assert_int_equal(now.executed, 4);
    assert_int_equal(it->job->digits, 7);
    assert_int_equal(it->schedule.n_active, 0);
    assert_int_equal(it->schedule.open_ops.count + it->schedule.job_schedules.count, 0);
    schedule_check_invariants(&it->schedule);
}

static void what_a_lost_worker_had_goes_to_others(void **context)
{
    struct scheduled *it = *context;
    const struct worker_slot *slots = it->schedule.slots;
    uint64_t lost = slots[2].outstanding;
    assert_true(lost > 0);
    it->links.peers[2].alive = false;
    schedule_worker_lost(&it->schedule, 2, false);
    assert_int_equal(slots[2].outstanding, 0);
    scheduled_give_back(it, 3, 1, 1);
    for (op_id_t op = 2; op <= 3; op++)
        scheduled_give_back(it, 3, op, op);
    assert_int_equal(slots[2].outstanding, 0);
    assert_int_equal(slots[3].outstanding, 1); /* R4 */
    assert_int_equal(slots[3].operations, 3);
}

static void a_value_that_is_cheap_to_make_stays_with_its_maker(void **context)
{
    struct scheduled *it = *context;
    hold(it, 2, 1, 10); /* 10 us: copies to three disks cost 120 us */
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 1);
    it->step.now_us += 10 * SCHEDULED_INTERVAL_US;
    scheduled_pump(it);
    assert_int_equal(count(it, OUTPUT_FETCH, 1), 0);
    scheduled_apply(it);
    assert_int_equal(it->job->done, 0); /* nobody else was told */
}

static void a_value_that_is_dear_to_make_is_kept_and_logged(void **context)
{
    struct scheduled *it = *context;
    struct value_id id = {it->job->id, 1};
    hold(it, 2, 1, SECOND_US);
    it->step.now_us += SCHEDULED_INTERVAL_US;
    scheduled_pump(it);
    assert_int_equal(count(it, OUTPUT_FETCH, 1), 1);
    assert_int_equal(count(it, OUTPUT_KEEP, 1), 0);
    schedule_value_ready(&it->schedule, id);
    assert_int_equal(count(it, OUTPUT_KEEP, 1), 1);
    scheduled_log(it);
    assert_int_equal(it->job->done, 0); /* not before the disk says so */
    schedule_value_kept(&it->schedule, id);
    scheduled_log(it);
    assert_int_equal(it->job->done, 0); /* not before another voter's disk says so */
    node_id_t told = offered(it, 1);
    assert_true(told == 2 || told == 3); /* one of them makes a majority */
    offers_held(&it->raft, told, &(struct wire_value_held){it->step.term, id.job, id.op});
    scheduled_log(it);
    assert_int_equal(it->job->done, 1);
    lose(it, 2); /* now it does no harm */
    assert_int_equal(it->schedule.lost_values, 0);
}

/* Nobody answers: the value is offered to all, and then its entry is proposed all the same. */
static void a_value_that_does_not_spread_goes_with_its_entry(void **context)
{
    struct scheduled *it = *context;
    struct value_id id = {it->job->id, 1};
    hold(it, 2, 1, SECOND_US);
    it->step.now_us += SCHEDULED_INTERVAL_US;
    scheduled_pump(it);
    schedule_value_ready(&it->schedule, id);
    schedule_value_kept(&it->schedule, id);
    assert_true(offered(it, 1) != NODE_NONE);
    outbox_begin(&it->step.out);
    it->step.now_us += 2 * OFFER_WAIT_US - SCHEDULED_INTERVAL_US;
    offers_tick(&it->raft);
    scheduled_log(it);
    assert_true(offered(it, 1) != NODE_NONE); /* the other one */
    assert_int_equal(it->job->done, 0);
    it->step.now_us += SCHEDULED_INTERVAL_US;
    scheduled_log(it);
    assert_int_equal(it->job->done, 1);
}

/* The log says what the loss of that node cost, and of no other. */
static void check_loss(const struct job *job, node_id_t node, uint64_t values, uint64_t operations)
{
    assert_int_equal(job->losses.n, 1);
    assert_int_equal(job->losses.at[0].node, node);
    assert_int_equal(job->losses.at[0].values, values);
    assert_int_equal(job->losses.at[0].operations, operations);
}

/* R1 is at worker 2 when that dies: 3 makes it again, and it counts once. */
static void what_a_lost_worker_alone_held_is_made_again(void **context)
{
    struct scheduled *it = *context;
    hold(it, 2, 1, 10);
    scheduled_give_back(it, 3, 2, 1);
    assert_int_equal(it->schedule.operations, 2);
    lose(it, 2);
    assert_int_equal(it->schedule.lost_values, 1);
    hold(it, 3, 1, 10);
    assert_int_equal(it->schedule.operations, 2);
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 2);
    scheduled_give_back(it, 3, 3, 3);
    scheduled_give_back(it, 3, 4, 4);
    scheduled_give_back(it, 3, job_text_op(it->job), 4);
    scheduled_apply(it);
    assert_int_equal(it->job->state, JOB_DONE);
    assert_int_equal(it->job->done, 4);
    assert_int_equal(it->state.head.operations[2] + it->state.head.operations[3], 4);
    check_loss(it->job, 2, 1, 1);
}

/* R1 to R3 went when R4 was done; R4 is lost, and all of them are made again. */
static void what_a_lost_value_was_made_of_is_made_again_too(void **context)
{
    struct scheduled *it = *context;
    for (op_id_t op = 1; op <= 3; op++)
        scheduled_give_back(it, 3, op, op);
    hold(it, 2, 4, 10);
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 4);
    lose(it, 2);
    assert_int_equal(it->schedule.lost_values, 1);
    for (op_id_t op = 1; op <= 4; op++)
        scheduled_give_back(it, 3, op, 3 + op);
    assert_int_equal(it->schedule.operations, 4);
    scheduled_give_back(it, 3, job_text_op(it->job), 7);
    scheduled_apply(it);
    assert_int_equal(it->job->done, 4);
    assert_int_equal(it->job->executed, 7);
    check_loss(it->job, 2, 1, 4); /* one value; four operations for it */
}

/* R1 to R3 were logged before R4 was made of them: they are not made again. */
static void what_the_log_has_is_not_made_again(void **context)
{
    struct scheduled *it = *context;
    for (op_id_t op = 1; op <= 3; op++)
        scheduled_give_back(it, 3, op, op);
    scheduled_log(it);
    assert_int_equal(it->job->done, 3);
    hold(it, 2, 4, 10);
    lose(it, 2);
    assert_int_equal(it->schedule.lost_values, 1);
    scheduled_give_back(it, 3, 4, 4);
    scheduled_give_back(it, 3, job_text_op(it->job), 4);
    scheduled_apply(it);
    assert_int_equal(it->job->done, 4);
    assert_int_equal(it->job->executed, 4);
    check_loss(it->job, 2, 1, 1);
}

/* Who executes what uses the value may have it already; whoever finds that nobody has it says so.
 */
static void a_lost_value_is_made_again_when_somebody_lacks_it(void **context)
{
    struct scheduled *it = *context;
    hold(it, 2, 1, 10);
    scheduled_give_back(it, 3, 2, 1);
    scheduled_give_back(it, 3, 3, 2);
    node_id_t user = it->schedule.slots[2].outstanding ? 2 : 3; /* of R4 */
    scheduled_refuse(it, user, 4, 1);
    assert_int_equal(it->schedule.lost_values, 1);
    it->step.now_us += SECOND_US; /* whoever refused rests */
    scheduled_pump(it);
    hold(it, 3, 1, 10);
    scheduled_give_back(it, 3, 4, 4);
    assert_int_equal(schedule_status(&it->schedule, it->job).done, 4);
    assert_int_equal(it->schedule.operations, 4);
}

/* --- programs that fold --- */

static job_id_t store(struct scheduled *it, const char *format, uint64_t segments, uint64_t len,
                      uint64_t items)
{
    uint8_t hash[HASH_BYTES] = {(uint8_t)format[0]};
    struct message *begun = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    struct wire_entry_value_begun *body = &begun->as.entry_value_begun;
    body->sha256 = message_copy(begun, (struct slice){hash, sizeof hash});
    body->len = segments * len;
    body->format = message_text(begun, format);
    job_id_t id = job_id_of(it->step.term, raft_log_propose(&it->raft, begun));
    for (uint64_t segment = 1; segment <= segments; segment++) {
        struct message *entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
        entry->as.entry_value_segment = (struct wire_entry_value_segment){
            .value = id,
            .segment = segment,
            .op = stored_op(it->step.term, segment),
            .len = len,
            .items = items,
            .sha256 = message_copy(entry, (struct slice){hash, sizeof hash})};
        raft_log_propose(&it->raft, entry);
    }
    struct message *whole = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    whole->as.entry_value_whole.value = id;
    raft_log_propose(&it->raft, whole);
    return id;
}

/* The job at hand is done; the next one folds five parts: R1 two, R2 three of them, R3 both. */
static void begin_fold(struct scheduled *it)
{
    for (op_id_t op = 1; op <= 5; op++)
        scheduled_give_back(it, 2, op, op);
    scheduled_log(it);
    assert_int_equal(it->job->state, JOB_DONE);
    job_id_t parts = store(it, "parts", 5, 6, 1), program = store(it, "operator", 1, 50, 2);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    struct wire_entry_job_submitted *body = &entry->as.entry_job_submitted;
    body->key = message_text(entry, "fold");
    body->kind = message_text(entry, "reduce");
    body->spec = message_text(entry, "5 30 50");
    body->inputs.n = 2;
    body->inputs.at = message_room(entry, 2, sizeof *body->inputs.at);
    body->inputs.at[0].value = parts;
    body->inputs.at[1].value = program;
    raft_log_propose(&it->raft, entry);
    scheduled_apply(it);
    it->job = jobs_find_key(&it->state.jobs, slice_of("fold"));
    assert_non_null(it->job);
    scheduled_pump(it);
}

static void give_hashed(struct scheduled *it, node_id_t from, op_id_t op, uint8_t byte)
{
    uint8_t hash[HASH_BYTES] = {byte};
    struct blob *value = blob_copy("\3\0\0\0abc", 7);
    scheduled_return(it, from,
                     (struct wire_result_op){
                         .op = op, .attempt = 1, .len = value->len, .hash = {hash, sizeof hash}},
                     value);
    blob_drop(&value);
}

static void a_fold_goes_with_its_program_and_up_to_four_parts(void **context)
{
    struct scheduled *it = *context;
    begin_fold(it);
    const struct wire_task_op *task = scheduled_task(it, 1), *other = scheduled_task(it, 2);
    assert_true(slice_equals(task->opcode, "fold"));
    assert_int_equal(task->operands.n, 2);
    assert_int_equal(other->operands.n, 3);
    assert_int_equal(task->program.n, 1);
    assert_true(task->program.at[0].value == it->job->inputs[1]);
    assert_true(task->program.at[0].op == stored_op(it->step.term, 1));
    for (size_t i = 0; i < 5; i++) {
        const struct wire_operand *operand =
            i < 2 ? &task->operands.at[i] : &other->operands.at[i - 2];
        assert_true(operand->value == it->job->inputs[0]);
        assert_true(operand->op == stored_op(it->step.term, i + 1));
    }
}

static void two_results_of_a_program_that_differ_fail_its_job_T20(void **context)
{
    struct scheduled *it = *context;
    begin_fold(it);
    give_hashed(it, 2, 1, 7);
    give_hashed(it, 3, 1, 7); /* a copy that overlapped, and is the same */
    scheduled_apply(it);
    assert_false(job_is_finished(it->job));
    give_hashed(it, 3, 1, 8);
    scheduled_apply(it);
    assert_int_equal(it->job->state, JOB_FAILED);
    assert_string_equal(it->job->reason, "R1: two runs of the program on the same values gave two "
                                         "results, on nodes 2 and 3");
}

static void a_program_that_fails_fails_its_job_at_once(void **context)
{
    struct scheduled *it = *context;
    begin_fold(it);
    for (op_id_t op = 1; op <= 2; op++) /* one of them is that worker's */
        scheduled_return(it, 2,
                         (struct wire_result_op){.op = op,
                                                 .attempt = 1,
                                                 .final = true,
                                                 .error = slice_of("merge: exit code 3")},
                         NULL);
    scheduled_apply(it);
    assert_int_equal(it->job->state, JOB_FAILED);
    assert_non_null(strstr(it->job->reason, ": merge: exit code 3"));
}

/* R1 and R2 stay with two workers; who gets R4, which takes them, when the one that holds less had
 * an operation of so many bytes? */
static node_id_t maker_of_last(struct scheduled *it, uint64_t warm_bytes, uint64_t warm_until_us)
{
    struct worker_slot *slots = it->schedule.slots;
    it->step.config.result_max_bytes = 10 * MIB_BYTES;
    slots[2].warm_bytes = warm_bytes;
    slots[2].warm_until_us = warm_until_us;
    scheduled_give(it, 2, 1, 1, 2 * MIB_BYTES);
    scheduled_give(it, 3, 2, 1, 5 * MIB_BYTES);
    scheduled_give_back(it, 2, 3, 1);
    node_id_t maker = slots[2].outstanding ? 2 : 3;
    assert_int_equal(slots[5 - maker].outstanding, 0);
    scheduled_give_back(it, maker, 4, 1);
    assert_true(slots[maker].warm_bytes >= 7 * MIB_BYTES);
    assert_true(slots[maker].warm_until_us > it->step.now_us);
    return maker;
}

/* A worker that holds most of the operands gets what takes them ... */
static void large_operands_draw_what_takes_them(void **context)
{
    struct scheduled *it = *context;
    assert_int_equal(maker_of_last(it, 0, 0), 3);
}

/* ... but for one that has memory for so many, from an operation before. */
static void a_large_operation_goes_where_memory_is_ready(void **context)
{
    struct scheduled *it = *context;
    assert_int_equal(maker_of_last(it, 100 * MIB_BYTES, it->step.now_us + SECOND_US), 2);
}

static void memory_that_was_given_back_draws_nothing(void **context)
{
    struct scheduled *it = *context;
    assert_int_equal(maker_of_last(it, 100 * MIB_BYTES, it->step.now_us), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_coordinator_knows_of_what_is_not_logged,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_coordinator_that_ends_takes_what_is_not_logged_with_it,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_job_runs_to_its_end, scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(large_operands_draw_what_takes_them, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(a_large_operation_goes_where_memory_is_ready,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(memory_that_was_given_back_draws_nothing, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(what_a_lost_worker_had_goes_to_others, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(a_value_that_is_cheap_to_make_stays_with_its_maker,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_value_that_is_dear_to_make_is_kept_and_logged,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_value_that_does_not_spread_goes_with_its_entry,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(what_a_lost_worker_alone_held_is_made_again,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(what_a_lost_value_was_made_of_is_made_again_too,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(what_the_log_has_is_not_made_again, scheduled_begin,
                                        scheduled_end),
        cmocka_unit_test_setup_teardown(a_lost_value_is_made_again_when_somebody_lacks_it,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_fold_goes_with_its_program_and_up_to_four_parts,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(two_results_of_a_program_that_differ_fail_its_job_T20,
                                        scheduled_begin, scheduled_end),
        cmocka_unit_test_setup_teardown(a_program_that_fails_fails_its_job_at_once, scheduled_begin,
                                        scheduled_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
