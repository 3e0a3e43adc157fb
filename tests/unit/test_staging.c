/* Segments of tasks' files on the scratch disk: written, held, dropped, removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nodes/work/staging.h"
#include "shared/base/clock.h"
#include "tests/harness/datadir.h"

static const struct value_id a = {7, 1}, b = {7, 2};

static struct blob *bytes_of(char letter, size_t len)
{
    struct blob *blob = blob_new(len);
    memset(blob->at, letter, len);
    return blob;
}

static void write_some(struct staging *staging, struct value_id id, char letter, size_t len)
{
    struct blob *blob = bytes_of(letter, len);
    staging_write(staging, id, blob);
    blob_drop(&blob);
}

/* The next end, which comes within ten seconds; its error. */
static int ends(struct staging *staging, struct value_id wanted)
{
    struct value_id id;
    int error;
    for (uint64_t end_us = clock_now_us() + 10 * SECOND_US; clock_now_us() < end_us;) {
        if (staging_take(staging, &id, &error)) {
            assert_true(value_id_same(id, wanted));
            return error;
        }
        struct pollfd item = {.fd = staging_fd(staging), .events = POLLIN};
        poll(&item, 1, 1000);
    }
    fail_msg("nothing ends");
    return 0;
}

static size_t files_in(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* Within ten seconds: the thread does it. */
static void assert_files(const char *path, size_t n)
{
    for (int tries = 0; tries < 10000 && files_in(path) != n; tries++)
        usleep(1000);
    assert_int_equal(files_in(path), n);
}

static void assert_file(const char *path, char letter, size_t len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = 0;
    for (int byte; (byte = fgetc(file)) != EOF; n++)
        assert_int_equal(byte, letter);
    assert_int_equal(n, len);
    fclose(file);
}

static void a_segment_is_there_when_it_is_written(void **context)
{
    (void)context;
    const char *dir = datadir;
    struct staging *staging = staging_new(dir);
    write_some(staging, a, 'a', 3000000);
    assert_null(staging_hold(staging, a));
    assert_int_equal(ends(staging, a), 0);
    assert_null(staging_hold(staging, b));
    struct staged *staged = staging_hold(staging, a);
    assert_file(staged_path(staged), 'a', 3000000);
    assert_int_equal(staged_len(staged), 3000000);
    staging_release(staging, &staged);
    assert_null(staged);
    assert_files(dir, 1);
    staging_destroy(&staging);
    assert_files(dir, 0);
}

/* An attempt reads it, while the core makes room for another one's. */
static void a_file_is_there_until_nobody_holds_it(void **context)
{
    (void)context;
    const char *dir = datadir;
    struct staging *staging = staging_new(dir);
    write_some(staging, a, 'a', 10);
    assert_int_equal(ends(staging, a), 0);
    struct staged *one = staging_hold(staging, a), *two = staging_hold(staging, a);
    staging_drop(staging, a);
    assert_null(staging_hold(staging, a));
    write_some(staging, a, 'A', 20); /* the same segment once more */
    assert_int_equal(ends(staging, a), 0);
    assert_file(staged_path(one), 'a', 10);
    staging_release(staging, &one);
    assert_file(staged_path(two), 'a', 10);
    assert_files(dir, 2);
    staging_release(staging, &two);
    assert_files(dir, 1);
    one = staging_hold(staging, a);
    assert_file(staged_path(one), 'A', 20);
    staging_release(staging, &one);
    staging_destroy(&staging);
    assert_files(dir, 0);
}

/* Its end is told to nobody: who wants it again is not to take the one for the other. */
static void what_is_dropped_while_it_is_written_has_no_end(void **context)
{
    (void)context;
    const char *dir = datadir;
    struct staging *staging = staging_new(dir);
    for (int i = 0; i < 100; i++) {
        write_some(staging, a, 'a', 100000);
        if (i % 2)
            staging_drop(staging, a);
        else
            write_some(staging, a, 'b', 100000); /* in place of it */
        staging_drop(staging, a);
    }
    write_some(staging, b, 'b', 1);
    assert_int_equal(ends(staging, b), 0);
    assert_files(dir, 1);
    staging_destroy(&staging);
    assert_files(dir, 0);
}

static void what_cannot_be_written_says_why(void **context)
{
    (void)context;
    const char *dir = datadir;
    char none[256];
    snprintf(none, sizeof none, "%s/none", dir);
    struct staging *staging = staging_new(none);
    write_some(staging, a, 'a', 10);
    assert_int_equal(ends(staging, a), ENOENT);
    assert_null(staging_hold(staging, a));
    mkdir(none, 0700);
    write_some(staging, a, 'a', 10);
    assert_int_equal(ends(staging, a), 0);
    staging_destroy(&staging);
    assert_files(none, 0);
    rmdir(none);
}

static void a_node_without_commands_writes_nothing(void **context)
{
    (void)context;
    struct staging *staging = staging_new(NULL);
    write_some(staging, a, 'a', 10);
    assert_int_equal(ends(staging, a), 0);
    staging_drop(staging, a);
    staging_destroy(&staging);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, datadir_make, datadir_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_there_when_it_is_written),
        TEST(a_file_is_there_until_nobody_holds_it),
        TEST(what_is_dropped_while_it_is_written_has_no_end),
        TEST(what_cannot_be_written_says_why),
        TEST(a_node_without_commands_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
