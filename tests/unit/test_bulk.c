/* Large values: pieces are put into their place elsewhere, and memory is given back elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "nodes/io/bulk.h"
#include "shared/base/large.h"
#include "shared/base/memory.h"

#define PIECE   ((size_t)512 * KIB_BYTES)
#define WAIT_MS 10000

static int begin(void **state)
{
    *state = bulk_start();
    return 0;
}

static int end(void **state)
{
    struct bulk *bulk = *state;
    bulk_stop(bulk);
    bulk_destroy(&bulk);
    assert_int_equal(bulk_kept_bytes(), 0);
    return 0;
}

static struct bulk_report *wait_report(struct bulk *bulk)
{
    struct bulk_report *report;
    struct pollfd item = {.fd = bulk_fd(bulk), .events = POLLIN};
    while (!(report = bulk_take(bulk)))
        assert_true(poll(&item, 1, WAIT_MS) > 0);
    return report;
}

static void pieces_are_put_into_their_place_and_hashed(void **state)
{
    struct bulk *bulk = *state;
    struct blob *value = blob_new(3 * PIECE - 7), *into = blob_new(value->len);
    struct hash_stream *stream = mem_new(1, sizeof *stream);
    uint8_t hash[HASH_BYTES];
    for (size_t i = 0; i < value->len; i++)
        value->at[i] = (uint8_t)(i * 31 >> 3);
    hash_begin(stream);
    unsigned seen = 0;
    for (size_t at = 0; at < value->len; at += PIECE) {
        size_t len = value->len - at < PIECE ? value->len - at : PIECE;
        struct blob *piece = blob_part(value, at, len);
        bulk_move(bulk, stream, into, at, piece, at + len == value->len, 5);
        blob_drop(&piece);
    }
    hash_bytes(value->at, value->len, hash);
    while (seen < 3)
        for (struct bulk_report *next, *it = wait_report(bulk); it; it = next, seen++) {
            next = bulk_next(it);
            assert_true(it->seq == 5 && it->last == (seen == 2));
            assert_int_equal(it->len, seen < 2 ? PIECE : PIECE - 7);
            if (it->last)
                assert_memory_equal(it->hash, hash, HASH_BYTES);
            free(it);
        }
    assert_memory_equal(into->at, value->at, value->len);
    /* A stream that is of no use ends without a word. */
    stream = mem_new(1, sizeof *stream);
    hash_begin(stream);
    bulk_move(bulk, stream, NULL, 0, NULL, true, 0);
    blob_drop(&value);
    blob_drop(&into);
}

/* Its addresses may be reserved for good; a page that goes back is not there any more. */
static bool is_there(void *at)
{
    unsigned char resident;
    void *page = (void *)((uintptr_t)at & ~(uintptr_t)4095);
    return !mincore(page, 4096, &resident) && resident & 1;
}

/* The block is stopped from going back by nothing but the thread: as long as that has something
 * else to do, who drops it has done nothing of it himself. */
static void who_drops_a_large_value_gives_nothing_back(void **state)
{
    struct bulk *bulk = *state;
    /* Larger than what is kept, so that it goes back to the system. */
    struct blob *value = blob_new(BULK_KEPT_BYTES + 1);
    void *at = value->at;
    memset(at, 1, PIECE);
    /* Work for the thread in front of it: a tenth of a second of hashing. */
    struct blob *large = blob_new(BULK_KEPT_BYTES / 2), *into = blob_new(large->len);
    struct hash_stream *stream = mem_new(1, sizeof *stream);
    memset(large->at, 2, large->len);
    hash_begin(stream);
    bulk_move(bulk, stream, into, 0, large, true, 1);
    blob_drop(&value);
    bool there = is_there(at);
    struct bulk_report *report = bulk_take(bulk);
    if (!report) /* else the thread was quicker than this one, which then shows nothing */
        assert_true(there);
    else
        free(report);
    if (!report)
        free(wait_report(bulk));
    blob_drop(&large);
    blob_drop(&into);
}

static void a_block_is_used_again_and_given_back_after_a_while(void **state)
{
    struct bulk *bulk = *state;
    struct blob *value = blob_new(LARGE_BYTES);
    uint8_t *at = value->at;
    memset(at, 1, value->len);
    blob_drop(&value);
    assert_true(bulk_kept_bytes() >= LARGE_BYTES);
    value = blob_new(LARGE_BYTES + 1000);
    assert_ptr_equal(value->at, at);
    assert_int_equal(bulk_kept_bytes(), 0);
    blob_drop(&value);
    for (int i = 0; i < 64; i++) { /* one after the other: never more than one block */
        value = blob_new(LARGE_BYTES);
        blob_drop(&value);
    }
    assert_true(bulk_kept_bytes() < 2 * LARGE_BYTES);
    struct blob *many[64];
    for (int i = 0; i < 64; i++)
        many[i] = blob_new(LARGE_BYTES);
    for (int i = 0; i < 64; i++)
        blob_drop(&many[i]);
    assert_true(bulk_kept_bytes() <= BULK_KEPT_BYTES);
    bulk_give_back(bulk);
    assert_int_equal(bulk_kept_bytes(), 0);
}

static void a_part_keeps_the_whole(void **state)
{
    (void)state;
    struct blob *whole = blob_new(2 * PIECE);
    memset(whole->at, 7, whole->len);
    struct blob *part = blob_part(whole, PIECE, 100);
    assert_ptr_equal(part->at, whole->at + PIECE);
    blob_drop(&whole);
    for (size_t i = 0; i < part->len; i++)
        assert_int_equal(part->at[i], 7);
    uint8_t hash[HASH_BYTES], again[HASH_BYTES];
    hash_bytes(part->at, part->len, hash);
    blob_hash(part, again);
    assert_memory_equal(hash, again, HASH_BYTES);
    blob_drop(&part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_are_put_into_their_place_and_hashed, begin, end),
        cmocka_unit_test_setup_teardown(who_drops_a_large_value_gives_nothing_back, begin, end),
        cmocka_unit_test_setup_teardown(a_block_is_used_again_and_given_back_after_a_while, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_part_keeps_the_whole, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
