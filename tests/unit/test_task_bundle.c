/* What tasks have left, as a client reads it: by ranges, and never to be trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/map/task_bundle.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/tasks/bundle.h"

enum { OUT = 100, ERR = 50, CHUNK = 7000 };

static uint8_t *all; /* the bytes of a bundle */
static struct task_bundle bundle;
static unsigned fetches;

static int fetch(void *context, uint64_t op, uint64_t offset, struct blob **out, struct text *why)
{
    (void)context;
    uint64_t at = (op - bundle.op) * BUNDLE_PIECE_BYTES + offset;
    if (at >= bundle.len) {
        text_add(why, "there is no such value");
        return ERR_REFUSED;
    }
    uint64_t rest = bundle_piece_bytes(bundle.len, op - bundle.op) - offset;
    *out = blob_copy(all + at, rest < CHUNK ? (size_t)rest : CHUNK);
    fetches++;
    return OK;
}

static const struct bundle_fetch from = {fetch, NULL};

/* Two files, of which the first one crosses the border of two values. */
static int begin(void **state)
{
    struct bundle_file files[2] = {{.path = slice_of("a/b"), .len = BUNDLE_PIECE_BYTES},
                                   {.path = slice_of("c"), .len = 11, .executable = true}};
    (void)state;
    fetches = 0;
    bundle = (struct task_bundle){.op = 77, .files = 2, .out_len = OUT, .err_len = ERR};
    bundle.len = 2 * BUNDLE_ITEM_BYTES + 4 + OUT + ERR + BUNDLE_PIECE_BYTES + 11;
    all = mem_new(1, (size_t)bundle.len);
    for (size_t i = 0; i < bundle.len; i++)
        all[i] = (uint8_t)random_mix(i);
    for (size_t i = 0; i < 2; i++)
        bundle.head_len += bundle_file_put(all + bundle.head_len, &files[i]);
    hash_bytes(all, (size_t)bundle.head_len, bundle.head_hash);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(all);
    return 0;
}

static void streams_and_files_are_read_by_ranges(void **state)
{
    struct bundle_reader reader = {0};
    struct task_source_file file;
    struct text why = {0};
    uint8_t at[4096];
    (void)state;
    assert_int_equal(bundle_read_stream(&reader, &from, &bundle, TASK_STDERR, 10, at, ERR - 10,
                                        &why),
                     OK);
    assert_memory_equal(at, all + bundle.head_len + OUT + 10, ERR - 10);
    assert_int_equal(bundle_file(&reader, &from, 5, &bundle, 1, &file, &why), OK);
    assert_true(file.executable && file.len == 11 && !strcmp(file.path, "c"));
    uint64_t start = bundle.head_len + OUT + ERR;
    for (uint64_t offset = 0; offset < BUNDLE_PIECE_BYTES; offset += sizeof at) {
        assert_int_equal(bundle_read_file(&reader, &from, 5, &bundle, 0, offset, at, sizeof at,
                                          &why),
                         OK);
        assert_memory_equal(at, all + start + offset, sizeof at);
    }
    assert_in_range(fetches, 1, bundle.len / CHUNK + 20); /* each chunk once */
    bundle_reader_clear(&reader);
}

static void what_lies_beside_it_is_refused(void **state)
{
    struct bundle_reader reader = {0};
    struct task_source_file file;
    struct text why = {0};
    uint8_t at[64];
    (void)state;
    assert_int_equal(bundle_read_stream(&reader, &from, &bundle, TASK_STDOUT, OUT, at, 1, &why),
                     ERR_CORRUPT);
    assert_int_equal(bundle_read_file(&reader, &from, 5, &bundle, 1, 10, at, 2, &why), ERR_CORRUPT);
    assert_int_equal(bundle_file(&reader, &from, 5, &bundle, 2, &file, &why), ERR_CORRUPT);
    bundle_reader_clear(&reader);
    all[0]++; /* its list is another one than the row says */
    assert_int_equal(bundle_file(&reader, &from, 5, &bundle, 0, &file, &why), ERR_CORRUPT);
    hash_bytes(all, (size_t)bundle.head_len, bundle.head_hash); /* and says so: it is no list */
    assert_int_equal(bundle_file(&reader, &from, 5, &bundle, 0, &file, &why), ERR_CORRUPT);
    all[0]--;
    bundle_reader_clear(&reader); /* of which it has the bytes as they were */
    all[4 + 7] = 0xff;            /* a file that is longer than all of it */
    hash_bytes(all, (size_t)bundle.head_len, bundle.head_hash);
    assert_int_equal(bundle_file(&reader, &from, 5, &bundle, 0, &file, &why), ERR_CORRUPT);
    bundle_reader_clear(&reader);
}

static void any_list_is_read_without_harm(void **state)
{
    uint64_t random = 3;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct bundle_reader reader = {0};
        struct task_source_file file;
        struct text why = {0};
        size_t at = random_below(&random, bundle.head_len);
        uint8_t before = all[at];
        all[at] = (uint8_t)random_u64(&random);
        hash_bytes(all, (size_t)bundle.head_len, bundle.head_hash);
        int error = bundle_file(&reader, &from, 1, &bundle, 0, &file, &why);
        assert_true(!error == !why.len);
        all[at] = before;
        bundle_reader_clear(&reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_and_files_are_read_by_ranges, begin, end),
        cmocka_unit_test_setup_teardown(what_lies_beside_it_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(any_list_is_read_without_harm, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
