/* The data directory: whose it is, what survives, what is refused; and the store thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/store.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/harness/datadir.h"

#define PATIENCE_MS 20000

static void assert_refused(const char *name, const char *cluster, node_id_t node, int expected,
                           const char *word)
{
    struct disk *disk = NULL;
    struct text why = {0};
    assert_int_equal(disk_open(datadir_path(name), cluster, node, DURABILITY_FSYNC, &disk, &why),
                     expected);
    assert_null(disk);
    if (!strstr(why.at, word) || !strstr(why.at, datadir))
        fail_msg("'%s' does not say '%s'", why.at, word);
}

/* --- opening --- */

static void a_directory_belongs_to_one_node_of_one_cluster(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    assert_refused("node", "conclave", 3, ERR_EXISTS, "in use");
    disk_close(&disk);
    assert_refused("node", "conclave", 4, ERR_STALE, "belongs to node 3");
    assert_refused("node", "other", 3, ERR_STALE, "cluster 'conclave'");
    disk = datadir_open();
    disk_close(&disk);
}

static void a_directory_that_cannot_be_used_is_refused(void **state)
{
    (void)state;
    int fd = open(datadir_path("file"), O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_refused("file", "conclave", 3, ERR_IO, "not a directory");
    assert_refused("file/below", "conclave", 3, ERR_IO, "cannot make the directory");
}

static void each_boot_is_another_incarnation(void **state)
{
    (void)state;
    incarnation_t last = 0, first = 0;
    struct text why = {0};
    for (uint64_t boot = 1; boot <= 3; boot++) {
        struct disk *disk = datadir_open();
        incarnation_t incarnation;
        struct node_durable durable;
        assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
        assert_int_equal(durable.birth, first);
        assert_int_equal(disk_boot(disk, &incarnation, &durable, &why), OK);
        assert_true(incarnation >> 32 == boot && incarnation > last);
        first = first ? first : incarnation;
        assert_int_equal(durable.birth, first); /* a restart keeps it */
        last = incarnation;
        disk_close(&disk);
    }
}

/* --- vote and log --- */

struct seen {
    log_index_t base, n;
    uint64_t sum_terms;
    size_t parts;
};

static int see_part(void *context, struct slice part)
{
    struct seen *seen = context;
    char expected[32];
    text_format(expected, sizeof expected, "part %zu", seen->parts++);
    assert_true(slice_equals(part, expected));
    return OK;
}

static int see_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct seen *seen = context;
    char expected[32];
    text_format(expected, sizeof expected, "entry %llu of %llu", (unsigned long long)index,
                (unsigned long long)term);
    assert_true(index == seen->base + seen->n + 1 && slice_equals(entry, expected));
    seen->n++;
    seen->sum_terms += term;
    return OK;
}

static void write_entry(struct disk *disk, log_index_t index, term_t term)
{
    char bytes[32];
    size_t len = text_format(bytes, sizeof bytes, "entry %llu of %llu", (unsigned long long)index,
                             (unsigned long long)term);
    struct blob *entry = blob_copy(bytes, len);
    disk_write(disk,
               &(struct write){.kind = WRITE_ENTRY, .index = index, .term = term, .entry = entry});
    blob_drop(&entry);
}

static struct seen read_log(struct disk *disk, log_index_t base)
{
    struct seen seen = {.base = base};
    struct text why = {0};
    if (disk_read_log(disk, see_part, see_entry, &seen, &why))
        fail_msg("%s", why.at);
    return seen;
}

static void vote_and_log_survive(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct node_durable durable;
    struct text why = {0};
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(durable.term == 0 && durable.vote == 0 && read_log(disk, 0).n == 0);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 5, .vote = 2, .voter = true});
    for (log_index_t index = 1; index <= 3000; index++)
        write_entry(disk, index, 1);
    disk_commit(disk);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_TRUNCATE, .index = 301});
    write_entry(disk, 301, 2);
    write_entry(disk, 300, 2); /* replaces */
    disk_commit(disk);
    disk_close(&disk);

    disk = datadir_open();
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(durable.term == 5 && durable.vote == 2 && durable.voter);
    struct seen seen = read_log(disk, 0);
    assert_true(seen.n == 301 && seen.sum_terms == 299 + 2 * 2);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_TRUNCATE, .index = 1});
    disk_write(disk, &(struct write){.kind = WRITE_TRUNCATE, .index = 1});
    disk_commit(disk);
    assert_true(read_log(disk, 0).n == 0);
    disk_close(&disk);
}

