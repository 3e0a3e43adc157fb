/* How long the turns of an event loop take, and whose fault it is. */
#include "nodes/io/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"

#define LONG_US (20 * MS_US)

static uint64_t turn_of(struct turns *turns, void (*work)(void))
{
    turns_begin(turns, clock_now_us());
    work();
    uint64_t now_us = clock_now_us();
    turns_part(turns, "work", now_us);
    return turns_end(turns, now_us);
}

static void block(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LONG_US * 1000}, NULL); /* as for a lock or a disk */
}

/* Of processor time, so that it takes longer where that is short. */
static void compute(void)
{
    struct timespec now, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    end.tv_nsec += LONG_US * 1000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void a_turn_that_waits_for_something_is_to_blame(void **state)
{
    (void)state;
    struct turns turns = {0};
    turns_open(&turns);
    uint64_t took_us = turn_of(&turns, block);
    assert_true(took_us >= LONG_US);
    if (turns.schedstat)
        assert_true(turns.last.given_up > 0);
    assert_true(turns_own_us(&turns, took_us) + turns.last.wait_us >= LONG_US);
    assert_true(turns_longest(&turns, clock_now_us()).us == took_us);
    turns_close(&turns);
}

static void a_turn_that_computes_is_to_blame_for_that_alone(void **state)
{
    (void)state;
    struct turns turns = {0};
    turns_open(&turns);
    uint64_t took_us = turn_of(&turns, compute), own_us = turns_own_us(&turns, took_us);
    assert_true(took_us >= LONG_US && own_us <= took_us);
    if (turns.schedstat && !turns.last.given_up) /* another thread may have interrupted it */
        assert_true(own_us <= turns.last.ran_us);
    assert_true(own_us + 5 * MS_US >= LONG_US);
    turns_close(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_that_waits_for_something_is_to_blame),
        cmocka_unit_test(a_turn_that_computes_is_to_blame_for_that_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
