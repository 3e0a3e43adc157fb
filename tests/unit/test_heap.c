/* Large blocks for numbers: kept by the thread that frees them, bounded, and given back. */
#include "nodes/work/heap.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <flint/flint.h>

#include "nodes/work/pool.h"
#include "shared/base/random.h"

#define LARGE HEAP_LARGE_BYTES
#define SLOTS 24

/* What a thread frees is its next blocks, of whatever size: no more is touched than it had at a
 * time. */
static void blocks_of_all_sizes_take_the_same_memory(void **state)
{
    (void)state;
    void *first = heap_alloc(5 * LARGE);
    heap_free(first, 5 * LARGE);
    void *again = heap_alloc(5 * LARGE - 1000);
    assert_ptr_equal(again, first);
    heap_free(again, 5 * LARGE - 1000);
    void *low = heap_alloc(3 * LARGE), *high = heap_alloc(4 * LARGE);
    assert_ptr_equal(low, first);
    heap_free(low, 3 * LARGE);
    low = heap_alloc(2 * LARGE);
    assert_ptr_equal(low, first);
    void *between = heap_alloc(LARGE);
    assert_true(between > low && between < high);
    heap_free(low, 2 * LARGE);
    heap_free(high, 4 * LARGE);
    heap_free(between, LARGE);
    void *other = heap_alloc(7 * LARGE);
    assert_ptr_equal(other, first);
    heap_free(other, 7 * LARGE);
    assert_int_equal(heap_kept_bytes(), 7 * LARGE);
    heap_give_back();
    assert_int_equal(heap_kept_bytes(), 0);
}

/* A block that is there when memory is given back stays as it is, and where it is. */
static void what_is_taken_is_not_given_back(void **state)
{
    (void)state;
    uint8_t *low = heap_alloc(3 * LARGE), *block = heap_alloc(2 * LARGE);
    memset(block, 7, 2 * LARGE);
    memset(low, 7, 3 * LARGE);
    heap_free(low, 3 * LARGE);
    heap_give_back();
    for (size_t i = 0; i < 2 * LARGE; i++)
        assert_int_equal(block[i], 7);
    low = heap_alloc(3 * LARGE);
    assert_int_equal(low[LARGE], 0); /* its pages are new */
    heap_free(low, 3 * LARGE);
    heap_free(block, 2 * LARGE);
    heap_give_back();
    assert_int_equal(heap_kept_bytes(), 0);
}

/* More blocks than a range has are taken elsewhere. */
static void there_may_be_any_number_of_blocks(void **state)
{
    (void)state;
    uint8_t *blocks[POOL_BLOCKS + 8];
    size_t n = sizeof blocks / sizeof *blocks;
    for (size_t i = 0; i < n; i++) {
        blocks[i] = heap_alloc(LARGE);
        memset(blocks[i], (int)i, LARGE);
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(blocks[i][LARGE - 1], i);
        heap_free(blocks[i], LARGE);
    }
    heap_give_back();
}

static void *free_one(void *block)
{
    heap_free(block, 5 * LARGE);
    return (void *)heap_kept_bytes();
}

/* A thread that did not promise to give back keeps nothing: it would be lost when it ends. */
static void others_keep_nothing(void **state)
{
    (void)state;
    pthread_t thread;
    void *kept = NULL, *block = heap_alloc(5 * LARGE);
    assert_int_equal(pthread_create(&thread, NULL, free_one, block), 0);
    assert_int_equal(pthread_join(thread, &kept), 0);
    assert_null(kept);
    assert_ptr_equal(heap_alloc(5 * LARGE), block); /* it went back to whose it was */
    heap_free(block, 5 * LARGE);
}

/* FLINT's blocks come from there, too, though it tells no sizes when it frees them. */
static void the_blocks_of_flint_are_kept(void **state)
{
    (void)state;
    heap_init();
    uint8_t *first = flint_malloc(5 * LARGE);
    memset(first, 7, 5 * LARGE);
    first = flint_realloc(first, 6 * LARGE);
    assert_int_equal(first[5 * LARGE - 1], 7);
    flint_free(first);
    size_t kept = heap_kept_bytes();
    assert_true(kept >= 6 * LARGE && kept < 7 * LARGE); /* it grew where it was */
    uint8_t *again = flint_calloc(6, LARGE);
    assert_ptr_equal(again, first);
    for (size_t i = 0; i < 6 * LARGE; i += 4096)
        assert_int_equal(again[i], 0);
    flint_free(again);
    flint_free(flint_realloc(NULL, 100));
    flint_free(NULL);
    heap_give_back();
    assert_int_equal(heap_kept_bytes(), 0);
}