static void durability_off_neither_keeps_nor_believes_a_log(void **state)
{
    (void)state;
    struct disk *disk = NULL;
    struct node_durable durable;
    struct text why = {0};
    assert_int_equal(disk_open(datadir_path("off"), "conclave", 3, DURABILITY_OFF, &disk, &why),
                     OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    struct store *store = store_start(disk);
    store_persist(store, 1, &(struct write){.kind = WRITE_VOTE, .term = 5, .voter = true}, 1);
    store_stop(store);
    struct store_report *done = store_take(store);
    assert_true(done && done->kind == STORE_PERSISTED && done->seq == 1);
    store_report_free(done);
    store_destroy(&store);
    disk_close(&disk);

    assert_int_equal(disk_open(datadir_path("off"), "conclave", 3, DURABILITY_FSYNC, &disk, &why),
                     OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(!durable.term && !durable.voter);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 6});
    disk_commit(disk);
    disk_close(&disk);

    assert_int_equal(disk_open(datadir_path("off"), "conclave", 3, DURABILITY_OFF, &disk, &why),
                     OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), ERR_STALE);
    assert_non_null(strstr(why.at, "holds a log"));
    disk_close(&disk);
}

static void write_checkpoint(struct disk *disk, log_index_t index, size_t n_parts, bool whole)
{
    struct blob **parts = mem_new(n_parts, sizeof *parts);
    for (size_t i = 0; i < n_parts; i++) {
        char bytes[32];
        parts[i] = blob_copy(bytes, text_format(bytes, sizeof bytes, "part %zu", i));
    }
    disk_write(disk, &(struct write){.kind = WRITE_CHECKPOINT,
                                     .index = index,
                                     .term = 1,
                                     .parts = parts,
                                     .n_parts = n_parts,
                                     .whole = whole});
    for (size_t i = 0; i < n_parts; i++)
        blob_drop(&parts[i]);
    free(parts);
}

static void a_full_checkpoint_replaces_the_log_before_it(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    disk_begin(disk);
    for (log_index_t index = 1; index <= 50; index++)
        write_entry(disk, index, 1);
    write_checkpoint(disk, 40, 300, false);
    disk_commit(disk);
    struct seen seen = read_log(disk, 40);
    assert_true(seen.parts == 300 && seen.n == 10);
    disk_begin(disk);
    write_checkpoint(disk, 45, 2, false); /* a smaller one leaves nothing of the larger */
    disk_commit(disk);
    disk_close(&disk);

    disk = datadir_open();
    seen = read_log(disk, 45);
    assert_true(seen.parts == 2 && seen.n == 5);
    disk_begin(disk);
    write_checkpoint(disk, 47, 3, true); /* installed: what is here of the log may conflict */
    write_entry(disk, 48, 3);
    disk_commit(disk);
    seen = read_log(disk, 47);
    assert_true(seen.parts == 3 && seen.n == 1 && seen.sum_terms == 3);
    disk_close(&disk);
}

static void a_gap_in_the_log_is_damage(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    disk_begin(disk);
    write_entry(disk, 1, 1);
    write_entry(disk, 3, 1);
    disk_commit(disk);
    struct seen seen = {0};
    struct text why = {0};
    assert_int_equal(disk_read_log(disk, see_part, see_entry, &seen, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.at, "data.mdb is damaged"));
    disk_close(&disk);
}

/* Everything that could be flipped is either noticed or harmless: nothing that comes
 * back is wrong. */
