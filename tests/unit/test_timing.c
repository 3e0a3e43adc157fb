/* Where the time of a job goes: whatever happens, its phases add up to its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/schedule/timing.h"
#include "shared/base/random.h"

static void each_moment_belongs_to_one_phase(void **state)
{
    (void)state;
    struct timing timing = {0};
    timing_begin(&timing, 1000, PHASE_PLANNING, PHASE_ANNOUNCING, 70);
    timing_enter(&timing, 1010, PHASE_COMPUTING);
    timing_enter(&timing, 1030, PHASE_COMPUTING);
    timing_enter(&timing, 1060, PHASE_KEEPING);
    assert_int_equal(timing_of(&timing, 1100, PHASE_ANNOUNCING), 70);
    assert_int_equal(timing_of(&timing, 1100, PHASE_PLANNING), 10);
    assert_int_equal(timing_of(&timing, 1100, PHASE_COMPUTING), 50);
    assert_int_equal(timing_of(&timing, 1100, PHASE_KEEPING), 40);
    assert_int_equal(timing_total(&timing, 1100), 170);
}

static void what_is_moved_to_another_phase_is_no_more_than_there_was(void **state)
{
    (void)state;
    struct timing timing = {0};
    timing_begin(&timing, 0, PHASE_MOVING, PHASE_WAITING, 5);
    timing_move(&timing, 10, PHASE_MOVING, PHASE_COMPUTING, 4);
    assert_int_equal(timing_of(&timing, 10, PHASE_MOVING), 6);
    assert_int_equal(timing_of(&timing, 10, PHASE_COMPUTING), 4);
    timing_move(&timing, 20, PHASE_MOVING, PHASE_COMPUTING, 1000);
    assert_int_equal(timing_of(&timing, 20, PHASE_MOVING), 0);
    assert_int_equal(timing_of(&timing, 20, PHASE_COMPUTING), 20);
    assert_int_equal(timing_total(&timing, 20), 25);
}

/* Also when a clock goes back. */
static void phases_add_up_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        uint64_t random = seed, now_us = random_below(&random, 1000), began_us = now_us, latest_us;
        struct timing timing = {0};
        uint64_t before_us = random_below(&random, 1000);
        timing_begin(&timing, now_us, PHASE_WAITING, PHASE_EARLIER, before_us);
        latest_us = now_us;
        for (int i = 0; i < 100; i++) {
            enum phase phase = (enum phase)random_below(&random, PHASE_KINDS);
            enum phase other = (enum phase)random_below(&random, PHASE_KINDS);
            now_us = latest_us + random_below(&random, 100);
            if (random_below(&random, 10) == 0 && now_us > 50)
                now_us -= 50;
            if (random_below(&random, 3))
                timing_enter(&timing, now_us, phase);
            else
                timing_move(&timing, now_us, phase, other, random_below(&random, 200));
            latest_us = now_us > latest_us ? now_us : latest_us;
            assert_int_equal(timing_total(&timing, latest_us), latest_us - began_us + before_us);
        }
    }
}

static void every_phase_has_a_name_that_fits(void **state)
{
    (void)state;
    for (enum phase phase = 0; phase < PHASE_KINDS; phase++) {
        size_t len = 0;
        while (phase_name(phase)[len])
            len++;
        assert_in_range(len, 1, PHASE_NAME_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_moment_belongs_to_one_phase),
        cmocka_unit_test(what_is_moved_to_another_phase_is_no_more_than_there_was),
        cmocka_unit_test(phases_add_up_in_any_order),
        cmocka_unit_test(every_phase_has_a_name_that_fits),
    };
    return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
