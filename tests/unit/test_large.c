/* Large blocks: none is mapped in the steady state, no two are the same memory, all are zero. */
#include "shared/base/large.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  200
#define MANY    100 /* more than there are slots for one size */

static unsigned mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    unsigned n = 0;
    for (int c; (c = getc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

static void sizes_have_four_steps(void **state)
{
    (void)state;
    size_t class, next;
    assert_int_equal(large_round(4 * MIB_BYTES, &class), 4 * MIB_BYTES);
    assert_int_equal(large_round(4 * MIB_BYTES + 1, &next), 5 * MIB_BYTES);
    assert_int_equal(next, class + 1);
    assert_int_equal(large_round(7 * MIB_BYTES + 1, &class), 8 * MIB_BYTES);
    assert_int_equal(large_round(8 * MIB_BYTES, &next), 8 * MIB_BYTES);
    assert_int_equal(next, class);
    assert_int_equal(large_round(1, &class), 1);
    assert_int_equal(large_round(SIZE_MAX, &class), SIZE_MAX);
    assert_true(class < LARGE_CLASSES);
}

/* An event loop that maps waits for every thread that holds the lock of the address space. */
static void a_block_is_not_mapped(void **state)
{
    (void)state;
    large_give(large_take(LARGE_BYTES), LARGE_BYTES); /* what is reserved is mapped now */
    unsigned before = mappings();
    size_t sizes[] = {LARGE_BYTES, 5 * MIB_BYTES, 64 * MIB_BYTES, 320 * MIB_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *one = large_take(sizes[i]), *two = large_take(sizes[i]);
        assert_true(one + sizes[i] <= two || two + sizes[i] <= one);
        one[0] = one[sizes[i] - 1] = 7;
        assert_int_equal(mappings(), before);
        large_give(one, sizes[i]);
        uint8_t *again = large_take(sizes[i]);
        assert_ptr_equal(again, one);
        assert_int_equal(again[0] + again[sizes[i] - 1], 0);
        large_give(again, sizes[i]);
        large_give(two, sizes[i]);
        assert_int_equal(mappings(), before);
    }
}

static size_t resident(const void *at, size_t size)
{
    static unsigned char pages[8 * MIB_BYTES / 4096];
    size_t n = 0;
    assert_true(size / 4096 <= sizeof pages);
    assert_int_equal(mincore((void *)at, size, pages), 0);
    for (size_t i = 0; i < size / 4096; i++)
        n += pages[i] & 1;
    return n * 4096;
}

/* The last large page of a block may reach beyond it: up to 2 MiB of each block ever used stayed.
 */
static void what_is_given_back_is_not_resident(void **state)
{
    (void)state;
    size_t size = 5 * MIB_BYTES, room = 6 * MIB_BYTES;
    uint8_t *block = large_take(size);
    memset(block, 7, size);
    assert_in_range(resident(block, room), size, room);
    large_give(block, size);
    assert_int_equal(resident(block, room), 0);
}

/* Whoever has more of one size than anybody should have the rest mapped. */
static void beyond_the_reserve_blocks_are_mapped(void **state)
{
    (void)state;
    unsigned before = mappings();
    uint8_t *blocks[MANY];
    for (int i = 0; i < MANY; i++) {
        blocks[i] = large_take(6 * MIB_BYTES);
        blocks[i][0] = (uint8_t)(i + 1);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(blocks[i][0], i + 1);
    for (int i = 0; i < MANY; i++)
        large_give(blocks[i], 6 * MIB_BYTES);
    assert_int_equal(mappings(), before);
}

static void *take_and_give(void *argument)
{
    uint8_t mark = (uint8_t)(uintptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t *block = large_take(LARGE_BYTES);
        uint8_t was = block[0];
        block[0] = mark;
        sched_yield();
        if (was || block[0] != mark)
            return argument;
        large_give(block, LARGE_BYTES);
    }
    return NULL;
}

static void threads_share_no_block(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_four_steps),
        cmocka_unit_test(a_block_is_not_mapped),
        cmocka_unit_test(what_is_given_back_is_not_resident),
        cmocka_unit_test(beyond_the_reserve_blocks_are_mapped),
        cmocka_unit_test(threads_share_no_block),
    };
    return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}
