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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_one_length_lie_one_after_another),
        cmocka_unit_test(some_kinds_are_never_without_ranges),
        cmocka_unit_test(results_of_other_kinds_are_shown_after_their_labels),
        cmocka_unit_test(costs_are_bounds),
    };
    return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
