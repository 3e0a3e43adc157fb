/* What a worker holds beyond its limit of memory: what goes to disk, what comes back and when, and
 * that nothing waits for ever, whatever the disk answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/worker/holding.h"
#include "tests/harness/rooms.h"

#define LEN 1000u /* of each value */

struct scene {
    struct rooms *rooms;
    struct worker worker;
};

static struct scene *begin(uint64_t limit)
{
    struct scene *it = mem_new(1, sizeof *it);
    it->rooms = rooms_new(3);
    it->rooms->step.config.memory_limit_bytes = limit;
    it->worker = (struct worker){.step = &it->rooms->step,
                                 .links = &it->rooms->links,
                                 .raft = &it->rooms->raft,
                                 .state = &it->rooms->state};
    return it;
}

static void end(struct scene *it)
{
    worker_clear(&it->worker);
    rooms_free(it->rooms);
    free(it);
}

static void pump(struct scene *it)
{
    worker_pump(&it->worker);
    worker_check_invariants(&it->worker);
}

/* An operation without operands is executed: its value is held. */
static void make(struct scene *it, op_id_t op)
{
    struct message *message = message_new(MESSAGE_TASK);
    message->as.task.ops.n = 1;
    message->as.task.ops.at = message_room(message, 1, sizeof(struct wire_task_op));
    message->as.task.ops.at[0] = (struct wire_task_op){
        .job = 1, .op = op, .attempt = 1, .opcode = slice_of("multiply"), .first = 9, .count = 4};
    worker_task(&it->worker, PEER, message);
    message_drop(&message);
    pump(it);
    struct computed computed = {.id = {1, op}, .attempt = 1, .len = LEN, .operations = 1};
    worker_computed(&it->worker, &computed, 1);
    pump(it);
}

static void make_some(struct scene *it, op_id_t n)
{
    for (op_id_t op = 1; op <= n; op++)
        make(it, op);
}

/* One that multiplies two values that are held. */
static void use(struct scene *it, op_id_t op, op_id_t a, op_id_t b)
{
    static const uint8_t hash[HASH_BYTES];
    struct message *message = message_new(MESSAGE_TASK);
    struct wire_operand operands[2] = {{.op = a}, {.op = b}};
    for (int i = 0; i < 2; i++) {
        operands[i].len = LEN;
        operands[i].source = PEER;
        operands[i].stays = true;
        operands[i].hash = (struct slice){hash, sizeof hash};
    }
    message->as.task.ops.n = 1;
    message->as.task.ops.at = message_room(message, 1, sizeof(struct wire_task_op));
    message->as.task.ops.at[0] = (struct wire_task_op){.job = 1,
                                                       .op = op,
                                                       .attempt = 1,
                                                       .opcode = slice_of("multiply"),
                                                       .operands = {operands, 2}};
    worker_task(&it->worker, PEER, message);
    message_drop(&message);
    pump(it);
}

/* The order of that kind for the value; it must have been given. */
static struct spill_order order_of(const struct scene *it, enum spill_step step, op_id_t op)
{
    const struct outbox *out = &it->rooms->step.out;
    for (size_t i = out->n; i-- > 0;)
        if (out->at[i].kind == OUTPUT_SPILL && out->at[i].spill.step == step &&
            out->at[i].spill.id.op == op)
            return out->at[i].spill;
    fail_msg("no order %d for operation %u", (int)step, (unsigned)op);
    return (struct spill_order){0};
}

static unsigned count(const struct scene *it, enum spill_step step)
{
    const struct outbox *out = &it->rooms->step.out;
    unsigned n = 0;
    for (size_t i = 0; i < out->n; i++)
        n += out->at[i].kind == OUTPUT_SPILL && out->at[i].spill.step == step;
    return n;
}

static void forget_outputs(struct scene *it)
{
    outbox_begin(&it->rooms->step.out);
}

static void answer(struct scene *it, struct spill_order order, bool ok)
{
    struct spill_end end = {order.step, order.id, order.seq, ok};
    worker_spilled(&it->worker, &end);
    pump(it);
}

static enum held_state state_of(const struct scene *it, op_id_t op)
{
    const struct held_value *value = held_find(&it->worker.held, (struct value_id){1, op});
    assert_non_null(value);
    return value->state;
}

