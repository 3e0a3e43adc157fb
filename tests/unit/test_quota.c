/* Requests a second of each key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "broker/quota.h"
#include "shared/base/limits.h"

#define RATE 100

static unsigned allowed(struct quota *quota, const char *name, unsigned tries, uint64_t now_us)
{
    unsigned n = 0;
    for (unsigned i = 0; i < tries; i++)
        n += quota_allows(quota, slice_of(name), now_us);
    return n;
}

static void a_key_has_its_rate_and_a_burst_and_takes_nobody_elses_X8(void **state)
{
    (void)state;
    struct quota quota;
    uint64_t now_us = 5 * SECOND_US, burst = RATE * QUOTA_BURST_US / SECOND_US;
    quota_init(&quota, RATE);
    assert_int_equal(allowed(&quota, "alice", 10 * RATE, now_us), burst);
    assert_int_equal(allowed(&quota, "alice", RATE, now_us), 0);
    assert_int_equal(allowed(&quota, "bob", 10 * RATE, now_us), burst);
    for (int second = 1; second <= 5; second++) {
        now_us += SECOND_US;
        assert_in_range(allowed(&quota, "alice", 10 * RATE, now_us), RATE - 1, RATE + 1);
    }
    now_us += 3600 * SECOND_US; /* who was away has saved up no more than a burst */
    assert_int_equal(allowed(&quota, "alice", 10 * RATE, now_us), burst);
    quota_clear(&quota);
}

static void without_a_rate_everybody_may_ask(void **state)
{
    (void)state;
    struct quota quota;
    quota_init(&quota, 0);
    assert_int_equal(allowed(&quota, "alice", 1000, 1), 1000);
    quota_clear(&quota);
}

static void names_are_bounded_X8(void **state)
{
    (void)state;
    struct quota quota;
    char name[32];
    quota_init(&quota, RATE);
    for (unsigned i = 0; i < 3 * QUOTA_NAMES_MAX; i++) {
        text_format(name, sizeof name, "name-%u", i);
        assert_true(quota_allows(&quota, slice_of(name), SECOND_US));
        assert_true(quota.paid_until.count <= QUOTA_NAMES_MAX);
    }
    quota_clear(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_rate_and_a_burst_and_takes_nobody_elses_X8),
        cmocka_unit_test(without_a_rate_everybody_may_ask),
        cmocka_unit_test(names_are_bounded_X8),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
