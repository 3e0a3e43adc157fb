/* Progress, the first seed: SetState, Snap and reads of past snaps, as a library alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"

static uint64_t state_in(const struct progress *progress, uint64_t index, uint64_t snapshot)
{
    uint64_t state = UINT64_MAX;
    assert_int_equal(progress_get_state(progress, index, snapshot, &state), OK);
    return state;
}

static void assert_none(const struct progress *progress, uint64_t index, uint64_t snapshot)
{
    uint64_t state = 77;
    assert_int_equal(progress_get_state(progress, index, snapshot, &state), ERR_NOT_FOUND);
    assert_int_equal(state, 77); /* untouched */
}

/* What the store holds: all that may grow. */
static size_t count_marks(const struct progress *progress)
{
    size_t marks = 0;
    const struct progress_node *node;
    for (size_t at = 0; (node = map_next(&progress->nodes, &at, NULL));)
        marks += node->n;
    return marks;
}

/* --- what the seed says --- */

static void a_node_never_set_has_state_0(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_int_equal(progress_now(&progress, 3), 0);
    assert_int_equal(progress_snap(&progress), 0);
    assert_int_equal(state_in(&progress, 3, 0), 0);
    progress_set_state(&progress, 3, 5);
    assert_int_equal(state_in(&progress, 3, 0), 0); /* not by then */
    assert_int_equal(progress_now(&progress, 4), 0);
    progress_clear(&progress);
}

static void a_snap_not_taken_yet_is_none(void **state)
{
    (void)state;
    struct progress progress = {0};
    progress_set_state(&progress, 1, 5);
    assert_none(&progress, 1, 0); /* as many as were taken is one too many */
    assert_none(&progress, 2, 0);
    assert_none(&progress, 1, UINT64_MAX);
    progress_snap(&progress);
    assert_int_equal(state_in(&progress, 1, 0), 5);
    assert_none(&progress, 1, 1);
    progress_clear(&progress);
}

static void ids_count_the_snaps_from_0(void **state)
{
    (void)state;
    struct progress progress = {0};
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(progress_snap(&progress), i);
    progress_clear(&progress);
}

static void a_snap_holds_what_was_set_before_it_and_nothing_later(void **state)
{
    (void)state;
    struct progress progress = {0};
    progress_set_state(&progress, 0, 5);
    progress_set_state(&progress, 1, 1);
    assert_int_equal(progress_snap(&progress), 0);
    progress_set_state(&progress, 0, 6);
    assert_int_equal(progress_snap(&progress), 1);
    assert_int_equal(progress_snap(&progress), 2);
    progress_set_state(&progress, 0, 2); /* a state may go down */
    assert_int_equal(state_in(&progress, 0, 0), 5);
    assert_int_equal(state_in(&progress, 0, 1), 6);
    assert_int_equal(state_in(&progress, 0, 2), 6);
    assert_int_equal(state_in(&progress, 1, 2), 1);
    assert_int_equal(progress_now(&progress, 0), 2);
    progress_clear(&progress);
}

static void set_is_idempotent(void **state)
{
    (void)state;
    struct progress progress = {0};
    for (int i = 0; i < 3; i++)
        progress_set_state(&progress, 1, 5);
    assert_int_equal(count_marks(&progress), 1);
    progress_snap(&progress);
    progress_set_state(&progress, 1, 5); /* the same across a snap is no change either */
    assert_int_equal(count_marks(&progress), 1);
    assert_int_equal(state_in(&progress, 1, 0), 5);
    assert_int_equal(progress_now(&progress, 1), 5);
    progress_clear(&progress);
}

static void any_64_bit_state_will_do(void **state)
{
    (void)state;
    struct progress progress = {0};
    progress_set_state(&progress, PROGRESS_INDEX_MAX, UINT64_MAX);
    progress_set_state(&progress, 0, 1);
    progress_snap(&progress);
    assert_int_equal(state_in(&progress, PROGRESS_INDEX_MAX, 0), UINT64_MAX);
    assert_int_equal(state_in(&progress, 0, 0), 1);
    progress_clear(&progress);
}

/* --- bounds --- */

