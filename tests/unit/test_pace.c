/* Paces: what an operation should take, from 1 KB to 100 MB of operands, beside what it takes. No
 * clock: the times are curves, among them those that GMP was measured to have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "nodes/core/schedule/pace.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"

/* --- what operations take, in nanoseconds --- */

typedef double curve(double bytes);

/* Between measured points on a line, logarithms on both axes; beyond the last one n^1.2. */
static double between(const double points[][2], size_t n, double bytes)
{
    size_t at = 1;
    while (at + 1 < n && points[at][0] < bytes)
        at++;
    double slope = log(points[at][1] / points[at - 1][1]) / log(points[at][0] / points[at - 1][0]);
    if (bytes > points[n - 1][0])
        slope = 1.2;
    return points[at][1] * pow(bytes / points[at][0], slope);
}

/* GMP 6.2 on an x86-64 of 2022: mpz_get_str(), and the product of four numbers of equal length. */
static double gmp_text(double bytes)
{
    static const double points[][2] = {{64, 648},        {256, 1997},        {1024, 11656},
                                       {4096, 92123},    {16384, 749921},    {65536, 6.02e6},
                                       {262144, 3.97e7}, {1048576, 2.344e8}, {2.7e7, 1.49e10}};
    return between(points, sizeof points / sizeof points[0], bytes);
}

static double gmp_product(double bytes)
{
    static const double points[][2] = {{64, 123},       {256, 276},       {1024, 2751},
                                       {4096, 23910},   {16384, 174840},  {65536, 1.264e6},
                                       {262144, 7.7e6}, {1048576, 4.1e7}, {2.7e7, 1.3e9}};
    return between(points, sizeof points / sizeof points[0], bytes);
}

static double n_log_n(double bytes)
{
    return 3 * bytes * log2(bytes);
}

static double n_1_3(double bytes)
{
    return 50 * pow(bytes, 1.3);
}

static double n_1_6(double bytes)
{
    return 0.2 * pow(bytes, 1.6);
}

static curve *const curves[] = {gmp_text, gmp_product, n_log_n, n_1_3, n_1_6};
#define CURVES (sizeof curves / sizeof curves[0])

/* --- a worker that measures --- */

struct measured {
    struct paces own, all;
    uint64_t random;
};

static struct pace_of of(enum opcode opcode, double bytes)
{
    return (struct pace_of){.class = opcode, .opcode = opcode, .bytes = (uint64_t)bytes};
}

static uint64_t us_of(double ns)
{
    return (uint64_t)(ns / 1000) + 1;
}

static void note(struct measured *it, struct pace_of what, uint64_t took_us)
{
    pace_note(&it->own, what, took_us);
    pace_note(&it->all, what, took_us);
}

/* Before it is called slow, and gets a copy (deadlines.c). */
static uint64_t allowed_us(const struct measured *it, struct pace_of what)
{
    struct pace_estimate expected = pace_estimate(&it->own, &it->all, what);
    return SLOW_FACTOR * expected.us + SLOW_MIN_US + (expected.known ? 0 : DEADLINE_UNKNOWN_US);
}

static double uniform(struct measured *it)
{
    return (double)(random_u64(&it->random) >> 11) / (double)((uint64_t)1 << 53);
}

/* One more operation, whose processor is shared with others now and then: no copy of it. */
static void execute(struct measured *it, enum opcode opcode, curve *takes, double bytes)
{
    struct pace_of what = of(opcode, bytes);
    uint64_t took_us = us_of(takes(bytes) * (1 + 1.5 * uniform(it)));
    assert_true(took_us <= allowed_us(it, what));
    note(it, what, took_us);
}

#define LARGEST 1e8

/* --- no healthy operation is called slow --- */

/* A job as it is: each level has a quarter of the operations, four times as large. */
static void operations_that_grow_level_by_level_are_in_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < CURVES; i++) {
        struct measured it = {.random = i};
        int n = 256;
        for (double bytes = 1000; bytes <= LARGEST; bytes *= 4, n = n / 4 + 1)
            for (int op = 0; op < n; op++)
                execute(&it, OPCODE_MULTIPLY, curves[i], bytes * (0.7 + 0.3 * uniform(&it)));
    }
}

/* Jobs of any size, one after another: each does so much that the largest come late at times. */
static void operations_of_sizes_in_any_order_are_in_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct measured it = {.random = seed};
        for (int op = 0; op < 60; op++)
            execute(&it, OPCODE_TEXT, gmp_text, 1000 * pow(LARGEST / 1000, uniform(&it)));
    }
}

/* A thousand times 10!, then 10000000!. */
static void a_large_conversion_after_small_ones_is_in_time(void **state)
{
    (void)state;
    for (double largest = 16; largest < 1e5; largest *= 4) {
        struct measured it = {.random = 1};
        for (int op = 0; op < 100; op++)
            execute(&it, OPCODE_TEXT, gmp_text, 8 + largest * uniform(&it));
        execute(&it, OPCODE_TEXT, gmp_text, 27e6);
        execute(&it, OPCODE_TEXT, gmp_text, LARGEST);
    }
}

/* Nothing was measured: a coordinator has just begun. */
static void the_first_operation_of_all_is_in_time(void **state)
{
    (void)state;
    for (double bytes = 1; bytes <= LARGEST; bytes *= 3)
        for (enum opcode opcode = 0; opcode < OPCODES; opcode++) {
            struct measured it = {.random = 1};
            struct pace_of what = of(opcode, bytes);
            assert_false(pace_estimate(&it.own, &it.all, what).known);
            execute(&it, opcode, opcode == OPCODE_TEXT ? gmp_text : gmp_product, bytes);
            assert_true(pace_estimate(&it.own, &it.all, what).known);
        }
}

