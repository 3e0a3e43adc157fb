/* The map, against a plain array, and how long its calls take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "shared/base/limits.h"
#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

#define ORACLE_KEYS 700

static void the_map_agrees_with_a_naive_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        struct map map = {0};
        static int marks[ORACLE_KEYS];
        void *oracle[ORACLE_KEYS] = {0};
        size_t count = 0;
        for (int step = 0; step < 20000; step++) {
            /* Phases of growth and of shrinking; keys that differ in either half only. */
            size_t i = (size_t)random_below(&random, ORACLE_KEYS);
            struct map_key key = {i % 2 ? i : 0, i % 2 ? 0 : i * UINT64_C(0x100000000)};
            bool growing = step % 8000 < 4000;
            uint64_t dice = random_below(&random, 10);
            if (dice < (growing ? 6 : 2)) {
                void *value = &marks[random_below(&random, ORACLE_KEYS)];
                assert_ptr_equal(map_put(&map, key, value), oracle[i]);
                count += !oracle[i];
                oracle[i] = value;
            } else if (dice < 8) {
                assert_ptr_equal(map_remove(&map, key), oracle[i]);
                count -= oracle[i] != NULL;
                oracle[i] = NULL;
            } else {
                assert_ptr_equal(map_get(&map, key), oracle[i]);
            }
            assert_int_equal(map.count, count);
        }
        size_t at = 0, seen = 0;
        struct map_key key;
        void *value;
        while ((value = map_next(&map, &at, &key))) {
            size_t i = key.a ? key.a : key.b >> 32;
            assert_ptr_equal(oracle[i], value);
            seen++;
        }
        assert_int_equal(seen, count);
        map_clear(&map);
        assert_null(map_get(&map, (struct map_key){1, 0}));
        assert_null(map_remove(&map, (struct map_key){1, 0}));
    }
}

/* Large enough to grow a little at a time; looked through in the middle of that, too. */
static void a_large_map_agrees_while_it_grows(void **state)
{
    (void)state;
    enum { KEYS = 60000, LOOK_EVERY = 7919 };
    static uint8_t oracle[KEYS];
    static int mark;
    uint64_t random = 5;
    struct map map = {0};
    size_t count = 0;
    for (int step = 0; step < 400000; step++) {
        size_t i = (size_t)random_below(&random, KEYS);
        struct map_key key = {i, i * UINT64_C(0x9e3779b97f4a7c15)};
        bool removes = random_below(&random, 4) == 0;
        void *before = removes ? map_remove(&map, key) : map_put(&map, key, &mark);
        assert_true(!before == !oracle[i]);
        count += (size_t)!removes - oracle[i];
        oracle[i] = !removes;
        assert_int_equal(map.count, count);
        i = (size_t)random_below(&random, KEYS);
        key = (struct map_key){i, i * UINT64_C(0x9e3779b97f4a7c15)};
        assert_true(!map_get(&map, key) == !oracle[i]);
        if (step % LOOK_EVERY)
            continue;
        size_t seen = 0;
        for (size_t at = 0; map_next(&map, &at, &key); seen++)
            assert_true(key.a < KEYS && oracle[key.a]);
        assert_int_equal(seen, count);
    }
    map_clear(&map);
}

static uint64_t used_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

/* A table of a million keys that is moved at once keeps an event loop for 50 ms and more. */
static void no_call_takes_long_however_many_keys_there_are_W7(void **state)
{
    (void)state;
    static int mark;
    struct map map = {0};
    uint64_t worst_us = 0;
    for (uint64_t i = 1; i <= 1600000; i++) {
        uint64_t began_us = used_us();
        map_put(&map, (struct map_key){i, 0}, &mark);
        uint64_t took_us = used_us() - began_us;
        worst_us = took_us > worst_us ? took_us : worst_us;
    }
    print_message("the longest of 1,600,000 took %u us\n", (unsigned)worst_us);
    assert_true(worst_us < 10 * MS_US);
    map_clear(&map);
}

static void hashes_of_keys_differ(void **state)
{
    (void)state;
    assert_true(map_hash("a", 1) == map_hash("a", 1));
    assert_true(map_hash("a", 1) != map_hash("b", 1));
    assert_true(map_hash("a", 1) != map_hash("a\0", 2));
    (void)map_hash(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_agrees_with_a_naive_one),
        cmocka_unit_test(a_large_map_agrees_while_it_grows),
        cmocka_unit_test(no_call_takes_long_however_many_keys_there_are_W7),
        cmocka_unit_test(hashes_of_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
