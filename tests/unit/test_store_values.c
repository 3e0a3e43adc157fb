/* Values in the data directory: kept, served, listed, found when they rot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/store.h"
#include "nodes/core/values/values.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/random.h"
#include "tests/harness/datadir.h"

static void assert_kept(struct disk *disk, struct value_id id, const struct blob *value)
{
    static const uint64_t ranges[][2] = {{0, 10}, {0, UINT64_MAX}, {5, 7}, {99999, 5}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct blob *got;
        uint64_t total = 0, offset = ranges[i][0], len = ranges[i][1];
        int error = disk_read_kept(disk, id, offset, len, &got, &total);
        assert_int_equal(error, offset > value->len ? ERR_RANGE : OK);
        if (error)
            continue;
        uint64_t rest = value->len - offset;
        assert_true(total == value->len && got->len == (len < rest ? len : rest));
        assert_memory_equal(got->at, value->at + offset, got->len);
        blob_drop(&got);
    }
}

static void values_small_and_large_are_kept_until_dropped(void **state)
{
    (void)state;
    uint64_t random = 7;
    static const size_t lens[] = {
        0, 1, 1000, VALUE_INLINE_MAX_BYTES, VALUE_INLINE_MAX_BYTES + 1, 3000000};
    struct blob *values[6];
    struct disk *disk = datadir_open();
    for (size_t i = 0; i < 6; i++) {
        values[i] = blob_new(lens[i]);
        for (size_t k = 0; k < lens[i]; k++)
            values[i]->at[k] = (uint8_t)random_u64(&random);
        disk_keep(disk, (struct value_id){1 + i % 2, i + 1}, values[i]);
        disk_keep(disk, (struct value_id){1 + i % 2, i + 1}, values[i]); /* twice is once */
    }
    disk_close(&disk);
    disk = datadir_open();
    for (size_t i = 0; i < 6; i++)
        assert_kept(disk, (struct value_id){1 + i % 2, i + 1}, values[i]);
    struct blob *got;
    uint64_t total;
    disk_drop_kept(disk, &(struct value_id){1, 5}, 1); /* a file */
    disk_drop_kept(disk, &(struct value_id){1, 77}, 1);
    assert_int_equal(disk_read_kept(disk, (struct value_id){1, 5}, 0, 1, &got, &total),
                     ERR_NOT_FOUND);
    assert_kept(disk, (struct value_id){1, 3}, values[2]);
    disk_drop_kept(disk, &(struct value_id){2, 0}, 1);
    for (op_id_t op = 2; op <= 6; op += 2)
        assert_int_equal(disk_read_kept(disk, (struct value_id){2, op}, 0, 1, &got, &total),
                         ERR_NOT_FOUND);
    assert_kept(disk, (struct value_id){1, 1}, values[0]);
    disk_close(&disk);
    for (size_t i = 0; i < 6; i++)
        blob_drop(&values[i]);
}

/* A flipped byte is found by whoever reads it, and by the scrub, whoever comes first. */
static void a_rotten_value_is_found_by_reads_and_by_the_scrub_R37(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct blob *value = blob_new(3 * VALUE_CHUNK_BYTES + 7), *got;
    struct scrub scrub = {0};
    uint64_t total;
    char path[DATADIR_PATH_ROOM];
    memset(value->at, '7', value->len);
    disk_keep(disk, (struct value_id){1, 1}, value);
    disk_keep(disk, (struct value_id){1, 2}, value);
    for (int i = 0; i < 20; i++)
        assert_int_equal(disk_scrub(disk, &scrub), OK);
    text_format(path, sizeof path, "%s/node/values/0-1-2", datadir);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, (long)(2 * VALUE_CHUNK_BYTES + 11), SEEK_SET);
    fputc('8', file);
    fclose(file);
    assert_int_equal(disk_read_kept(disk, (struct value_id){1, 2}, 0, 100, &got, &total), OK);
    blob_drop(&got);
    assert_int_equal(disk_read_kept(disk, (struct value_id){1, 2}, 2 * VALUE_CHUNK_BYTES - 1, 2,
                                    &got, &total),
                     ERR_CORRUPT);
    int error = OK;
    for (int i = 0; i < 20 && !error; i++)
        error = disk_scrub(disk, &scrub);
    assert_int_equal(error, ERR_CORRUPT);
    assert_true(scrub.id.job == 1 && scrub.id.op == 2);
    disk_keep(disk, (struct value_id){1, 2}, value); /* repaired */
    for (int i = 0; i < 20; i++)
        assert_int_equal(disk_scrub(disk, &scrub), OK);
    assert_kept(disk, (struct value_id){1, 2}, value);
    disk_close(&disk);
    blob_drop(&value);
}