/* The job's products say how slow its workers are. */
static void the_first_conversion_after_products_on_a_slow_machine_is_in_time(void **state)
{
    (void)state;
    struct measured it = {.random = 1};
    for (double bytes = 1000; bytes <= LARGEST; bytes *= 4)
        note(&it, of(OPCODE_MULTIPLY, bytes), us_of(20 * gmp_product(bytes)));
    for (double bytes = 1e6; bytes <= LARGEST; bytes *= 3)
        assert_true(us_of(20 * gmp_text(bytes)) <= allowed_us(&it, of(OPCODE_TEXT, bytes)));
}

/* All that was measured is small, but took seconds: there it was the processor. */
static void the_first_of_a_kind_on_a_very_slow_machine_is_in_time(void **state)
{
    (void)state;
    struct measured it = {.random = 1};
    for (double bytes = 100; bytes <= 16384; bytes *= 2)
        note(&it, of(OPCODE_MULTIPLY, bytes), us_of(100000 * gmp_product(bytes)));
    for (double bytes = 16384; bytes <= 65536; bytes *= 2)
        assert_true(us_of(100000 * gmp_text(bytes)) <= allowed_us(&it, of(OPCODE_TEXT, bytes)));
}

/* --- and a stalled one is, in good time --- */

static void an_estimate_is_no_guess_where_something_like_it_was_measured(void **state)
{
    (void)state;
    for (size_t i = 0; i < CURVES; i++) {
        struct measured it = {.random = i};
        for (double bytes = 1000; bytes <= LARGEST; bytes *= 8)
            note(&it, of(OPCODE_TEXT, bytes), us_of(curves[i](bytes)));
        for (double bytes = 65536; bytes <= LARGEST; bytes *= 1.1) {
            struct pace_estimate expected = pace_estimate(&it.own, &it.all, of(OPCODE_TEXT, bytes));
            assert_true(expected.known);
            assert_in_range(expected.us, us_of(curves[i](bytes)) / 2, 3 * us_of(curves[i](bytes)));
        }
    }
}

static void a_slow_worker_has_paces_of_its_own(void **state)
{
    (void)state;
    struct measured it = {.random = 1};
    for (double bytes = 1000; bytes <= LARGEST; bytes *= 2)
        pace_note(&it.all, of(OPCODE_TEXT, bytes), us_of(gmp_text(bytes)));
    uint64_t usual_us = pace_estimate(&it.own, &it.all, of(OPCODE_TEXT, 27e6)).us;
    assert_in_range(usual_us, us_of(gmp_text(27e6)) / 2, 2 * us_of(gmp_text(27e6)));
    /* It has shown what it is with small ones only. */
    for (int op = 0; op < 20; op++)
        pace_note(&it.own, of(OPCODE_TEXT, 1e5), us_of(30 * gmp_text(1e5)));
    uint64_t own_us = pace_estimate(&it.own, &it.all, of(OPCODE_TEXT, 27e6)).us;
    assert_true(us_of(30 * gmp_text(27e6)) <= SLOW_FACTOR * own_us);
    assert_true(own_us >= 10 * usual_us);
}

/* An operation that was stopped for an hour says little. */
static void one_that_was_stopped_spoils_nothing(void **state)
{
    (void)state;
    struct measured it = {.random = 1};
    struct pace_of what = of(OPCODE_TEXT, 1e6);
    for (int op = 0; op < 10; op++)
        note(&it, what, us_of(gmp_text(1e6)));
    uint64_t before_us = pace_estimate(&it.own, &it.all, what).us;
    note(&it, what, 3600 * SECOND_US);
    assert_true(pace_estimate(&it.own, &it.all, what).us <= 2 * before_us);
    note(&it, what, UINT64_MAX);
    assert_true(pace_estimate(&it.own, &it.all, what).us <= 2 * before_us);
}

/* Whatever was measured, and however far away: no overflow, and a larger one takes no less. */
static void estimates_are_bounded_and_grow(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct measured it = {.random = seed};
        for (int op = 0; op < 3; op++)
            note(&it, of(OPCODE_TEXT, pow(2, 40 * uniform(&it))),
                 (uint64_t)pow(2, 63 * uniform(&it)));
        for (double bytes = 1; bytes < 1e18; bytes *= 7) {
            struct pace_estimate expected = pace_estimate(&it.own, &it.all, of(OPCODE_TEXT, bytes));
            assert_in_range(expected.us, 1, PACE_MAX_US);
        }
    }
    struct measured none = {0};
    uint64_t before_us = 0;
    for (double bytes = 1; bytes < 1e9; bytes *= 1.3) {
        uint64_t us = pace_estimate(&none.own, &none.all, of(OPCODE_TEXT, bytes)).us;
        assert_true(us >= before_us);
        before_us = us;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_that_grow_level_by_level_are_in_time),
        cmocka_unit_test(operations_of_sizes_in_any_order_are_in_time),
        cmocka_unit_test(a_large_conversion_after_small_ones_is_in_time),
        cmocka_unit_test(the_first_operation_of_all_is_in_time),
        cmocka_unit_test(the_first_conversion_after_products_on_a_slow_machine_is_in_time),
        cmocka_unit_test(the_first_of_a_kind_on_a_very_slow_machine_is_in_time),
        cmocka_unit_test(an_estimate_is_no_guess_where_something_like_it_was_measured),
        cmocka_unit_test(a_slow_worker_has_paces_of_its_own),
        cmocka_unit_test(one_that_was_stopped_spoils_nothing),
        cmocka_unit_test(estimates_are_bounded_and_grow),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