/* Whatever sizes come, a block holds what was written to it: also when it is resized across the
 * border between small and large. */
static void blocks_keep_their_content(void **state)
{
    (void)state;
    uint64_t random = 7;
    uint8_t *blocks[SLOTS] = {0};
    size_t sizes[SLOTS] = {0};
    for (int round = 0; round < 4000; round++) {
        size_t at = random_below(&random, SLOTS);
        size_t size = 1 + random_below(&random, round % 2 ? 4 * LARGE : LARGE / 2);
        uint8_t *block = blocks[at];
        if (block) {
            assert_int_equal(block[0], at + 1);
            assert_int_equal(block[sizes[at] - 1], at + 1);
        }
        if (block && round % 3 == 0) {
            heap_free(block, sizes[at]);
            blocks[at] = NULL;
            continue;
        }
        block = block ? heap_resize(block, sizes[at], size) : heap_alloc(size);
        if (blocks[at])
            assert_int_equal(block[0], at + 1);
        memset(block, (int)at + 1, size);
        blocks[at] = block;
        sizes[at] = size;
    }
    for (size_t at = 0; at < SLOTS; at++)
        if (blocks[at])
            heap_free(blocks[at], sizes[at]);
    heap_give_back();
}

/* Blocks at the borders of classes are as long as was asked for. */
static void every_class_has_room_for_its_sizes(void **state)
{
    (void)state;
    for (size_t size = LARGE; size < 64 * LARGE; size += size / 7 + 1) {
        uint8_t *block = heap_alloc(size);
        memset(block, 1, size);
        heap_free(block, size);
        block = heap_alloc(size);
        memset(block, 2, size);
        heap_free(block, size);
    }
    heap_give_back();
}

/* No more than HEAP_KEPT_BYTES: what is taken beyond goes back at once. Under a sanitizer or
 * valgrind the test says so when one of them were lost. */
static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    void *blocks[6];
    size_t size = HEAP_KEPT_BYTES / 4;
    for (size_t i = 0; i < 6; i++)
        blocks[i] = heap_alloc(size);
    for (size_t i = 0; i < 6; i++)
        heap_free(blocks[i], size);
    assert_int_equal(heap_kept_bytes(), HEAP_KEPT_BYTES);
    heap_give_back();
    assert_int_equal(heap_kept_bytes(), 0);
}

/* What nobody has now goes back some time after the last work, and is looked for again ever more
 * seldom. */
static void an_idle_thread_gives_back_again_and_again(void **state)
{
    (void)state;
    struct heap_idle idle = {.at_us = HEAP_NEVER};
    uint64_t now_us = 5 * SECOND_US, times = 0;
    assert_false(heap_is_idle(&idle, now_us));
    heap_worked(&idle, now_us);
    assert_false(heap_is_idle(&idle, now_us + HEAP_IDLE_US - 1));
    for (uint64_t end_us = now_us + HEAP_IDLE_US + 4 * HEAP_AGAIN_US; now_us < end_us;
         now_us = idle.at_us)
        times += heap_is_idle(&idle, now_us);
    assert_int_equal(times, 3); /* 20, 25 and 35 s after the work */
    for (int i = 0; i < 100; i++) {
        assert_false(heap_is_idle(&idle, idle.at_us - 1));
        now_us = idle.at_us;
        assert_true(heap_is_idle(&idle, now_us));
    }
    assert_int_equal(idle.at_us - now_us, HEAP_AGAIN_MAX_US);
    heap_worked(&idle, now_us);
    assert_int_equal(idle.at_us, now_us + HEAP_IDLE_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_all_sizes_take_the_same_memory),
        cmocka_unit_test(what_is_taken_is_not_given_back),
        cmocka_unit_test(there_may_be_any_number_of_blocks),
        cmocka_unit_test(blocks_keep_their_content),
        cmocka_unit_test(others_keep_nothing),
        cmocka_unit_test(the_blocks_of_flint_are_kept),
        cmocka_unit_test(every_class_has_room_for_its_sizes),
        cmocka_unit_test(an_idle_thread_gives_back_again_and_again),
        cmocka_unit_test(what_is_kept_is_bounded),
    };
    heap_keep();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
