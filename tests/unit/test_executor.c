/* Executors: the compute thread, and the simulator's model of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sched.h>

#include "nodes/work/compute.h"
#include "nodes/work/starved.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "tests/sim/world.h"

#define PATIENCE_MS 10000

static const struct failure never; /* fails on purpose */

/* These operations bring their values along. */
static struct blob *nothing_at(void *context, struct value_id id)
{
    (void)context, (void)id;
    return NULL;
}

/* --- the compute thread --- */

static struct executor_result *take(struct compute *compute)
{
    return compute_executor(compute)->kind->poll(compute_executor(compute));
}

/* Any executor's: it is asked by what it gave. */
static void result_free(struct compute *compute, struct executor_result *result)
{
    compute_executor(compute)->kind->free(result);
}

static struct executor_result *next_result(struct compute *compute)
{
    struct pollfd ready = {.fd = compute_executor(compute)->kind->fd(compute_executor(compute)),
                           .events = POLLIN};
    struct executor_result *result;
    do
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    while (!(result = take(compute)));
    return result;
}

static void submit(struct compute *compute, const struct compute_op *op)
{
    compute_executor(compute)->kind->start(compute_executor(compute), op, nothing_at, NULL);
}

static void operations_come_back_in_order(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, 0, &never);
    for (uint64_t op = 1; op <= 100; op++)
        submit(compute, &(struct compute_op){.id = {1, op},
                                             .attempt = 3,
                                             .n_operands = 2,
                                             .operands = {{.literal = op}, {.literal = 2}}});
    for (uint64_t op = 1; op <= 100;) {
        struct executor_result *result = next_result(compute), *next;
        for (; result; result = next, op++) {
            next = executor_next(result);
            assert_true(result->computed.id.op == op && result->computed.attempt == 3);
            assert_null(result->computed.error);
            assert_true(*(const uint64_t *)(const void *)result->value->at == 2 * op);
            assert_true(result->computed.operations == 1);
            result_free(compute, result);
        }
    }
    assert_true(compute_destroy(&compute, PATIENCE_MS));
    assert_null(compute);
}

static void a_big_value_has_its_hash_and_a_text_its_ends(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, 0, &never);
    submit(compute, &(struct compute_op){.id = {1, 1}, .first = 60000, .count = 60000});
    struct executor_result *big = next_result(compute);
    uint8_t hash[HASH_BYTES];
    assert_true(big->value->len > VALUE_INLINE_MAX_BYTES);
    hash_bytes(big->value->at, big->value->len, hash);
    assert_memory_equal(big->computed.hash, hash, HASH_BYTES);
    submit(compute, &(struct compute_op){.id = {1, 2},
                                         .opcode = OPCODE_TEXT,
                                         .n_operands = 1,
                                         .operands = {{.kind = OPERAND_BLOB, .blob = big->value}}});
    result_free(compute, big); /* the thread holds a reference of its own */
    struct executor_result *text = next_result(compute);
    hash_bytes(text->value->at, text->value->len, hash);
    assert_memory_equal(text->computed.hash, hash, HASH_BYTES);
    assert_int_equal(strlen(text->computed.head), TEXT_EDGE_DIGITS);
    assert_memory_equal(text->computed.head, text->value->at, TEXT_EDGE_DIGITS);
    assert_string_equal(text->computed.tail, "00000000000000000000");
    result_free(compute, text);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define NON_MAIN_ARENA 4 /* glibc, malloc/malloc.c: a bit of the size before a chunk */

static bool is_of_the_main_arena(const void *at)
{
    return !(((const size_t *)at)[-1] & NON_MAIN_ARENA);
}
#else
static bool is_of_the_main_arena(const void *at)
{
    return at != NULL;
}
#endif

/* Freeing takes the lock of the heap from which the memory came: no heap is shared with the thread
 * of nice +10. */
static void what_the_loop_frees_it_has_allocated_itself(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, 0, &never);
    static const uint64_t counts[] = {1, 10, 4000, 60000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct compute_op op = {.id = {1, 1}, .first = 60000, .count = counts[i]};
        submit(compute, &op);
        struct executor_result *result = next_result(compute);
        assert_true(is_of_the_main_arena(result));
        assert_true(is_of_the_main_arena(result->value));
        result_free(compute, result);
    }
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

