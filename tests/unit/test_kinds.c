/* The kinds of jobs whose plans always have ranges, of one length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"

static struct plan parsed(const char *kind, const char *spec)
{
    struct plan plan;
    assert_int_equal(plan_parse(&plan, slice_of(kind), slice_of(spec), NULL), OK);
    return plan;
}

/* Ranges of one length, from 1 to N. Those of a binomial coefficient with few factors are one. */
static void ranges_of_one_length_lie_one_after_another(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *spec;
        uint64_t end;
        bool direct;
    } cases[] = {{"primorial", "0", 1, false},
                 {"primorial", "1", 1, false},
                 {"primorial", "30", 30, false},
                 {"primorial", "4294967295", UINT32_MAX, false},
                 {"binomial", "0 0", 1, true},
                 {"binomial", "5 7", 5, true},
                 {"binomial", "10 3", 10, false},
                 {"binomial", "4294967295 2147483647", UINT32_MAX, false},
                 {"binomial", "1000000 999999", 1000000, true},
                 {"binomial", "18446744073709551615 2", UINT64_MAX, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint64_t ranges = 4; ranges <= PLAN_RANGES_MAX; ranges *= 4) {
            struct plan plan = parsed(cases[i].kind, cases[i].spec);
            struct plan_operand operands[OPERANDS_MAX];
            uint64_t next = 1, whole = 0;
            assert_int_equal(plan_set_ranges(&plan, ranges), OK);
            for (uint64_t at = 0; at < ranges; at++) {
                size_t n = plan_operands(&plan, at + 1, operands);
                assert_int_equal(n, cases[i].kind[0] == 'p' ? 2 : 4);
                whole += operands[n - 2].literal == 1 && operands[n - 1].literal == cases[i].end;
                assert_true(operands[n - 2].literal == next && operands[n - 1].literal >= next);
                next = operands[n - 1].literal;
                assert_true(plan.kind->range_bytes(&plan, at) > 0);
            }
            assert_true(next == cases[i].end);
            assert_true(!cases[i].direct || whole >= 1);
            assert_int_equal(plan_opcode(&plan, plan_result(&plan)), OPCODE_TEXT);
        }
    }
}

/* There is no tree over integers for them: without a number of ranges there are a few. */
static void some_kinds_are_never_without_ranges(void **state)
{
    (void)state;
    struct plan plan = parsed("primorial", "30"), before = plan;
    assert_int_equal(plan.ranges, PLAN_RANGES_LEAST);
    assert_int_equal(plan_set_ranges(&plan, 0), OK);
    assert_memory_equal(&plan, &before, sizeof plan);
    assert_int_equal(plan_choose_ranges(&plan, PLAN_FASTER, 5), 16);
    assert_int_equal(plan_choose_ranges(&plan, PLAN_TREE, 5), 16);
    assert_int_equal(parsed("factorial", "30").ranges, 0);
}

static void results_of_other_kinds_are_shown_after_their_labels(void **state)
{
    (void)state;
    struct plan plan = parsed("binomial", "10^6 5*10^5");
    struct text label = {0}, name = {0}, strange = {0};
    plan_label(&plan, &label);
    plan_name(&plan, &name);
    assert_string_equal(label.at, "C(1000000,500000)");
    assert_string_equal(name.at, "binomial 1000000 500000");
    kind_label(plan.kind, "10", &strange); /* what a stranger sent */
    assert_string_equal(strange.at, "C(10,)");
    plan = parsed("primorial", "3_0");
    label = (struct text){0};
    plan_label(&plan, &label);
    assert_string_equal(label.at, "30#");
}

/* Never less than what is there, and not absurdly more. */
static void costs_are_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *spec;
        uint64_t least, most;
    } cases[] = {{"primorial", "1000000", 180062, 250000},
                 {"binomial", "1000000 500000", 124999, 130000},
                 {"binomial", "1000000000000 2", 10, 16},
                 {"binomial", "5 7", 1, 8},
                 {"binomial", "4294967295 2147483647", 536870909, 540000000},
                 {"binomial", "18446744073709551615 1000000", 5000000, 8000001}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan = parsed(cases[i].kind, cases[i].spec);
        assert_in_range(plan_cost(&plan), cases[i].least, cases[i].most);
    }
}

