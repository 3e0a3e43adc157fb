/* Spilled values in the data directory: written and read in slices, served by range, kept without
 * being read, and gone with the process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nodes/io/store.h"
#include "shared/base/error.h"
#include "shared/base/random.h"
#include "tests/harness/datadir.h"

#define PATIENCE_MS 20000

static const struct value_id one = {1, 2}, other = {1, 3};

static struct blob *make(size_t len)
{
    uint64_t random = len;
    struct blob *value = blob_new(len);
    for (size_t i = 0; i < len; i++)
        value->at[i] = (uint8_t)random_u64(&random);
    return value;
}

static bool is_there(const char *name)
{
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/%s", datadir, name);
    return !access(path, F_OK);
}

/* Returns in how many slices. */
static int spill(struct disk *disk, struct value_id id, const struct blob *value)
{
    int slices = 0;
    for (uint64_t offset = 0; offset < value->len; slices++)
        assert_int_equal(disk_spill(disk, id, value, &offset), OK);
    return slices;
}

static void assert_read(struct disk *disk, struct value_id id, const struct blob *value)
{
    struct blob *got = NULL;
    uint64_t offset = 0;
    while (!got || offset < got->len)
        assert_int_equal(disk_unspill(disk, id, &got, &offset), OK);
    assert_int_equal(got->len, value->len);
    assert_memory_equal(got->at, value->at, value->len);
    assert_true(got->hashed); /* whoever keeps it need not hash it again */
    blob_drop(&got);
}

static void assert_range(struct disk *disk, struct value_id id, const struct blob *value,
                         uint64_t offset, uint64_t len)
{
    struct blob *got;
    uint64_t total;
    assert_int_equal(disk_read_kept(disk, id, offset, len, &got, &total), OK);
    assert_int_equal(total, value->len);
    assert_memory_equal(got->at, value->at + offset, got->len);
    blob_drop(&got);
}

static void what_is_spilled_is_read_served_and_forgotten_T22(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct blob *value = make(2 * SPILL_SLICE_BYTES + 12345), *small = make(70000), *got;
    uint64_t total;
    assert_int_equal(spill(disk, one, value), 3);
    assert_int_equal(spill(disk, other, small), 1);
    assert_int_equal(spill(disk, one, value), 1); /* it is there */
    assert_read(disk, one, value);
    assert_read(disk, other, small);
    assert_range(disk, one, value, 0, 100);
    assert_range(disk, one, value, VALUE_CHUNK_BYTES - 7, VALUE_CHUNK_BYTES);
    assert_range(disk, one, value, value->len - 5, 100);
    assert_false(disk_has_kept(disk, one));
    disk_forget_spilled(disk, one);
    assert_false(is_there("0-1-2.spilled"));
    assert_int_equal(disk_read_kept(disk, one, 0, 1, &got, &total), ERR_NOT_FOUND);
    assert_read(disk, other, small);
    disk_forget_spilled(disk, (struct value_id){1, 0});
    assert_false(is_there("0-1-3.spilled"));
    disk_close(&disk);
    blob_drop(&value);
    blob_drop(&small);
}

/* The first life ends as by kill -9: its file stays. */
static void the_next_start_removes_what_was_spilled_T22(void **state)
{
    (void)state;
    struct blob *value = make(100000);
    struct disk *disk = datadir_open();
    char from[DATADIR_PATH_ROOM], to[DATADIR_PATH_ROOM];
    spill(disk, one, value);
    text_format(from, sizeof from, "%s/node/values/0-1-2.spilled", datadir);
    text_format(to, sizeof to, "%s/node/values/0-1-4.spilled", datadir);
    assert_int_equal(link(from, to), 0); /* the one that a clean end knows nothing of */
    disk_close(&disk);
    assert_false(is_there("0-1-2.spilled"));
    assert_true(is_there("0-1-4.spilled"));
    disk = datadir_open();
    assert_false(is_there("0-1-4.spilled"));
    disk_close(&disk);
    blob_drop(&value);
}

static void a_spilled_value_is_kept_as_it_is_T22(void **state)
{
    (void)state;
    struct blob *value = make(3 * VALUE_CHUNK_BYTES + 1);
    struct disk *disk = datadir_open();
    spill(disk, one, value);
    assert_int_equal(disk_keep_spilled(disk, other), ERR_NOT_FOUND);
    assert_int_equal(disk_keep_spilled(disk, one), OK);
    disk_forget_spilled(disk, one);
    assert_true(disk_has_kept(disk, one));
    disk_close(&disk);
    disk = datadir_open();
    assert_range(disk, one, value, 0, value->len);
    struct scrub scrub = {0};
    for (int i = 0; i < 10; i++)
        assert_int_equal(disk_scrub(disk, &scrub), OK);
    disk_close(&disk);
    blob_drop(&value);
}