/* --- stories --- */

static void what_is_too_much_goes_to_disk_and_leaves_memory_when_it_is_there_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 4);
    assert_int_equal(count(it, SPILL_WRITE), 0);
    make(it, 5);
    assert_int_equal(count(it, SPILL_WRITE), 2); /* and a little more than it must */
    assert_int_equal(state_of(it, 1), HELD_WRITING);
    assert_int_equal(state_of(it, 2), HELD_WRITING);
    assert_int_equal(count(it, SPILL_UNLOAD), 0);
    answer(it, order_of(it, SPILL_WRITE, 1), true);
    assert_int_equal(state_of(it, 1), HELD_ON_DISK);
    order_of(it, SPILL_UNLOAD, 1);
    assert_int_equal(held_memory_bytes(&it->worker.held), 4 * LEN);
    assert_false(worker_is_pressed(&it->worker));
    end(it);
}

static void what_is_on_disk_is_read_before_the_operation_begins_and_costs_no_second_writing_T22(
    void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    for (op_id_t op = 1; op <= 2; op++)
        answer(it, order_of(it, SPILL_WRITE, op), true);
    make(it, 6);
    forget_outputs(it);
    use(it, 9, 1, 6);
    assert_int_equal(count(it, SPILL_READ), 1);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 0);
    answer(it, order_of(it, SPILL_READ, 1), true);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 1);
    assert_true(held_find(&it->worker.held, (struct value_id){1, 1})->file);
    end(it);
}

static void a_value_that_is_wanted_while_it_is_written_stays_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    use(it, 9, 1, 2);
    answer(it, order_of(it, SPILL_WRITE, 1), true);
    answer(it, order_of(it, SPILL_WRITE, 2), true);
    assert_int_equal(state_of(it, 1), HELD_IN_MEMORY);
    assert_int_equal(count(it, SPILL_UNLOAD), 0);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 5 + 1);
    end(it);
}

static void one_operation_at_a_time_is_above_the_limit_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 4);
    forget_outputs(it);
    use(it, 9, 1, 2);
    use(it, 10, 3, 4);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 1);
    struct computed computed = {.id = {1, 9}, .attempt = 1, .len = 2 * LEN, .operations = 1};
    worker_computed(&it->worker, &computed, 1);
    pump(it);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 2);
    assert_int_equal(it->worker.begun, 1);
    end(it);
}

/* One that had no room is overtaken by none; but those that were begun before go on. */
static void what_was_begun_goes_on_behind_one_that_has_no_room_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    for (op_id_t op = 1; op <= 2; op++)
        answer(it, order_of(it, SPILL_WRITE, op), true);
    make(it, 6);
    forget_outputs(it);
    use(it, 9, 77, 6); /* waits for a value of another node */
    use(it, 10, 1, 2); /* is begun meanwhile */
    assert_int_equal(count(it, SPILL_READ), 2);
    worker_value_ready(&it->worker, (struct value_id){1, 77});
    pump(it);
    answer(it, order_of(it, SPILL_READ, 1), true);
    answer(it, order_of(it, SPILL_READ, 2), true);
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 1);
    assert_int_equal(it->worker.submitted[0].id.op, 10);
    end(it);
}

static void a_full_disk_leaves_values_in_memory_and_is_tried_again_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    answer(it, order_of(it, SPILL_WRITE, 1), false);
    answer(it, order_of(it, SPILL_WRITE, 2), false);
    assert_int_equal(held_memory_bytes(&it->worker.held), 5 * LEN);
    assert_int_equal(state_of(it, 1), HELD_IN_MEMORY);
    assert_true(worker_is_pressed(&it->worker) && it->worker.unspillable);
    forget_outputs(it);
    pump(it);
    assert_int_equal(count(it, SPILL_WRITE), 0);
    assert_true(worker_deadline(&it->worker) == it->rooms->step.now_us + SPILL_RETRY_US);
    use(it, 9, 1, 2); /* it works on */
    assert_int_equal(rooms_count_outputs(it->rooms, OUTPUT_COMPUTE), 1);
    it->rooms->step.now_us += SPILL_RETRY_US;
    worker_computed(&it->worker,
                    &(struct computed){.id = {1, 9}, .attempt = 1, .len = LEN, .operations = 1}, 1);
    pump(it);
    assert_true(count(it, SPILL_WRITE) > 0);
    assert_false(worker_is_pressed(&it->worker));
    end(it);
}