static void an_index_beyond_the_last_one_changes_nothing_W5(void **state)
{
    (void)state;
    struct progress progress = {0};
    for (uint64_t i = 0; i < 400000; i++)
        progress_set_state(&progress, i, i + 1);
    assert_int_equal(progress.nodes.count, PROGRESS_INDEX_MAX + 1);
    assert_int_equal(progress_now(&progress, PROGRESS_INDEX_MAX), PROGRESS_INDEX_MAX + 1);
    assert_int_equal(progress_now(&progress, PROGRESS_INDEX_MAX + 1), 0);
    /* A store of an earlier release may hold some: they are forgotten, and the rest is read. */
    assert_int_equal(progress_load_mark(&progress, UINT64_MAX, (struct progress_mark){0, 1}), OK);
    assert_int_equal(progress.nodes.count, PROGRESS_INDEX_MAX + 1);
    progress_clear(&progress);
}

/* Set and snap, for ever: the latest snaps can be read, and older changes are forgotten. */
static void marks_that_no_snap_sees_any_more_are_forgotten_W5(void **state)
{
    (void)state;
    enum { SNAPS = 1000 };
    struct progress progress = {.snaps_max = 50};
    uint64_t got;
    progress_set_state(&progress, 2, 77); /* once, and never again */
    for (uint64_t i = 0; i < SNAPS; i++) {
        progress_set_state(&progress, 1, i + 1);
        assert_int_equal(progress_snap(&progress), i);
        assert_true(progress_find(&progress, 1)->n <= 50 + 50 / 4 + 16);
        for (uint64_t past = progress_first_snap(&progress); past <= i; past++) {
            assert_int_equal(state_in(&progress, 1, past), past + 1);
            assert_int_equal(state_in(&progress, 2, past), 77);
        }
    }
    assert_int_equal(progress_first_snap(&progress), SNAPS - 50);
    assert_int_equal(progress_get_state(&progress, 1, SNAPS - 51, &got), ERR_STALE);
    assert_int_equal(progress_get_state(&progress, 1, SNAPS, &got), ERR_NOT_FOUND);
    progress_clear(&progress);
}

/* --- costs --- */

static void memory_grows_with_changes_only(void **state)
{
    (void)state;
    enum { NODES = 100, SNAPS = 1000000, CHANGES = 500 };
    struct progress progress = {0};
    for (uint64_t i = 0; i < NODES; i++)
        progress_set_state(&progress, i, 1);
    assert_int_equal(count_marks(&progress), NODES);
    for (int i = 0; i < SNAPS; i++) /* a snap writes no node: O(1) */
        progress_snap(&progress);
    assert_int_equal(count_marks(&progress), NODES);
    for (int i = 0; i < CHANGES; i++) { /* one mark a node that changed between two snaps ... */
        progress_set_state(&progress, 7, (uint64_t)i + 10);
        progress_snap(&progress);
    }
    assert_int_equal(count_marks(&progress), NODES + CHANGES);
    for (int i = 0; i < CHANGES; i++) /* ... however often it changed there */
        progress_set_state(&progress, 8, (uint64_t)i + 10);
    assert_int_equal(count_marks(&progress), NODES + CHANGES + 1);
    for (uint64_t i = NODES; i < 2 * NODES; i++) /* a read makes no node known */
        assert_int_equal(state_in(&progress, i, SNAPS), 0);
    assert_int_equal(progress.nodes.count, NODES);
    progress_clear(&progress);
}

/* Reads of node 0, microseconds, after so many changes. */
static uint64_t read_us(uint64_t changes)
{
    enum { READS = 100000 };
    struct progress progress = {0};
    uint64_t seed = changes, sum = 0, wanted = 0;
    progress.snaps_max = changes;
    for (uint64_t i = 0; i < changes; i++) {
        progress_set_state(&progress, 0, i + 1);
        progress_snap(&progress);
    }
    uint64_t began_us = clock_now_us();
    for (int i = 0; i < READS; i++) {
        uint64_t snapshot = random_below(&seed, changes);
        sum += state_in(&progress, 0, snapshot);
        wanted += snapshot + 1;
    }
    uint64_t took_us = clock_now_us() - began_us;
    assert_int_equal(sum, wanted);
    progress_clear(&progress);
    return took_us;
}

static void a_read_is_logarithmic_in_the_changes(void **state)
{
    (void)state;
    /* A million changes against sixteen: five times the steps, and caches that miss. A walk would
     * take 65536 times as long. */
    uint64_t few_us = read_us(16), many_us = read_us(1 << 20);
    assert_true(many_us < 500 * (few_us + 1));
}