/* Changes a byte `offset` bytes from where `mark` is in data.mdb. */
static void rot(const uint8_t *mark, size_t len, long offset)
{
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", datadir);
    int fd = open(path, O_RDWR);
    struct stat status;
    assert_true(fd >= 0 && !fstat(fd, &status));
    uint8_t *at = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    uint8_t *found = memmem(at, (size_t)status.st_size, mark, len);
    assert_non_null(found);
    found[offset] ^= 1;
    munmap(at, (size_t)status.st_size);
    close(fd);
}

static void check_small_rot(size_t len, long offset, int fill)
{
    const struct value_id id = {1, 2};
    struct blob *value = blob_new(len), *got;
    struct scrub scrub = {0};
    uint64_t total;
    memset(value->at, fill, len); /* nothing else in the file looks like it */
    struct disk *disk = datadir_open();
    disk_keep(disk, id, value);
    disk_close(&disk);
    rot(value->at, len < 64 ? len : 64, offset);
    disk = datadir_open(); /* it is not refused */
    assert_false(disk_has_kept(disk, id));
    assert_int_equal(disk_read_kept(disk, id, 0, len, &got, &total), ERR_CORRUPT);
    assert_null(got);
    assert_int_equal(disk_scrub(disk, &scrub), ERR_CORRUPT);
    assert_true(value_id_same(scrub.id, id));
    disk_keep(disk, id, value); /* repaired */
    assert_kept(disk, id, value);
    disk_close(&disk);
    disk = datadir_open();
    assert_kept(disk, id, value);
    disk_close(&disk);
    blob_drop(&value);
}

/* In data.mdb: the store opens, and the value is missing until another node's is written. */
static void a_small_value_that_rots_is_missing_and_the_store_opens_R37(void **state)
{
    (void)state;
    /* In a page with others, and with pages of its own; the hash, its checksum, the length. */
    static const size_t lens[] = {40, 1000, VALUE_INLINE_MAX_BYTES};
    static const long offsets[] = {0, 17, -1, -HASH_BYTES - 1, -HASH_BYTES - 16, -HASH_BYTES - 9};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
        for (size_t k = 0; k < sizeof offsets / sizeof offsets[0]; k++)
            check_small_rot(lens[i], offsets[k], (int)(128 + 8 * i + k));
}

static void write_stray(const char *name)
{
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/%s", datadir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("left by a crash", file);
    fclose(file);
}

static bool is_there(const char *name)
{
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/%s", datadir, name);
    return access(path, F_OK) == 0;
}

static void kept_values_are_listed_and_files_without_a_record_go_W4(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct blob *big = blob_new(VALUE_INLINE_MAX_BYTES + 1), *small = blob_new(5);
    struct value_id ids[8];
    bool end;
    memset(big->at, '1', big->len);
    memset(small->at, '2', small->len);
    for (op_id_t op = 1; op <= 3; op++) {
        disk_keep(disk, (struct value_id){4, op}, op == 2 ? big : small);
        disk_keep(disk, (struct value_id){9, op}, small);
    }
    assert_int_equal(disk_list_kept(disk, JOB_NONE, (struct value_id){0}, ids, 4, &end), 4);
    assert_true(!end && ids[0].job == 4 && ids[0].op == 1 && ids[3].job == 9 && ids[3].op == 1);
    assert_int_equal(disk_list_kept(disk, JOB_NONE, ids[3], ids, 4, &end), 2);
    assert_true(end && ids[1].op == 3);
    assert_int_equal(disk_list_kept(disk, 4, (struct value_id){4, 0}, ids, 8, &end), 3);
    assert_true(end && ids[2].job == 4);
    assert_int_equal(disk_list_kept(disk, 5, (struct value_id){5, 0}, ids, 8, &end), 0);
    assert_true(end);
    disk_close(&disk);
    write_stray("0-4-2.tmp");
    write_stray("0-4-7");
    write_stray("0-9-1x");
    assert_true(is_there("0-4-2"));
    disk = datadir_open();
    assert_true(is_there("0-4-2"));
    assert_false(is_there("0-4-2.tmp") || is_there("0-4-7") || is_there("0-9-1x"));
    assert_kept(disk, (struct value_id){4, 2}, big);
    disk_close(&disk);
    blob_drop(&big);
    blob_drop(&small);
}