static void a_damaged_file_is_no_value_T22(void **state)
{
    (void)state;
    struct blob *value = make(3 * VALUE_CHUNK_BYTES), *got = NULL;
    struct disk *disk = datadir_open();
    char path[DATADIR_PATH_ROOM];
    uint64_t offset = 0;
    spill(disk, one, value);
    text_format(path, sizeof path, "%s/node/values/0-1-2.spilled", datadir);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, (long)VALUE_CHUNK_BYTES + 3, SEEK_SET);
    fputc(value->at[VALUE_CHUNK_BYTES + 3] ^ 1, file);
    fclose(file);
    assert_int_equal(disk_unspill(disk, one, &got, &offset), ERR_CORRUPT);
    assert_null(got);
    assert_int_equal(truncate(path, 10), 0);
    offset = 0;
    assert_int_equal(disk_unspill(disk, one, &got, &offset), ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(disk_unspill(disk, one, &got, &offset), ERR_CORRUPT);
    disk_close(&disk);
    blob_drop(&value);
}

static void what_cannot_be_written_leaves_nothing_and_ends_nobody_T22(void **state)
{
    (void)state;
    struct blob *value = make(2 * SPILL_SLICE_BYTES);
    struct disk *disk = datadir_open();
    struct rlimit before, low = {SPILL_SLICE_BYTES + 4096, RLIM_INFINITY};
    uint64_t offset = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    low.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &low);
    assert_int_equal(disk_spill(disk, one, value, &offset), OK);
    assert_int_equal(disk_spill(disk, one, value, &offset), ERR_IO);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(is_there("0-1-2.spilled"));
    assert_int_equal(spill(disk, one, value), 2);
    disk_close(&disk);
    blob_drop(&value);
}

/* The next report of the store thread; caller frees. */
static struct store_report *wait_report(struct store *store)
{
    struct store_report *report;
    while (!(report = store_take(store))) {
        struct pollfd item = {.fd = store_fd(store), .events = POLLIN};
        assert_int_equal(poll(&item, 1, PATIENCE_MS), 1);
    }
    assert_null(store_next(report));
    return report;
}

static void the_store_thread_answers_each_in_order_T22(void **state)
{
    (void)state;
    struct blob *value = make(3 * SPILL_SLICE_BYTES);
    struct disk *disk = datadir_open();
    struct store *store = store_start(disk);
    store_spill(store, &(struct spill_order){SPILL_WRITE, one, 7}, value);
    struct store_report *report = wait_report(store);
    assert_true(report->kind == STORE_SPILLED && report->step == SPILL_WRITE && report->seq == 7);
    assert_int_equal(report->error, OK);
    store_report_free(report);
    store_keep(store, USER_OFFER, one, NULL); /* as a voter whose coordinator offers it */
    report = wait_report(store);
    assert_true(report->kind == STORE_KEPT && report->error == OK);
    store_report_free(report);
    store_spill(store, &(struct spill_order){SPILL_READ, one, 8}, NULL);
    report = wait_report(store);
    assert_true(report->step == SPILL_READ && report->seq == 8 && report->error == OK);
    assert_memory_equal(report->blob->at, value->at, value->len);
    store_report_free(report);
    store_spill(store, &(struct spill_order){SPILL_FORGET, one, 0}, NULL);
    store_spill(store, &(struct spill_order){SPILL_READ, one, 9}, NULL);
    report = wait_report(store);
    assert_true(report->seq == 9 && report->error == ERR_NOT_FOUND && !report->blob);
    store_report_free(report);
    store_stop(store);
    store_destroy(&store);
    disk_close(&disk);
    blob_drop(&value);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, datadir_make, datadir_remove)
    const struct CMUnitTest tests[] = {
        TEST(what_is_spilled_is_read_served_and_forgotten_T22),
        TEST(the_next_start_removes_what_was_spilled_T22),
        TEST(a_spilled_value_is_kept_as_it_is_T22),
        TEST(a_damaged_file_is_no_value_T22),
        TEST(what_cannot_be_written_leaves_nothing_and_ends_nobody_T22),
        TEST(the_store_thread_answers_each_in_order_T22),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