static void a_map_says_what_its_input_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *why;
    } wrong[] = {{"0 1 100", "1 to 10000000 tasks"},
                 {"10000001 1 100000000", "1 to 10000000 tasks"},
                 {"5 0 100", "cannot be in 0 segments"},
                 {"5 7 100", "cannot be in 7 segments"},
                 {"5000 1025 100000", "cannot be in 1025 segments"},
                 {"5 1 23", "cannot have 23 bytes"},
                 {"5 1 8589934593", "cannot have 8589934593 bytes"},
                 {"5 1 18446744073709551615", "cannot have"},
                 {"5 1", "three whole numbers"}};
    struct plan plan = parsed("map", "5 6 24");
    struct plan_input input = plan_input(&plan, 1);
    struct text label = {0};
    assert_true(plan.kind->tasks && plan.kind->commands && !plan.kind->instant);
    assert_int_equal(plan_tasks(&plan), 5);
    assert_int_equal(plan_inputs(&plan), 1);
    assert_true(input.segments == 6 && input.items == 6 && input.bytes == 24);
    assert_string_equal(input.format, "tasks");
    plan_label(&plan, &label);
    assert_string_equal(label.at, "map(5 tasks)");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct text why = {0};
        if (!plan_parse(&plan, slice_of("map"), slice_of(wrong[i].spec), &why) ||
            !strstr(why.at, wrong[i].why))
            fail_msg("%s: %s", wrong[i].spec, why.at);
    }
}

/* The leaves take all parts, in their order, two to four at a time; a single one alone. */
static void a_reduce_folds_all_parts_in_their_order(void **state)
{
    (void)state;
    for (uint64_t parts = 1; parts <= VALUE_SEGMENTS_MAX; parts++) {
        struct text spec = {0};
        struct plan_operand operands[OPERANDS_MAX];
        uint64_t next = 1, folds = 0;
        text_add(&spec, "%zu %zu 100", (size_t)parts, (size_t)(9 * parts));
        struct plan plan = parsed("reduce", spec.at);
        op_id_t result = plan_result(&plan);
        for (op_id_t op = 1; op < result; op++) {
            size_t n = plan_operands(&plan, op, operands);
            assert_int_equal(plan_opcode(&plan, op), OPCODE_FOLD);
            assert_in_range(n, parts > 1 ? 2 : 1, OPERANDS_MAX);
            folds += n - 1;
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(operands[i].input, plan_is_flat(&plan, op));
                if (operands[i].input)
                    assert_int_equal(operands[i].literal, next++);
                else /* results of others, from left to right */
                    assert_true(operands[i].op && (!i || operands[i].op != operands[i - 1].op));
            }
        }
        assert_int_equal(next, parts + 1);
        assert_int_equal(folds, parts - 1);
        assert_int_equal(plan_opcode(&plan, result), OPCODE_BYTES);
        assert_int_equal(plan_operands(&plan, result, operands), 1);
        assert_int_equal(operands[0].op, result - 1);
    }
}

static void a_reduce_says_what_its_inputs_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *why;
    } wrong[] = {{"0 0 100", "1 to 1024 parts"},
                 {"1025 9000 100", "1 to 1024 parts"},
                 {"5 19 100", "cannot have 19 bytes"},
                 {"5 8589934593 100", "cannot have 8589934593 bytes"},
                 {"5 100", "three whole numbers"}};
    struct plan plan = parsed("reduce", "5 20 77");
    struct plan_input values = plan_input(&plan, 1), program = plan_input(&plan, 2);
    struct text label = {0};
    assert_true(plan.kind->commands && !plan.kind->tasks);
    assert_int_equal(plan_inputs(&plan), 2);
    assert_true(values.segments == 5 && values.items == 5 && values.bytes == 20);
    assert_string_equal(values.format, "parts");
    assert_true(program.segments == 1 && program.items == 2 && program.bytes == 77);
    assert_string_equal(program.format, "operator");
    plan_label(&plan, &label);
    assert_string_equal(label.at, "reduce(5 parts)");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct text why = {0};
        if (!plan_parse(&plan, slice_of("reduce"), slice_of(wrong[i].spec), &why) ||
            !strstr(why.at, wrong[i].why))
            fail_msg("%s: %s", wrong[i].spec, why.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_one_length_lie_one_after_another),
        cmocka_unit_test(some_kinds_are_never_without_ranges),
        cmocka_unit_test(results_of_other_kinds_are_shown_after_their_labels),
        cmocka_unit_test(costs_are_bounds),
        cmocka_unit_test(a_map_says_what_its_input_must_be),
        cmocka_unit_test(a_reduce_folds_all_parts_in_their_order),
        cmocka_unit_test(a_reduce_says_what_its_inputs_must_be),
    };
    return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