/* --- the naive way, as the seed has it: a copy of all states for each snap --- */

enum { ORACLE_NODES = 12, ORACLE_SNAPS = 64 };

static void everything_is_as_with_a_copy_for_every_snap(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t draw = seed, snaps = 0;
        uint64_t now[ORACLE_NODES] = {0}, past[ORACLE_SNAPS][ORACLE_NODES];
        struct progress progress = {0};
        for (int step = 0; step < 400; step++) {
            uint64_t index = random_below(&draw, ORACLE_NODES), value = random_below(&draw, 4);
            uint64_t action = random_below(&draw, 10);
            if (action < 5) {
                progress_set_state(&progress, index, now[index] = value);
            } else if (action < 6 && snaps < ORACLE_SNAPS) {
                memcpy(past[snaps], now, sizeof now);
                assert_int_equal(progress_snap(&progress), snaps++);
            } else {
                uint64_t snapshot = random_below(&draw, ORACLE_SNAPS + 2);
                if (snapshot < snaps)
                    assert_int_equal(state_in(&progress, index, snapshot), past[snapshot][index]);
                else
                    assert_none(&progress, index, snapshot);
                assert_int_equal(progress_now(&progress, index), now[index]);
            }
        }
        progress_clear(&progress);
    }
}

/* --- a checkpoint: what was saved mark by mark is the same store --- */

static void marks_loaded_in_their_order_are_the_same_store(void **state)
{
    (void)state;
    struct progress a = {0}, b = {0};
    uint64_t draw = 42;
    for (int i = 0; i < 2000; i++) {
        progress_set_state(&a, random_below(&draw, 20), random_below(&draw, 5));
        if (random_below(&draw, 7) == 0)
            progress_snap(&a);
    }
    b.snapshots = a.snapshots;
    struct progress_node *node;
    for (size_t at = 0; (node = map_next(&a.nodes, &at, NULL));)
        for (size_t i = 0; i < node->n; i++)
            assert_int_equal(progress_load_mark(&b, node->index, node->marks[i]), OK);
    for (uint64_t index = 0; index < 21; index++) {
        assert_int_equal(progress_now(&a, index), progress_now(&b, index));
        for (uint64_t snapshot = 0; snapshot < a.snapshots; snapshot++)
            assert_int_equal(state_in(&a, index, snapshot), state_in(&b, index, snapshot));
    }
    assert_int_equal(progress_snap(&b), a.snapshots);
    progress_clear(&a);
    progress_clear(&b);
}

static void a_mark_out_of_order_is_refused(void **state)
{
    (void)state;
    struct progress progress = {.snapshots = 5};
    assert_int_equal(progress_load_mark(&progress, 1, (struct progress_mark){6, 1}), ERR_MALFORMED);
    assert_int_equal(progress_load_mark(&progress, 1, (struct progress_mark){3, 1}), OK);
    assert_int_equal(progress_load_mark(&progress, 1, (struct progress_mark){3, 2}), ERR_MALFORMED);
    assert_int_equal(progress_load_mark(&progress, 1, (struct progress_mark){2, 2}), ERR_MALFORMED);
    assert_int_equal(progress_load_mark(&progress, 1, (struct progress_mark){5, 2}), OK);
    assert_int_equal(state_in(&progress, 1, 4), 1);
    assert_int_equal(progress_now(&progress, 1), 2);
    progress_clear(&progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_never_set_has_state_0),
        cmocka_unit_test(a_snap_not_taken_yet_is_none),
        cmocka_unit_test(ids_count_the_snaps_from_0),
        cmocka_unit_test(a_snap_holds_what_was_set_before_it_and_nothing_later),
        cmocka_unit_test(set_is_idempotent),
        cmocka_unit_test(any_64_bit_state_will_do),
        cmocka_unit_test(an_index_beyond_the_last_one_changes_nothing_W5),
        cmocka_unit_test(marks_that_no_snap_sees_any_more_are_forgotten_W5),
        cmocka_unit_test(memory_grows_with_changes_only),
        cmocka_unit_test(a_read_is_logarithmic_in_the_changes),
        cmocka_unit_test(everything_is_as_with_a_copy_for_every_snap),
        cmocka_unit_test(marks_loaded_in_their_order_are_the_same_store),
        cmocka_unit_test(a_mark_out_of_order_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