static void damage_is_noticed(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 5, .vote = 2, .voter = true});
    for (log_index_t index = 1; index <= 20; index++)
        write_entry(disk, index, 1);
    disk_commit(disk);
    disk_close(&disk);
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", datadir);
    int fd = open(path, O_RDWR);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = mem_new((size_t)status.st_size, 1);
    assert_true(pread(fd, bytes, (size_t)status.st_size, 0) == status.st_size);
    /* The text of an entry, wherever its page is. */
    const uint8_t *entry = memmem(bytes, (size_t)status.st_size, "entry 7 of 1", 12);
    assert_non_null(entry);
    while (entry) {
        size_t at = (size_t)(entry - bytes);
        assert_int_equal(pwrite(fd, "E", 1, (off_t)at), 1);
        entry = memmem(entry + 1, (size_t)status.st_size - at - 1, "entry 7 of 1", 12);
    }
    assert_refused("node", "conclave", 3, ERR_CORRUPT, path);
    assert_refused("node", "conclave", 3, ERR_CORRUPT, "a record in 'log' is wrong");
    assert_int_equal(ftruncate(fd, 2 * 4096), 0);
    assert_refused("node", "conclave", 3, ERR_CORRUPT, "cut off");
    assert_int_equal(pwrite(fd, "garbage garbage garbage garbage garbage", 39, 0), 39);
    assert_int_equal(pwrite(fd, "garbage garbage garbage garbage garbage", 39, 4096), 39);
    assert_refused("node", "conclave", 3, ERR_CORRUPT, "damaged");
    free(bytes);
    close(fd);
}

/* --- records --- */

struct records {
    size_t n;
    char last[RECORD_KEY_MAX + 1]; /* key */
    bool refuses;
};

/* The value of every record is its key twice. */
static int see_record(void *context, struct slice key, struct slice value)
{
    struct records *records = context;
    char name[RECORD_KEY_MAX + 1], twice[2 * RECORD_KEY_MAX + 1];
    text_format(name, sizeof name, "%.*s", (int)key.len, (const char *)key.at);
    text_format(twice, sizeof twice, "%s%s", name, name);
    assert_true(slice_equals(value, twice));
    assert_true(!records->n || strcmp(records->last, name) < 0);
    text_format(records->last, sizeof records->last, "%s", name);
    records->n++;
    return records->refuses ? ERR_CORRUPT : OK;
}

static void write_record(struct disk *disk, const char *key, const char *value)
{
    struct write write = {.kind = WRITE_RECORD, .key_len = strlen(key)};
    memcpy(write.key, key, write.key_len);
    write.entry = value ? blob_copy(value, strlen(value)) : NULL;
    disk_write(disk, &write);
    blob_drop(&write.entry);
}

static size_t count_records(struct disk *disk)
{
    struct records records = {0};
    struct text why = {0};
    if (disk_read_records(disk, see_record, &records, &why))
        fail_msg("%s", why.at);
    return records.n;
}

static void records_are_replaced_forgotten_and_read_in_order(void **state)
{
    (void)state;
    char longest[RECORD_KEY_MAX + 1], twice[2 * RECORD_KEY_MAX + 1];
    memset(longest, 'x', RECORD_KEY_MAX);
    longest[RECORD_KEY_MAX] = '\0';
    text_format(twice, sizeof twice, "%s%s", longest, longest);
    struct disk *disk = datadir_open();
    assert_int_equal(count_records(disk), 0);
    disk_begin(disk);
    write_record(disk, "b", "something else");
    write_record(disk, "c", "cc");
    write_record(disk, longest, twice);
    write_record(disk, "a", "aa");
    write_record(disk, "b", "bb");
    disk_commit(disk);
    assert_int_equal(count_records(disk), 4);
    disk_begin(disk);
    write_record(disk, "c", NULL);
    write_record(disk, "never there", NULL);
    disk_commit(disk);
    disk_close(&disk);
    disk = datadir_open();
    assert_int_equal(count_records(disk), 3);
    struct records records = {.refuses = true};
    struct text why = {0};
    assert_int_equal(disk_read_records(disk, see_record, &records, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.at, "record 'a'"));
    disk_close(&disk);
}

static void a_damaged_record_is_refused_by_name(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    disk_begin(disk);
    write_record(disk, "damaged-", "damaged-damaged-");
    disk_commit(disk);
    disk_close(&disk);
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", datadir);
    int fd = open(path, O_RDWR);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = mem_new((size_t)status.st_size, 1);
    assert_true(pread(fd, bytes, (size_t)status.st_size, 0) == status.st_size);
    const uint8_t *value = memmem(bytes, (size_t)status.st_size, "damaged-damaged-", 16);
    assert_non_null(value);
    assert_int_equal(pwrite(fd, "D", 1, (off_t)(value - bytes)), 1);
    assert_refused("node", "conclave", 3, ERR_CORRUPT, path);
    assert_refused("node", "conclave", 3, ERR_CORRUPT, "a record in 'records' is wrong");
    free(bytes);
    close(fd);
}

