/* How long the turns of an event loop take, and whose fault it is. */
#include "nodes/io/turns.h"
#include "shared/base/gather.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#include <cmocka.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/urgency.h"

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

static void the_more_clients_wait_the_longer_a_turn_gathers(void **state)
{
    (void)state;
    assert_int_equal(gather_until_us(SECOND_US, 0), SECOND_US);
    assert_true(gather_until_us(SECOND_US, 1) <=
                SECOND_US + MS_US / 50); /* nothing that it notices */
    assert_true(gather_until_us(SECOND_US, 100) >= SECOND_US + MS_US / 2);
    assert_int_equal(gather_until_us(SECOND_US, SIZE_MAX / GATHER_CLIENT_US),
                     SECOND_US + GATHER_MAX_US);
}

static void *look(void *high)
{
    *(bool *)high = urgency_is_high();
    urgency_normal();
    *((bool *)high + 1) = urgency_is_high();
    return NULL;
}

/* The threads of ZeroMQ carry the heartbeats; those that compute say that they are none of these.
 */
static void a_loop_takes_short_turns_and_so_does_what_it_starts(void **state)
{
    (void)state;
    struct utsname system;
    unsigned major = 0, minor = 0;
    pthread_t thread;
    bool high[2] = {false, true};
    uname(&system);
    sscanf(system.release, "%u.%u", &major, &minor);
    assert_false(urgency_is_high());
    urgency_high();
    if (major < 6 || (major == 6 && minor < 12))
        skip(); /* the kernel knows no such turns */
    assert_true(urgency_is_high());
    assert_int_equal(pthread_create(&thread, NULL, look, high), 0);
    pthread_join(thread, NULL);
    assert_true(high[0] && !high[1]);
    urgency_normal();
    assert_false(urgency_is_high());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_that_waits_for_something_is_to_blame),
        cmocka_unit_test(the_more_clients_wait_the_longer_a_turn_gathers),
        cmocka_unit_test(a_turn_that_computes_is_to_blame_for_that_alone),
        cmocka_unit_test(a_loop_takes_short_turns_and_so_does_what_it_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
