/* A store whose file is mostly free becomes smaller when it is opened, and loses nothing. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nodes/io/disk_internal.h"
#include "nodes/io/store.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "tests/harness/tree.h"

#define PATH_ROOM   256
#define ENTRY_BYTES 60000
#define ENTRIES     1700 /* 100 MB */
#define COVERED     1600 /* by the checkpoint */
#define PARTS       3
#define SMALL_BYTES (16 * MIB_BYTES)

static char root[PATH_ROOM];

static int make_root(void **state)
{
    (void)state;
    text_format(root, sizeof root, "/tmp/conclave-test-shrink.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return tree_remove(root);
}

static struct disk *open_disk(const char *cluster)
{
    struct disk *disk;
    struct text why = {0};
    if (disk_open(root, cluster, cluster ? 1 : 0, DURABILITY_OS, &disk, &why))
        fail_msg("%s", why.at);
    return disk;
}

static void path_of(char path[PATH_ROOM], const char *name)
{
    text_format(path, PATH_ROOM, "%s/store/%s", root, name);
}

static uint64_t size_of(void)
{
    char path[PATH_ROOM];
    struct stat status;
    path_of(path, "data.mdb");
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

/* With what is allocated ahead. */
static uint64_t allocated(void)
{
    char path[PATH_ROOM];
    struct stat status;
    path_of(path, "data.mdb");
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static struct blob *entry_of(uint64_t number)
{
    struct blob *entry = blob_new(ENTRY_BYTES);
    memset(entry->at, (int)(number & 0xff), entry->len);
    return entry;
}

/* Many entries, a checkpoint that covers most, a vote, a record and a small value. */
static void fill_disk(struct disk *disk)
{
    struct blob *parts[PARTS], *value = blob_copy("value", 5);
    for (uint64_t i = 1; i <= ENTRIES; i++) {
        struct blob *entry = entry_of(i);
        disk_begin(disk);
        disk_write(disk,
                   &(struct write){.kind = WRITE_ENTRY, .term = 1, .index = i, .entry = entry});
        disk_commit(disk);
        blob_drop(&entry);
    }
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = blob_copy("part", 4);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 7, .vote = 1, .voter = true});
    disk_write(disk,
               &(struct write){.kind = WRITE_RECORD, .entry = value, .key = "a", .key_len = 1});
    disk_write(disk, &(struct write){.kind = WRITE_CHECKPOINT,
                                     .index = COVERED,
                                     .parts = parts,
                                     .n_parts = PARTS});
    disk_commit(disk);
    assert_int_equal(disk_keep(disk, (struct value_id){5, 6}, value), OK);
    for (size_t i = 0; i < PARTS; i++)
        blob_drop(&parts[i]);
    blob_drop(&value);
}

static void fill(void)
{
    struct disk *disk = open_disk("conclave");
    fill_disk(disk);
    disk_close(&disk);
    assert_true(size_of() > 100 * 1000 * 1000);
}

/* --- that all is there --- */

struct found {
    size_t parts, entries, records;
    log_index_t last;
};

static int see_part(void *context, struct slice part)
{
    ((struct found *)context)->parts += part.len == 4 && !memcmp(part.at, "part", 4);
    return OK;
}

static int see_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct found *found = context;
    struct blob *expected = entry_of(index);
    found->last = index;
    found->entries +=
        term == 1 && entry.len == expected->len && !memcmp(entry.at, expected->at, entry.len);
    blob_drop(&expected);
    return OK;
}

static int see_record(void *context, struct slice key, struct slice value)
{
    ((struct found *)context)->records += key.len == 1 && value.len == 5;
    return OK;
}

static void check_upto(struct disk *disk, log_index_t last)
{
    struct found found = {0};
    struct node_durable durable;
    struct text why = {0};
    struct blob *value;
    uint64_t total;
    if (disk_read_vote(disk, &durable, &why) ||
        disk_read_log(disk, see_part, see_entry, &found, &why) ||
        disk_read_records(disk, see_record, &found, &why))
        fail_msg("%s", why.at);
    assert_int_equal(durable.term, 7);
    assert_int_equal(found.parts, PARTS);
    assert_int_equal(found.entries, last - COVERED);
    assert_int_equal(found.last, last);
    assert_int_equal(found.records, 1);
    assert_int_equal(disk_read_kept(disk, (struct value_id){5, 6}, 0, 100, &value, &total), OK);
    assert_true(total == 5 && !memcmp(value->at, "value", 5));
    blob_drop(&value);
}

