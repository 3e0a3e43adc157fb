/* The arithmetic of majorities, against a version that only counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/limits.h"
#include "shared/base/quorum.h"
#include "shared/base/random.h"

static void two_majorities_share_a_voter_and_one_less_does_not(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= NODES_MAX; n++) {
        uint32_t quorum = quorum_of(n);
        assert_true(quorum <= n && 2 * quorum > n);
        assert_true(2 * (quorum - 1) <= n);
        assert_true(quorum_has(n, quorum) && !quorum_has(n, quorum - 1));
    }
}

static void what_may_stop_leaves_a_majority(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= NODES_MAX; n++)
        for (uint32_t there = 0; there <= n; there++) {
            uint32_t spare = quorum_spare(n, there);
            assert_true(!spare || quorum_has(n, there - spare));
            assert_false(quorum_has(n, there - spare) && there > spare &&
                         quorum_has(n, there - spare - 1));
        }
}

/* The greatest of the numbers that so many have at least. */
static uint64_t count_reached(const uint64_t *reached, uint32_t n)
{
    uint64_t best = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t have = 0;
        for (uint32_t other = 0; other < n; other++)
            have += reached[other] >= reached[i];
        if (2 * have > n && reached[i] > best)
            best = reached[i];
    }
    return best;
}

static void a_majority_has_what_counting_says_it_has(void **state)
{
    (void)state;
    uint64_t random = 8;
    for (int round = 0; round < 20000; round++) {
        uint64_t reached[NODES_MAX], copy[NODES_MAX];
        uint32_t n = 1 + (uint32_t)random_below(&random, round % 10 ? 9 : NODES_MAX);
        uint64_t spread = 1 + random_below(&random, 12); /* equal numbers are frequent */
        for (uint32_t i = 0; i < n; i++)
            reached[i] = random_below(&random, spread);
        memcpy(copy, reached, sizeof copy);
        assert_int_equal(quorum_reached(copy, n), count_reached(reached, n));
    }
}

static void nobody_has_reached_nothing(void **state)
{
    (void)state;
    uint64_t none[1] = {7};
    assert_int_equal(quorum_reached(none, 0), 0);
    assert_int_equal(quorum_reached(none, 1), 7);
}

/* A voter that does not count is 0: with a minority of those, the others decide; with more, none
 * does. */
static void who_does_not_count_is_as_one_that_has_nothing(void **state)
{
    (void)state;
    uint64_t minority[] = {9, 0, 5, 0, 7}, majority[] = {9, 0, 0, 0, 7};
    assert_int_equal(quorum_reached(minority, 5), 5);
    assert_int_equal(quorum_reached(majority, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_majorities_share_a_voter_and_one_less_does_not),
        cmocka_unit_test(what_may_stop_leaves_a_majority),
        cmocka_unit_test(a_majority_has_what_counting_says_it_has),
        cmocka_unit_test(nobody_has_reached_nothing),
        cmocka_unit_test(who_does_not_count_is_as_one_that_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
