/* The data directory: whose it is, what survives, what is refused; and the store thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/store.h"
#include "nodes/core/values/values.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/harness/random.h"
#include "tests/harness/tree.h"

#define PATIENCE_MS 20000
#define PATH_ROOM   512

static char root[64];

static int make_root(void **state)
{
    (void)state;
    text_format(root, sizeof root, "/tmp/conclave-store-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return tree_remove(root);
}

static const char *path_of(const char *name)
{
    static char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/%s", root, name);
    return path;
}

static struct disk *open_disk(void)
{
    struct disk *disk;
    struct text why = {0};
    int error = disk_open(path_of("node"), "conclave", 3, DURABILITY_FSYNC, &disk, &why);
    if (error)
        fail_msg("%s", why.at);
    return disk;
}

static void assert_refused(const char *name, const char *cluster, node_id_t node, int expected,
                           const char *word)
{
    struct disk *disk = NULL;
    struct text why = {0};
    assert_int_equal(disk_open(path_of(name), cluster, node, DURABILITY_FSYNC, &disk, &why),
                     expected);
    assert_null(disk);
    if (!strstr(why.at, word) || !strstr(why.at, root))
        fail_msg("'%s' does not say '%s'", why.at, word);
}

/* --- opening --- */

static void a_directory_belongs_to_one_node_of_one_cluster(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
    assert_refused("node", "conclave", 3, ERR_EXISTS, "in use");
    disk_close(&disk);
    assert_refused("node", "conclave", 4, ERR_STALE, "belongs to node 3");
    assert_refused("node", "other", 3, ERR_STALE, "cluster 'conclave'");
    disk = open_disk();
    disk_close(&disk);
}