/* --- while it runs --- */

static void write_entry(struct disk *disk, log_index_t index)
{
    struct blob *entry = entry_of(index);
    disk_begin(disk);
    disk_write(disk,
               &(struct write){.kind = WRITE_ENTRY, .term = 1, .index = index, .entry = entry});
    disk_commit(disk);
    blob_drop(&entry);
}

static void a_store_that_runs_becomes_smaller_and_goes_on_W6(void **state)
{
    struct disk *disk = open_disk("conclave");
    (void)state;
    fill_disk(disk);
    uint64_t before = size_of();
    assert_true(before > 100 * 1000 * 1000);
    assert_true(disk_tidy(disk));
    assert_true(size_of() < SMALL_BYTES);
    check_upto(disk, ENTRIES);
    assert_int_equal(disk_reserve(disk), OK);
    write_entry(disk, ENTRIES + 1);
    check_upto(disk, ENTRIES + 1);
    uint64_t small = size_of();
    assert_false(disk_tidy(disk)); /* there is nothing more to be had */
    assert_int_equal(size_of(), small);
    disk_close(&disk);
    disk = open_disk("conclave");
    check_upto(disk, ENTRIES + 1);
    disk_close(&disk);
}

/* Two seconds after the last write, whatever is read meanwhile. */
static void the_store_thread_does_it_when_nothing_is_written_W6(void **state)
{
    struct disk *disk = open_disk("conclave");
    (void)state;
    fill_disk(disk);
    struct store *store = store_start(disk);
    store_drop(store, &(struct value_id){9, 9}, 1);
    uint64_t until_us = clock_now_us() + 30 * SECOND_US;
    while (size_of() >= SMALL_BYTES && clock_now_us() < until_us) {
        store_scrub(store);
        poll(NULL, 0, 10);
    }
    assert_true(size_of() < SMALL_BYTES);
    store_stop(store);
    store_destroy(&store);
    assert_true(allocated() >= STORE_RESERVE_BYTES);
    check_upto(disk, ENTRIES);
    disk_close(&disk);
}

/* --- the tests --- */

static void a_start_gives_free_pages_back_W6(void **state)
{
    (void)state;
    fill();
    for (unsigned life = 0; life < 2; life++) {
        struct disk *disk = open_disk("conclave");
        assert_true(size_of() < SMALL_BYTES);
        check_upto(disk, ENTRIES);
        disk_begin(disk); /* and it goes on from there */
        disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 7, .vote = 1, .voter = true});
        disk_commit(disk);
        disk_close(&disk);
    }
}

static void who_only_looks_changes_nothing_W6(void **state)
{
    (void)state;
    fill();
    uint64_t before = size_of();
    struct disk *disk = open_disk(NULL);
    check_upto(disk, ENTRIES);
    disk_close(&disk);
    assert_int_equal(size_of(), before);
}

static void what_a_start_that_was_cut_short_left_is_removed_W6(void **state)
{
    char draft[PATH_ROOM];
    (void)state;
    fill();
    path_of(draft, "data.mdb.new");
    int fd = open(draft, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0 && write(fd, "half", 4) == 4 && close(fd) == 0);
    struct disk *disk = open_disk("conclave");
    check_upto(disk, ENTRIES);
    disk_close(&disk);
    assert_int_equal(access(draft, F_OK), -1);
    assert_true(size_of() < SMALL_BYTES);
}

static void a_copy_that_cannot_be_made_leaves_the_store_as_it_is_W6(void **state)
{
    char draft[PATH_ROOM];
    (void)state;
    fill();
    uint64_t before = size_of();
    path_of(draft, "data.mdb.new");
    assert_int_equal(mkdir(draft, 0755), 0); /* in its place */
    struct disk *disk = open_disk("conclave");
    check_upto(disk, ENTRIES);
    disk_close(&disk);
    assert_int_equal(size_of(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_that_runs_becomes_smaller_and_goes_on_W6, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(the_store_thread_does_it_when_nothing_is_written_W6,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_start_gives_free_pages_back_W6, make_root, remove_root),
        cmocka_unit_test_setup_teardown(who_only_looks_changes_nothing_W6, make_root, remove_root),
        cmocka_unit_test_setup_teardown(what_a_start_that_was_cut_short_left_is_removed_W6,
                                        make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_copy_that_cannot_be_made_leaves_the_store_as_it_is_W6,
                                        make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
