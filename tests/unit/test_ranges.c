/* Sets of numbers as ranges, against a plain array of flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/base/random.h"
#include "shared/base/ranges.h"

enum { NUMBERS = 60, STEPS = 20000 };

static uint64_t mark(bool flags[NUMBERS], struct range range, bool to)
{
    uint64_t changed = 0;
    for (uint64_t i = range.first; i < range_end(range); i++) {
        changed += flags[i] != to;
        flags[i] = to;
    }
    return changed;
}

/* The first of a run of numbers with that flag in the range; count 0: there is none. */
static struct range run_of(const bool flags[NUMBERS], struct range within, bool flag)
{
    uint64_t first = within.first;
    while (first < range_end(within) && flags[first] != flag)
        first++;
    uint64_t end = first;
    while (end < range_end(within) && flags[end] == flag)
        end++;
    return (struct range){first, end - first};
}

static void assert_same(const struct ranges *set, const bool flags[NUMBERS], struct range within)
{
    struct range found = {0}, expected = run_of(flags, within, true);
    assert_int_equal(ranges_next(set, within, &found), expected.count > 0);
    if (expected.count)
        assert_memory_equal(&found, &expected, sizeof found);
    expected = run_of(flags, within, false);
    assert_int_equal(ranges_gap(set, within, &found), expected.count > 0);
    if (expected.count)
        assert_memory_equal(&found, &expected, sizeof found);
    assert_int_equal(ranges_has_all(set, within), !expected.count);
    for (uint64_t i = 0; i < NUMBERS; i++)
        assert_int_equal(ranges_has(set, i), flags[i]);
}

static void a_set_is_what_an_array_of_flags_is(void **context)
{
    struct ranges set = {0}, copy = {0};
    bool flags[NUMBERS] = {0};
    uint64_t random = 11;
    (void)context;
    for (int step = 0; step < STEPS; step++) {
        struct range range = {random_below(&random, NUMBERS), 0};
        range.count =
            random_below(&random, (NUMBERS - range.first < 9 ? NUMBERS - range.first : 9) + 1);
        bool add = random_below(&random, 2);
        uint64_t changed = mark(flags, range, add);
        assert_int_equal(add ? ranges_add(&set, range) : ranges_remove(&set, range), changed);
        ranges_check_invariants(&set);
        range.first = random_below(&random, NUMBERS);
        range.count = random_below(&random, NUMBERS - range.first + 1);
        assert_same(&set, flags, range);
    }
    ranges_copy(&copy, &set);
    ranges_check_invariants(&copy);
    assert_int_equal(copy.count, set.count);
    assert_memory_equal(copy.at, set.at, set.n * sizeof *set.at);
    ranges_clear(&set);
    ranges_clear(&copy);
}

static void a_million_numbers_in_a_row_are_one_range(void **context)
{
    struct ranges set = {0};
    (void)context;
    for (uint64_t i = 1; i <= 1000000; i++)
        assert_int_equal(ranges_add(&set, (struct range){i, 1}), 1);
    assert_int_equal(set.n, 1);
    assert_int_equal(set.count, 1000000);
    ranges_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_what_an_array_of_flags_is),
        cmocka_unit_test(a_million_numbers_in_a_row_are_one_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