static void an_operation_that_cannot_be_executed_says_why(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, 0, &never);
    struct blob *odd = blob_copy("x", 1);
    submit(compute, &(struct compute_op){.id = {1, 4},
                                         .n_operands = 1,
                                         .operands = {{.kind = OPERAND_BLOB, .blob = odd}}});
    blob_drop(&odd);
    struct executor_result *result = next_result(compute);
    assert_non_null(strstr(result->computed.error, "malformed"));
    assert_null(result->value);
    result_free(compute, result);
    submit(compute, &(struct compute_op){.id = {1, 5}, .first = 3, .count = 9});
    result = next_result(compute);
    assert_non_null(result->computed.error);
    result_free(compute, result);
    submit(compute, &(struct compute_op){.id = {1, 6},
                                         .n_operands = 1,
                                         .operands = {{.kind = OPERAND_VALUE, .id = {1, 4}}}});
    result = next_result(compute);
    assert_string_equal(result->computed.error, "an operand is missing");
    assert_null(result->value);
    result_free(compute, result);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

static void a_delay_holds_results_back_and_ends_with_the_thread(void **state)
{
    (void)state;
    uint64_t delay_us = 50 * MS_US, start_us = clock_now_us();
    struct compute *compute = compute_start(1, delay_us, &never);
    struct compute_op op = {.id = {1, 1}, .first = 4, .count = 4};
    submit(compute, &op);
    struct executor_result *result = next_result(compute);
    assert_true(clock_now_us() - start_us >= delay_us);
    assert_true(result->computed.elapsed_us >= delay_us);
    result_free(compute, result);
    assert_true(compute_destroy(&compute, PATIENCE_MS));

    compute = compute_start(1, 3600 * SECOND_US, &never);
    submit(compute, &op);
    submit(compute, &op);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

/* --- cancelling --- */

static void cancel(struct executor *executor, op_id_t op)
{
    executor->kind->cancel(executor, (struct value_id){1, op}, 1);
}

static void several_threads_return_each_operation_once(void **state)
{
    (void)state;
    struct compute *compute = compute_start(3, 0, &never);
    bool seen[61] = {false};
    for (uint64_t op = 1; op <= 60; op++)
        submit(compute,
               &(struct compute_op){.id = {1, op}, .first = 60000, .count = op % 3 ? 20 : 60000});
    for (unsigned n = 0; n < 60;)
        for (struct executor_result *next, *it = next_result(compute); it; it = next, n++) {
            next = executor_next(it);
            assert_false(seen[it->computed.id.op]);
            assert_null(it->computed.error);
            seen[it->computed.id.op] = true;
            result_free(compute, it);
        }
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

/* The first one holds its thread for an hour: with one thread the second would not end before. */
static void a_long_operation_holds_up_no_other_thread(void **state)
{
    (void)state;
    struct compute *compute = compute_start(2, 3600 * SECOND_US, &never);
    for (op_id_t op = 1; op <= 2; op++)
        submit(compute, &(struct compute_op){.id = {1, op}, .attempt = 1, .first = 9, .count = 4});
    cancel(compute_executor(compute), 2);
    struct executor_result *result = next_result(compute);
    assert_true(result->computed.id.op == 2 && result->cancelled && !executor_next(result));
    result_free(compute, result);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

/* The first one may have begun or not; it holds the thread for a second, in which the second one
 * does not begin. */
static void what_is_cancelled_ends_without_a_value(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, SECOND_US, &never);
    for (op_id_t op = 1; op <= 2; op++)
        submit(compute,
               &(struct compute_op){.id = {1, op}, .attempt = 1, .first = 60000, .count = 60000});
    cancel(compute_executor(compute), 2);
    cancel(compute_executor(compute), 1);
    cancel(compute_executor(compute), 3); /* there is none */
    for (op_id_t op = 1; op <= 2;)
        for (struct executor_result *next, *it = next_result(compute); it; it = next, op++) {
            next = executor_next(it);
            assert_true(it->computed.id.op == op && it->cancelled && !it->value);
            assert_null(it->computed.value);
            if (op == 2) {
                assert_string_equal(it->computed.error, EXECUTOR_CANCELLED);
                assert_true(it->computed.operations == 0);
            }
            result_free(compute, it);
        }
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

static struct executor_result *cancelled_after(struct compute *compute, const struct compute_op *op,
                                               unsigned after_ms)
{
    submit(compute, op);
    poll(NULL, 0, (int)after_ms);
    cancel(compute_executor(compute), op->id.op);
    return next_result(compute);
}

/* A value of 2 MB takes half a second; whatever the machine is busy with, a tenth of its digits do
 * not take longer than all of them. */
static void a_conversion_that_runs_ends_when_it_is_cancelled(void **state)
{
    (void)state;
    enum { BYTES = 2000000, AFTER_MS = 20 };
    struct compute *compute = compute_start(1, 0, &never);
    struct blob *value = blob_new(BYTES);
    memset(value->at, 0xa7, BYTES);
    struct compute_op op = {.id = {1, 1},
                            .attempt = 1,
                            .opcode = OPCODE_TEXT,
                            .n_operands = 1,
                            .operands = {{.kind = OPERAND_BLOB, .blob = value}}};
    submit(compute, &op);
    struct executor_result *whole = next_result(compute);
    uint64_t whole_us = whole->computed.elapsed_us;
    assert_false(whole->cancelled);
    result_free(compute, whole);
    struct executor_result *cut = cancelled_after(compute, &op, AFTER_MS);
    assert_true(cut->cancelled && !cut->value && cut->computed.operations == 0);
    assert_string_equal(cut->computed.error, EXECUTOR_CANCELLED);
    assert_true(cut->computed.elapsed_us < whole_us / 2 + AFTER_MS * MS_US);
    result_free(compute, cut);
    blob_drop(&value);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

/* Between two of the three products: none of four operands is done when it is cancelled at once. */
static void a_product_that_runs_ends_when_it_is_cancelled(void **state)
{
    (void)state;
    enum { BYTES = 4000000 };
    struct compute *compute = compute_start(1, 0, &never);
    struct blob *value = blob_new(BYTES);
    memset(value->at, 0xa7, BYTES);
    struct compute_op op = {.id = {1, 1}, .attempt = 1, .n_operands = OPERANDS_MAX};
    for (size_t i = 0; i < OPERANDS_MAX; i++)
        op.operands[i] = (struct compute_operand){.kind = OPERAND_BLOB, .blob = value};
    struct executor_result *cut = cancelled_after(compute, &op, 1);
    assert_true(cut->cancelled && !cut->value && cut->computed.operations == 0);
    result_free(compute, cut);
    blob_drop(&value);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

static void a_delay_ends_when_it_is_cancelled(void **state)
{
    (void)state;
    struct compute *compute = compute_start(1, 3600 * SECOND_US, &never);
    struct compute_op op = {.id = {1, 1}, .attempt = 1, .first = 10, .count = 10};
    struct executor_result *cut = cancelled_after(compute, &op, 50);
    assert_true(cut->cancelled && !cut->value);
    assert_true(cut->computed.elapsed_us < PATIENCE_MS * MS_US);
    result_free(compute, cut);
    assert_true(compute_destroy(&compute, PATIENCE_MS));
}

/* --- waiting for a processor --- */

/* Two threads on one processor: each has about half of it, and knows what it lacked. */
static void who_shares_a_processor_says_what_it_waited(void **state)
{
    (void)state;
    enum { BYTES = 1000000 };
    cpu_set_t all, one;
    int fd = starved_open();
    if (fd < 0)
        skip(); /* this kernel does not tell */
    starved_close(fd);
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int at = 0; !CPU_COUNT(&one); at++)
        if (CPU_ISSET(at, &all))
            CPU_SET(at, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct blob *value = blob_new(BYTES);
    memset(value->at, 0xa7, BYTES);
    struct compute *computes[2];
    uint64_t elapsed_us = 0, starved_us = 0;
    for (size_t i = 0; i < 2; i++) {
        computes[i] = compute_start(1, 0, &never);
        submit(computes[i],
               &(struct compute_op){.id = {1, 1},
                                    .opcode = OPCODE_TEXT,
                                    .n_operands = 1,
                                    .operands = {{.kind = OPERAND_BLOB, .blob = value}}});
    }
    for (size_t i = 0; i < 2; i++) {
        struct executor_result *result = next_result(computes[i]);
        assert_true(result->computed.starved_us <= result->computed.elapsed_us);
        elapsed_us += result->computed.elapsed_us;
        starved_us += result->computed.starved_us;
        result_free(computes[i], result);
        assert_true(compute_destroy(&computes[i], PATIENCE_MS));
    }
    assert_true(starved_us > elapsed_us / 5);
    blob_drop(&value);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void the_model_cancels_as_the_thread_does(void **state)
{
    (void)state;
    struct world_options options = {.n_nodes = 1, .op_us = 100, .seed = 1};
    struct world *world = world_new(&options);
    struct executor *executor = executor_of(world, 1);
    for (op_id_t op = 1; op <= 3; op++)
        executor_start(world, 1,
                       &(struct compute_op){.id = {1, op}, .attempt = 1, .first = 4, .count = 4});
    world->now_us += 10;
    cancel(executor, 1); /* it runs: it ends with a quarter of its time */
    cancel(executor, 2);
    assert_null(executor->kind->poll(executor));
    world->now_us += 20;
    for (op_id_t op = 1; op <= 2; op++) {
        struct executor_result *result = executor->kind->poll(executor);
        assert_true(result->computed.id.op == op && result->cancelled && !result->value);
        assert_string_equal(result->computed.error, EXECUTOR_CANCELLED);
        assert_true(result->computed.operations == 0);
        executor->kind->free(result);
    }
    assert_null(executor->kind->poll(executor));
    world->now_us += 100; /* the third one had not to wait for them */
    struct executor_result *result = executor->kind->poll(executor);
    assert_true(result->computed.id.op == 3 && !result->cancelled && result->value);
    executor->kind->free(result);
    world_free(&world);
}

/* --- failures on purpose --- */

static void an_exit_on_purpose_returns_nothing_to_tell(void **state)
{
    (void)state;
    struct failure_config config = {.exit_ppm = 1000000, .seed = 1};
    struct failure failure;
    failure_begin(&failure, &config, 1, 1, FAILURE_WORKER);
    struct compute *compute = compute_start(1, 0, &failure);
    struct compute_op op = {.id = {1, 1}, .attempt = 1, .first = 10, .count = 10};
    submit(compute, &op);
    struct executor_result *result = NULL;
    while (!result)
        result = take(compute);
    assert_true(result->exit);
    result_free(compute, result);
    assert_true(compute_destroy(&compute, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_come_back_in_order),
        cmocka_unit_test(a_big_value_has_its_hash_and_a_text_its_ends),
        cmocka_unit_test(what_the_loop_frees_it_has_allocated_itself),
        cmocka_unit_test(an_operation_that_cannot_be_executed_says_why),
        cmocka_unit_test(a_delay_holds_results_back_and_ends_with_the_thread),
        cmocka_unit_test(several_threads_return_each_operation_once),
        cmocka_unit_test(a_long_operation_holds_up_no_other_thread),
        cmocka_unit_test(what_is_cancelled_ends_without_a_value),
        cmocka_unit_test(a_conversion_that_runs_ends_when_it_is_cancelled),
        cmocka_unit_test(a_product_that_runs_ends_when_it_is_cancelled),
        cmocka_unit_test(a_delay_ends_when_it_is_cancelled),
        cmocka_unit_test(who_shares_a_processor_says_what_it_waited),
        cmocka_unit_test(the_model_cancels_as_the_thread_does),
        cmocka_unit_test(an_exit_on_purpose_returns_nothing_to_tell),
    };
    return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