static void a_value_whose_file_changed_is_not_served(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct blob *value = blob_new(100000), *got;
    memset(value->at, '7', value->len);
    disk_keep(disk, (struct value_id){1, 1}, value);
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/0-1-1", datadir);
    uint64_t total;
    assert_int_equal(truncate(path, 99999), 0);
    assert_int_equal(disk_read_kept(disk, (struct value_id){1, 1}, 0, 10, &got, &total),
                     ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(disk_read_kept(disk, (struct value_id){1, 1}, 0, 10, &got, &total),
                     ERR_CORRUPT);
    assert_null(got);
    blob_drop(&value);
    disk_close(&disk);
}

static void values_in_memory_go_by_op_by_job_or_all(void **state)
{
    (void)state;
    struct values values = {0};
    for (uint64_t job = 1; job <= 3; job++) {
        for (uint64_t op = 1; op <= 50; op++) {
            struct blob *value = blob_copy(&op, sizeof op);
            values_put(&values, (struct value_id){job, op}, value, value_user_bit(USER_WORKER));
            values_put(&values, (struct value_id){job, op}, value, value_user_bit(USER_WORKER));
            blob_drop(&value);
        }
    }
    values_drop(&values, USER_WORKER, (struct value_id){1, 7});
    assert_null(values_get(&values, (struct value_id){1, 7}));
    values_drop(&values, USER_WORKER, (struct value_id){2, 0});
    for (uint64_t op = 1; op <= 50; op++)
        assert_null(values_get(&values, (struct value_id){2, op}));
    assert_non_null(values_get(&values, (struct value_id){1, 8}));
    assert_non_null(values_get(&values, (struct value_id){3, 7}));
    values_drop(&values, USER_WORKER, (struct value_id){0, 0});
    assert_int_equal(values.map.count, 0);
    map_clear(&values.map);
}

/* What was promised was waited for: a small value with a commit, a large one with its file and the
 * directory, too, and once more for each slice before the last. */
static void every_wait_for_the_disk_is_counted(void **state)
{
    static const struct {
        size_t len;
        uint64_t waits;
    } kept[] = {{1000, 1}, {VALUE_INLINE_MAX_BYTES + 1, 3}, {8 * MIB_BYTES + 1, 4}};
    (void)state;
    struct disk *disk = datadir_open();
    struct histogram before, after;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        struct blob *value = blob_new(kept[i].len);
        memset(value->at, 7, value->len);
        disk_sync_times(disk, &before);
        uint64_t since_us = clock_now_us();
        assert_int_equal(disk_keep(disk, (struct value_id){1, i + 1}, value), OK);
        uint64_t took_us = clock_now_us() - since_us;
        disk_sync_times(disk, &after);
        assert_int_equal(histogram_count(&after) - histogram_count(&before), kept[i].waits);
        assert_in_range(after.sum_us - before.sum_us, 0, took_us);
        blob_drop(&value);
    }
    disk_close(&disk);
    /* Where nothing is waited for, there is nothing to tell. */
    struct text why = {0};
    assert_int_equal(disk_open(datadir_path("other"), "conclave", 3, DURABILITY_OS, &disk, &why),
                     OK);
    struct blob *value = blob_new(VALUE_INLINE_MAX_BYTES + 1);
    memset(value->at, 7, value->len);
    assert_int_equal(disk_keep(disk, (struct value_id){1, 1}, value), OK);
    blob_drop(&value);
    disk_sync_times(disk, &after);
    assert_int_equal(histogram_count(&after), 0);
    disk_close(&disk);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, datadir_make, datadir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(every_wait_for_the_disk_is_counted),
        fresh(values_small_and_large_are_kept_until_dropped),
        fresh(a_rotten_value_is_found_by_reads_and_by_the_scrub_R37),
        fresh(a_small_value_that_rots_is_missing_and_the_store_opens_R37),
        fresh(kept_values_are_listed_and_files_without_a_record_go_W4),
        fresh(a_value_whose_file_changed_is_not_served),
        fresh(values_in_memory_go_by_op_by_job_or_all),
    };
    return cmocka_run_group_tests_name("store of values", tests, NULL, NULL);
}