/* --- the thread --- */

/* Waits for reports and hands the first one out; the caller frees all. */
static struct store_report *next_report(struct store *store)
{
    struct pollfd ready = {.fd = store_fd(store), .events = POLLIN};
    struct store_report *report;
    do
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    while (!(report = store_take(store)));
    return report;
}

static void free_reports(struct store_report *report)
{
    for (struct store_report *next; report; report = next) {
        next = store_next(report);
        store_report_free(report);
    }
}

static void what_is_reported_is_on_disk(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct store *store = store_start(disk);
    struct blob *entry = blob_copy("entry", 5);
    uint64_t seq = 0, durable = 0;
    for (int turn = 0; turn < 50; turn++) {
        for (int i = 0; i < 3; i++) {
            struct write writes[] = {
                {.kind = WRITE_VOTE, .term = ++seq, .vote = 3},
                {.kind = WRITE_ENTRY, .term = 1, .index = seq, .entry = entry}};
            store_persist(store, seq, writes, 2);
        }
        store_flush(store);
    }
    while (durable < seq) {
        struct store_report *first = next_report(store);
        for (struct store_report *report = first; report; report = store_next(report)) {
            assert_int_equal(report->kind, STORE_PERSISTED);
            assert_true(report->seq > durable && report->seq <= seq);
            durable = report->seq;
        }
        free_reports(first);
    }
    store_stop(store);
    store_destroy(&store);
    disk_close(&disk);
    blob_drop(&entry);
    disk = datadir_open();
    struct node_durable vote;
    struct text why = {0};
    assert_int_equal(disk_read_vote(disk, &vote, &why), OK);
    assert_true(vote.term == seq && vote.vote == 3);
    disk_close(&disk);
}

static void the_thread_keeps_and_reads(void **state)
{
    (void)state;
    struct disk *disk = datadir_open();
    struct store *store = store_start(disk);
    struct blob *value = blob_new(1000000);
    memset(value->at, 'x', value->len);
    int cookie;
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 1}, value);
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 1}, NULL); /* is it there? */
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 2}, NULL);
    store_read(store, (struct value_id){1, 1}, 999990, 100, &cookie);
    store_read(store, (struct value_id){1, 2}, 0, 100, &cookie);
    store_stop(store); /* finishes what was asked for */
    struct store_report *first = store_take(store), *kept = first, *there = store_next(kept),
                        *absent = store_next(there), *found = store_next(absent),
                        *missing = store_next(found);
    assert_int_equal(kept->kind, STORE_KEPT);
    assert_true(there->kind == STORE_KEPT && !there->error);
    assert_true(absent->kind == STORE_KEPT && absent->error == ERR_NOT_FOUND);
    assert_true(found->kind == STORE_READ && !found->error && found->cookie == &cookie);
    assert_true(found->blob->len == 10 && found->total == value->len);
    assert_true(missing->kind == STORE_READ && missing->error == ERR_NOT_FOUND && !missing->blob);
    assert_null(store_next(missing));
    free_reports(first);
    store_destroy(&store);
    blob_drop(&value);
    disk_close(&disk);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, datadir_make, datadir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(a_directory_belongs_to_one_node_of_one_cluster),
        fresh(a_directory_that_cannot_be_used_is_refused),
        fresh(each_boot_is_another_incarnation),
        fresh(vote_and_log_survive),
        fresh(durability_off_neither_keeps_nor_believes_a_log),
        fresh(a_full_checkpoint_replaces_the_log_before_it),
        fresh(a_gap_in_the_log_is_damage),
        fresh(records_are_replaced_forgotten_and_read_in_order),
        fresh(a_damaged_record_is_refused_by_name),
        fresh(damage_is_noticed),
        fresh(what_is_reported_is_on_disk),
        fresh(the_thread_keeps_and_reads),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
