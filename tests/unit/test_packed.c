/* Integers one after another, as stored values of the format "integers" hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shared/base/packed.h"

static void each_integer_has_one_form(void **state)
{
    (void)state;
    static const uint8_t magnitude[] = {0x39, 0x30, 0, 0}; /* 12345, with leading zeros */
    uint8_t at[64];
    size_t len = packed_put(at, true, (struct slice){magnitude, 4});
    assert_int_equal(len, packed_bytes(2));
    len += packed_put(at + len, false, (struct slice){magnitude, 2});
    len += packed_put(at + len, true, (struct slice){magnitude + 2, 2}); /* there is no -0 */
    struct slice rest = {at, len};
    struct packed_integer one;
    assert_true(packed_take(&rest, &one));
    assert_true(one.negative && one.magnitude.len == 2 && one.magnitude.at[0] == 0x39);
    assert_true(packed_take(&rest, &one));
    assert_true(!one.negative && one.magnitude.len == 2);
    assert_true(packed_take(&rest, &one));
    assert_true(!one.negative && one.magnitude.len == 0);
    assert_int_equal(rest.len, 0);
    uint64_t count;
    assert_true(packed_count((struct slice){at, len}, &count));
    assert_int_equal(count, 3);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t at[8];
        size_t len;
    } cases[] = {{"a length alone", {1, 0, 0, 0}, 4},
                 {"cut short", {3, 0, 0, 0, 0, 1}, 6},
                 {"a cut length", {1, 0}, 2},
                 {"nothing in it", {0, 0, 0, 0}, 4},
                 {"an unknown sign", {2, 0, 0, 0, 2, 5}, 6},
                 {"a leading zero", {3, 0, 0, 0, 0, 5, 0}, 7},
                 {"zero with a zero", {2, 0, 0, 0, 0, 0}, 6},
                 {"-0", {1, 0, 0, 0, 1}, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice rest = {cases[i].at, cases[i].len};
        struct packed_integer one;
        uint64_t count;
        if (packed_take(&rest, &one) || rest.len != cases[i].len || packed_count(rest, &count))
            fail_msg("%s was taken", cases[i].what);
    }
    uint64_t count;
    assert_true(packed_count((struct slice){NULL, 0}, &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_integer_has_one_form),
        cmocka_unit_test(what_is_no_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
