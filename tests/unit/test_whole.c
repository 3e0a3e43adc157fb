/* Whole numbers as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/base/error.h"
#include "shared/base/random.h"
#include "shared/base/whole.h"

static void what_people_write_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {{"0", 0},
                 {"10", 10},
                 {"007", 7},
                 {"1000000", 1000000},
                 {"1_000_000", 1000000},
                 {"1e6", 1000000},
                 {"1E6", 1000000},
                 {"10^6", 1000000},
                 {"5*10^5", 500000},
                 {"2^63", UINT64_C(1) << 63},
                 {"3*5*7", 105},
                 {"25e0", 25},
                 {"1_0e1_0", 100000000000},
                 {"0^0", 1},
                 {"0*10^99", 0},
                 {"0e99", 0},
                 {"1^18446744073709551616", 1},
                 {"0^18446744073709551616", 0},
                 {"18446744073709551615", UINT64_MAX},
                 {"1844674407370955161_5", UINT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 99;
        assert_int_equal(parse_whole(slice_of(cases[i].text), UINT64_MAX, &value), OK);
        assert_true(value == cases[i].value);
    }
}

static void what_is_no_number_is_not(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     " ",     "-1",    "+1",    "1 ",   " 1",
                                        "1.5",  "1e",    "e6",    "^2",    "2^",   "_1",
                                        "1_",   "1__0",  "1*",    "*2",    "0x1",  "1e-3",
                                        "2^-1", "1e2e3", "2^3^2", "1,000", "1e2^3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t value = 99;
        assert_int_equal(parse_whole(slice_of(wrong[i]), UINT64_MAX, &value), ERR_MALFORMED);
        assert_int_equal(value, 99);
    }
}

static void what_is_too_large_is_told_apart(void **state)
{
    (void)state;
    static const char *const large[] = {"18446744073709551616",
                                        "1e20",
                                        "2^64",
                                        "10^18446744073709551615",
                                        "99999999999999999999999999",
                                        "2^63*2",
                                        "3^99999999999999999999"};
    uint64_t value = 99;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        assert_int_equal(parse_whole(slice_of(large[i]), UINT64_MAX, &value), ERR_RANGE);
    assert_int_equal(parse_whole(slice_of("1e3"), 999, &value), ERR_RANGE);
    assert_int_equal(value, 99);
    assert_int_equal(parse_whole(slice_of("999"), 999, &value), OK);
}

static void digits_are_what_they_were(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 10000; i++) {
        uint64_t number = random_u64(&random) >> random_below(&random, 64), read;
        struct text text = {0};
        text_add(&text, "%llu", (unsigned long long)number);
        assert_int_equal(parse_whole(slice_of(text.at), UINT64_MAX, &read), OK);
        assert_true(read == number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_read),
        cmocka_unit_test(what_is_no_number_is_not),
        cmocka_unit_test(what_is_too_large_is_told_apart),
        cmocka_unit_test(digits_are_what_they_were),
    };
    return cmocka_run_group_tests_name("whole", tests, NULL, NULL);
}