static void a_directory_that_cannot_be_used_is_refused(void **state)
{
    (void)state;
    int fd = open(path_of("file"), O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_refused("file", "conclave", 3, ERR_IO, "no directory");
    assert_refused("file/below", "conclave", 3, ERR_IO, "cannot make the directory");
}

static void each_boot_is_another_incarnation(void **state)
{
    (void)state;
    incarnation_t last = 0, first = 0;
    struct text why = {0};
    for (uint64_t boot = 1; boot <= 3; boot++) {
        struct disk *disk = open_disk();
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
    struct disk *disk = open_disk();
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

    disk = open_disk();
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
    assert_int_equal(disk_open(path_of("off"), "conclave", 3, DURABILITY_OFF, &disk, &why), OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    struct store *store = store_start(disk);
    store_persist(store, 1, &(struct write){.kind = WRITE_VOTE, .term = 5, .voter = true}, 1);
    store_stop(store);
    struct store_report *done = store_take(store);
    assert_true(done && done->kind == STORE_PERSISTED && done->seq == 1);
    store_report_free(done);
    store_destroy(&store);
    disk_close(&disk);

    assert_int_equal(disk_open(path_of("off"), "conclave", 3, DURABILITY_FSYNC, &disk, &why), OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(!durable.term && !durable.voter);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 6});
    disk_commit(disk);
    disk_close(&disk);

    assert_int_equal(disk_open(path_of("off"), "conclave", 3, DURABILITY_OFF, &disk, &why), OK);
    assert_int_equal(disk_read_vote(disk, &durable, &why), ERR_STALE);
    assert_non_null(strstr(why.at, "holds a log"));
    disk_close(&disk);
}

static void write_image(struct disk *disk, log_index_t index, size_t n_parts, bool whole)
{
    struct blob **parts = mem_new(n_parts, sizeof *parts);
    for (size_t i = 0; i < n_parts; i++) {
        char bytes[32];
        parts[i] = blob_copy(bytes, text_format(bytes, sizeof bytes, "part %zu", i));
    }
    disk_write(disk, &(struct write){.kind = WRITE_IMAGE,
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
    struct disk *disk = open_disk();
    disk_begin(disk);
    for (log_index_t index = 1; index <= 50; index++)
        write_entry(disk, index, 1);
    write_image(disk, 40, 300, false);
    disk_commit(disk);
    struct seen seen = read_log(disk, 40);
    assert_true(seen.parts == 300 && seen.n == 10);
    disk_begin(disk);
    write_image(disk, 45, 2, false); /* a smaller one leaves nothing of the larger */
    disk_commit(disk);
    disk_close(&disk);

    disk = open_disk();
    seen = read_log(disk, 45);
    assert_true(seen.parts == 2 && seen.n == 5);
    disk_begin(disk);
    write_image(disk, 47, 3, true); /* installed: what is here of the log may conflict */
    write_entry(disk, 48, 3);
    disk_commit(disk);
    seen = read_log(disk, 47);
    assert_true(seen.parts == 3 && seen.n == 1 && seen.sum_terms == 3);
    disk_close(&disk);
}

static void a_gap_in_the_log_is_damage(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
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

/* Everything that could be flipped is either noticed or harmless: nothing that comes back is wrong.
 */
static void damage_is_noticed(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 5, .vote = 2, .voter = true});
    for (log_index_t index = 1; index <= 20; index++)
        write_entry(disk, index, 1);
    disk_commit(disk);
    disk_close(&disk);
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", root);
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
    struct disk *disk = open_disk();
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
    disk = open_disk();
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
    struct disk *disk = open_disk();
    disk_begin(disk);
    write_record(disk, "damaged-", "damaged-damaged-");
    disk_commit(disk);
    disk_close(&disk);
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", root);
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

/* --- values --- */

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
    struct disk *disk = open_disk();
    for (size_t i = 0; i < 6; i++) {
        values[i] = blob_new(lens[i]);
        for (size_t k = 0; k < lens[i]; k++)
            values[i]->at[k] = (uint8_t)random_u64(&random);
        disk_keep(disk, (struct value_id){1 + i % 2, i + 1}, values[i]);
        disk_keep(disk, (struct value_id){1 + i % 2, i + 1}, values[i]); /* twice is once */
    }
    disk_close(&disk);
    disk = open_disk();
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
    struct disk *disk = open_disk();
    struct blob *value = blob_new(3 * VALUE_CHUNK_BYTES + 7), *got;
    struct scrub scrub = {0};
    uint64_t total;
    char path[PATH_ROOM];
    memset(value->at, '7', value->len);
    disk_keep(disk, (struct value_id){1, 1}, value);
    disk_keep(disk, (struct value_id){1, 2}, value);
    for (int i = 0; i < 20; i++)
        assert_int_equal(disk_scrub(disk, &scrub), OK);
    text_format(path, sizeof path, "%s/node/values/0-1-2", root);
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
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/store/data.mdb", root);
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
    struct disk *disk = open_disk();
    disk_keep(disk, id, value);
    disk_close(&disk);
    rot(value->at, len < 64 ? len : 64, offset);
    disk = open_disk(); /* it is not refused */
    assert_false(disk_has_kept(disk, id));
    assert_int_equal(disk_read_kept(disk, id, 0, len, &got, &total), ERR_CORRUPT);
    assert_null(got);
    assert_int_equal(disk_scrub(disk, &scrub), ERR_CORRUPT);
    assert_true(scrub.id.job == id.job && scrub.id.op == id.op);
    disk_keep(disk, id, value); /* repaired */
    assert_kept(disk, id, value);
    disk_close(&disk);
    disk = open_disk();
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
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("left by a crash", file);
    fclose(file);
}

static bool is_there(const char *name)
{
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/%s", root, name);
    return access(path, F_OK) == 0;
}

static void kept_values_are_listed_and_files_without_a_record_go_W4(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
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
    disk = open_disk();
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
    struct disk *disk = open_disk();
    struct blob *value = blob_new(100000), *got;
    memset(value->at, '7', value->len);
    disk_keep(disk, (struct value_id){1, 1}, value);
    char path[PATH_ROOM];
    text_format(path, sizeof path, "%s/node/values/0-1-1", root);
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
    struct disk *disk = open_disk();
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
    disk = open_disk();
    struct node_durable vote;
    struct text why = {0};
    assert_int_equal(disk_read_vote(disk, &vote, &why), OK);
    assert_true(vote.term == seq && vote.vote == 3);
    disk_close(&disk);
}

static void the_thread_keeps_reads_and_hashes(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
    struct store *store = store_start(disk);
    struct blob *value = blob_new(1000000);
    memset(value->at, 'x', value->len);
    int cookie;
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 1}, value);
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 1}, NULL); /* is it there? */
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 2}, NULL);
    store_read(store, (struct value_id){1, 1}, 999990, 100, &cookie);
    store_read(store, (struct value_id){1, 2}, 0, 100, &cookie);
    struct hash_stream *stream = mem_new(1, sizeof *stream);
    hash_begin(stream);
    store_hash(store, stream, value, 0, 400000, false, 9);
    store_hash(store, stream, value, 400000, 600000, true, 9);
    store_stop(store); /* finishes what was asked for */
    struct store_report *first = store_take(store), *kept = first, *there = store_next(kept),
                        *absent = store_next(there), *found = store_next(absent),
                        *missing = store_next(found), *hashed = store_next(missing);
    assert_int_equal(kept->kind, STORE_KEPT);
    assert_true(there->kind == STORE_KEPT && !there->error);
    assert_true(absent->kind == STORE_KEPT && absent->error == ERR_NOT_FOUND);
    assert_true(found->kind == STORE_READ && !found->error && found->cookie == &cookie);
    assert_true(found->blob->len == 10 && found->total == value->len);
    assert_true(missing->kind == STORE_READ && missing->error == ERR_NOT_FOUND && !missing->blob);
    uint8_t hash[HASH_BYTES];
    hash_bytes(value->at, value->len, hash);
    assert_true(hashed->kind == STORE_HASHED && hashed->seq == 9);
    assert_memory_equal(hashed->hash, hash, HASH_BYTES);
    assert_null(store_next(hashed));
    free_reports(first);
    store_destroy(&store);
    blob_drop(&value);
    disk_close(&disk);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

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
        fresh(values_small_and_large_are_kept_until_dropped),
        fresh(a_rotten_value_is_found_by_reads_and_by_the_scrub_R37),
        fresh(a_small_value_that_rots_is_missing_and_the_store_opens_R37),
        fresh(kept_values_are_listed_and_files_without_a_record_go_W4),
        fresh(a_value_whose_file_changed_is_not_served),
        fresh(values_in_memory_go_by_op_by_job_or_all),
        fresh(what_is_reported_is_on_disk),
        fresh(the_thread_keeps_reads_and_hashes),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
