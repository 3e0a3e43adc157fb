/* Rows of details of tasks: what is written is read, and what is cut short or wrong is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "shared/base/task_row.h"

static const uint8_t text[] = "clean.sh: bad header\n";

static struct task_row row_of(uint64_t *random)
{
    uint64_t *r = random;
    struct task_row row = {.first = 1 + random_below(r, 1000000000),
                           .count = 1 + random_below(r, 5000),
                           .state = 1 + random_below(r, 4),
                           .node = random_below(r, 101),
                           .attempts = random_below(r, 4),
                           .exit = random_below(r, 256),
                           .signal = random_below(r, 32),
                           .flags = random_below(r, 8),
                           .started_ms = random_u64(r),
                           .wall_us = random_u64(r) >> random_below(r, 64),
                           .cpu_us = random_u64(r) >> random_below(r, 64),
                           .max_rss = random_u64(r),
                           .reason = {text, random_below(r, sizeof text)}};
    row.out.at = (struct slice){text, random_below(r, sizeof text)};
    row.out.bytes = row.out.at.len + random_below(r, 2);
    if (row.out.bytes)
        memset(row.out.hash, 0xab, HASH_BYTES);
    if (random_below(r, 2)) {
        row.bundle = (struct task_bundle){.len = 1 + (random_u64(r) >> 20),
                                          .op = 1 + (random_u64(r) >> 2),
                                          .files = random_below(r, 1025),
                                          .err_line = {text, random_below(r, sizeof text)}};
        row.bundle.head_len = random_below(r, row.bundle.len + 1);
        row.bundle.out_len = random_below(r, row.bundle.len - row.bundle.head_len + 1);
        memset(row.bundle.head_hash, 0xcd, HASH_BYTES);
    }
    return row;
}

static void assert_same_bundle(const struct task_bundle *a, const struct task_bundle *b)
{
    assert_true(a->len == b->len && a->op == b->op && a->files == b->files);
    assert_true(a->head_len == b->head_len && a->out_len == b->out_len && !b->err_len);
    assert_memory_equal(a->head_hash, b->head_hash, HASH_BYTES);
    assert_int_equal(a->err_line.len, b->err_line.len);
    assert_memory_equal(a->err_line.at, b->err_line.at, a->err_line.len);
}

static void assert_same(const struct task_row *a, const struct task_row *b)
{
    assert_memory_equal(a, b, offsetof(struct task_row, reason));
    assert_int_equal(a->reason.len, b->reason.len);
    assert_memory_equal(a->reason.at, b->reason.at, a->reason.len);
    assert_int_equal(a->out.bytes, b->out.bytes);
    assert_int_equal(a->out.at.len, b->out.at.len);
    assert_memory_equal(a->out.hash, b->out.hash, HASH_BYTES);
    assert_memory_equal(a->out.at.at, b->out.at.at, a->out.at.len);
    assert_int_equal(b->err.bytes, 0);
    assert_same_bundle(&a->bundle, &b->bundle);
}

/* A row whose streams do not lie in its bundle is none: clients would read beside it. */
static void a_bundle_has_room_for_what_lies_in_it(void **context)
{
    (void)context;
    struct task_bundle right = {.len = 10, .op = 1, .head_len = 3, .out_len = 3, .err_len = 4};
    assert_true(task_bundle_fits(&right));
    struct task_bundle wrong[] = {right, right, right, right};
    wrong[0].err_len = 5;
    wrong[1].head_len = UINT64_MAX;
    wrong[2].out_len = UINT64_MAX - 2;
    wrong[3].op = 0; /* and no bytes here */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct task_row row = {.first = 1, .count = 1, .bundle = wrong[i]}, read;
        assert_false(task_bundle_fits(&wrong[i]));
        uint8_t *at = mem_new(1, task_row_room(&row));
        struct slice rest = {at, task_row_write(at, &row)};
        assert_false(task_row_take(&rest, &read));
        free(at);
    }
}

static void what_is_written_is_read(void **context)
{
    uint64_t random = 5;
    (void)context;
    for (int i = 0; i < 2000; i++) {
        struct task_row rows[2] = {row_of(&random), row_of(&random)}, read;
        uint8_t *at = mem_new(1, task_row_room(&rows[0]) + task_row_room(&rows[1]));
        size_t n = task_row_write(at, &rows[0]);
        assert_in_range(n, 1, task_row_room(&rows[0]));
        n += task_row_write(at + n, &rows[1]);
        struct slice rest = {at, n};
        for (int row = 0; row < 2; row++) {
            assert_true(task_row_take(&rest, &read));
            assert_same(&rows[row], &read);
        }
        assert_int_equal(rest.len, 0);
        assert_false(task_row_take(&rest, &read));
        free(at);
    }
}

static void a_row_that_is_cut_short_is_none(void **context)
{
    uint64_t random = 6;
    struct task_row row = row_of(&random), read;
    uint8_t *at = mem_new(1, task_row_room(&row));
    size_t n = task_row_write(at, &row);
    (void)context;
    for (size_t len = 0; len < n; len++) {
        uint8_t *shorter = mem_new(1, len ? len : 1); /* a sanitizer sees what is read beyond it */
        memcpy(shorter, at, len);
        struct slice rest = {shorter, len};
        assert_false(task_row_take(&rest, &read));
        assert_int_equal(rest.len, len);
        free(shorter);
    }
    free(at);
}

static void any_bytes_are_read_without_harm(void **context)
{
    uint64_t random = 7;
    (void)context;
    for (int i = 0; i < 20000; i++) {
        size_t len = random_below(&random, 80);
        uint8_t *at = mem_new(1, len + 1);
        struct task_row read;
        for (size_t byte = 0; byte < len; byte++)
            at[byte] = random_below(&random, 3) ? (uint8_t)random_below(&random, 8)
                                                : (uint8_t)random_u64(&random);
        struct slice rest = {at, len};
        while (task_row_take(&rest, &read))
            assert_true(read.out.at.len <= read.out.bytes);
        free(at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_bundle_has_room_for_what_lies_in_it),
        cmocka_unit_test(a_row_that_is_cut_short_is_none),
        cmocka_unit_test(any_bytes_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