static void a_file_that_cannot_be_read_is_a_value_that_is_lost_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    answer(it, order_of(it, SPILL_WRITE, 1), true);
    use(it, 9, 1, 5);
    answer(it, order_of(it, SPILL_READ, 1), false);
    assert_null(held_find(&it->worker.held, (struct value_id){1, 1}));
    assert_int_equal(it->worker.queued, 0); /* it went back: the value is made again */
    assert_int_equal(it->worker.begun, 0);
    order_of(it, SPILL_FORGET, 1);
    end(it);
}

static void what_is_let_go_leaves_the_disk_and_late_answers_mean_nothing_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 5);
    struct spill_order late = order_of(it, SPILL_WRITE, 1);
    worker_release(&it->worker, PEER, 1, 1);
    order_of(it, SPILL_FORGET, 1);
    make(it, 1); /* made again, and spilled again perhaps */
    enum held_state before = state_of(it, 1);
    answer(it, late, true);
    assert_int_equal(state_of(it, 1), before);
    answer(it, (struct spill_order){SPILL_READ, {1, 99}, 1}, true); /* of one that is gone */
    order_of(it, SPILL_UNLOAD, 99);
    forget_outputs(it);
    worker_release(&it->worker, PEER, 1, 0);
    order_of(it, SPILL_FORGET, 0);
    assert_int_equal(it->worker.held.map.count, 0);
    end(it);
}

/* A copy that came for an operation which is gone: its maker has it. */
static void a_copy_is_let_go_before_anything_is_written_T22(void **state)
{
    (void)state;
    struct scene *it = begin(4 * LEN);
    make_some(it, 4);
    holding_take(&it->worker, (struct value_id){1, 50}, LEN, true);
    forget_outputs(it);
    pump(it);
    assert_null(held_find(&it->worker.held, (struct value_id){1, 50}));
    assert_int_equal(count(it, SPILL_WRITE), 1); /* the little more */
    end(it);
}

static bool drops(const struct scene *it, op_id_t op)
{
    const struct outbox *out = &it->rooms->step.out;
    for (size_t i = 0; i < out->n; i++)
        if (out->at[i].kind == OUTPUT_DROP && out->at[i].drop.id.op == op)
            return true;
    return false;
}

/* Another attempt of the operand was executed here while it was fetched. When who waited gives up,
 * the fetch ended, and took the value along that the worker went on to believe in (seed 2422). */
static void what_is_made_here_while_it_is_fetched_stays_T22(void **state)
{
    (void)state;
    struct scene *it = begin(0);
    make(it, 1);
    use(it, 10, 1, 2);
    assert_null(held_find(&it->worker.held, (struct value_id){1, 2}));
    make(it, 2);
    forget_outputs(it);
    it->rooms->step.now_us += 3600 * SECOND_US; /* it does not arrive */
    worker_tick(&it->worker);
    worker_check_invariants(&it->worker);
    assert_null(it->worker.first);
    assert_int_equal(state_of(it, 2), HELD_IN_MEMORY);
    assert_false(drops(it, 2));
    end(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_much_goes_to_disk_and_leaves_memory_when_it_is_there_T22),
        cmocka_unit_test(
            what_is_on_disk_is_read_before_the_operation_begins_and_costs_no_second_writing_T22),
        cmocka_unit_test(a_value_that_is_wanted_while_it_is_written_stays_T22),
        cmocka_unit_test(one_operation_at_a_time_is_above_the_limit_T22),
        cmocka_unit_test(what_was_begun_goes_on_behind_one_that_has_no_room_T22),
        cmocka_unit_test(a_full_disk_leaves_values_in_memory_and_is_tried_again_T22),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_value_that_is_lost_T22),
        cmocka_unit_test(what_is_let_go_leaves_the_disk_and_late_answers_mean_nothing_T22),
        cmocka_unit_test(a_copy_is_let_go_before_anything_is_written_T22),
        cmocka_unit_test(what_is_made_here_while_it_is_fetched_stays_T22),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
