/* Checkpoints in the data directory: what one shares with the one before is not written again, and
 * what is read is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lmdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/io/store.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "tests/harness/datadir.h"

/* Bytes that this process has given to write(), wherever they went. */
static uint64_t written_bytes(void)
{
    char line[64];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "wchar: %llu", &bytes) == 1)
            break;
    fclose(file);
    return bytes;
}

/* A checkpoint up to `index` with the parts of these names: those of an earlier one are on disk. */
static uint64_t share_checkpoint(struct disk *disk, log_index_t index,
                                 const struct part_name *names, size_t n)
{
    enum { PART_BYTES = 20000 };
    struct blob **parts = mem_new(n, sizeof *parts);
    uint64_t before = written_bytes();
    for (size_t i = 0; i < n; i++) {
        if (names[i].index != index)
            continue;
        parts[i] = blob_new(PART_BYTES);
        memset(parts[i]->at, (int)(names[i].index + names[i].place) & 0xff, PART_BYTES);
    }
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_CHECKPOINT,
                                     .index = index,
                                     .term = 1,
                                     .parts = parts,
                                     .names = names,
                                     .n_parts = n});
    disk_commit(disk);
    for (size_t i = 0; i < n; i++)
        blob_drop(&parts[i]);
    free(parts);
    return written_bytes() - before;
}

struct shared {
    const struct part_name *names;
    size_t n;
};

static int see_shared(void *context, struct slice part)
{
    struct shared *shared = context;
    struct part_name name = shared->names[shared->n++];
    assert_int_equal(part.at[0], (name.index + name.place) & 0xff);
    assert_int_equal(part.at[part.len - 1], (name.index + name.place) & 0xff);
    return OK;
}

static int no_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    (void)context;
    (void)index;
    (void)term;
    (void)entry;
    return ERR_CORRUPT;
}

static void check_shared(const struct part_name *names, size_t n)
{
    struct disk *disk = datadir_open();
    struct shared shared = {names, 0};
    struct text why = {0};
    if (disk_read_log(disk, see_shared, no_entry, &shared, &why))
        fail_msg("%s", why.at);
    assert_int_equal(shared.n, n);
    disk_close(&disk);
}

static void of_a_checkpoint_only_what_is_new_is_written_W5(void **state)
{
    (void)state;
    enum { PARTS = 300 };
    struct part_name names[PARTS + 1];
    struct disk *disk = datadir_open();
    for (size_t i = 0; i < PARTS; i++)
        names[i] = (struct part_name){10, i};
    uint64_t all = share_checkpoint(disk, 10, names, PARTS);
    assert_true(all > (uint64_t)PARTS * 20000);
    names[0] = (struct part_name){20, 0};
    names[7] = (struct part_name){20, 7};
    names[PARTS] = (struct part_name){20, PARTS};
    uint64_t some = share_checkpoint(disk, 20, names, PARTS + 1);
    assert_true(some < all / 20);
    disk_close(&disk);
    check_shared(names, PARTS + 1);

    disk = datadir_open(); /* the oldest ones go, in any place, and what is left keeps its name */
    for (size_t i = 0; i < PARTS / 2; i++)
        names[i] = names[2 * i + 1];
    names[PARTS / 2] = (struct part_name){30, PARTS / 2};
    some = share_checkpoint(disk, 30, names, PARTS / 2 + 1);
    assert_true(some < all / 20);
    disk_close(&disk);
    check_shared(names, PARTS / 2 + 1);
}

/* What is counted on and is not there: the process ends, and the checkpoint before is whole. */
static void a_checkpoint_is_not_written_without_all_its_parts(void **state)
{
    (void)state;
    struct part_name names[] = {{10, 0}, {10, 1}, {10, 2}}, wrong[] = {{20, 0}, {10, 1}, {10, 9}};
    struct disk *disk = datadir_open();
    int status;
    share_checkpoint(disk, 10, names, 3);
    disk_close(&disk);
    pid_t child = fork();
    if (!child) {
        close(STDERR_FILENO);
        disk = datadir_open();
        share_checkpoint(disk, 20, wrong, 3);
        _exit(0);
    }
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_ENVIRONMENT);
    check_shared(names, 3);
}

/* The store as LMDB sees it. */
struct raw {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta, image;
};

static struct raw open_raw(void)
{
    struct raw raw;
    assert_int_equal(mdb_env_create(&raw.env), 0);
    mdb_env_set_maxdbs(raw.env, 8);
    assert_int_equal(mdb_env_open(raw.env, datadir_path("node/store"), MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
    assert_int_equal(mdb_dbi_open(raw.txn, "meta", 0, &raw.meta), 0);
    assert_int_equal(mdb_dbi_open(raw.txn, "image", 0, &raw.image), 0);
    return raw;
}

static void put_raw(struct raw *raw, MDB_dbi dbi, const void *key, size_t key_len, const void *at,
                    size_t len)
{
    MDB_val name = {key_len, (void *)key}, value = {len, (void *)at};
    assert_int_equal(mdb_put(raw->txn, dbi, &name, &value, 0), 0);
}

static void del_raw(struct raw *raw, MDB_dbi dbi, const void *key, size_t key_len)
{
    MDB_val name = {key_len, (void *)key};
    assert_int_equal(mdb_del(raw->txn, dbi, &name, NULL), 0);
}

static void close_raw(struct raw *raw)
{
    assert_int_equal(mdb_txn_commit(raw->txn), 0);
    mdb_env_close(raw->env);
}

/* As releases with format 3 left it: parts under their places, and no list of names. */
static void make_format_3(log_index_t index, size_t n_parts)
{
    const char *owner = "conclave 3 node 3 cluster conclave";
    struct disk *disk = datadir_open();
    struct part_name names[] = {{index, 0}};
    share_checkpoint(disk, index, names, 1);
    disk_close(&disk);
    struct raw raw = open_raw();
    assert_int_equal(mdb_drop(raw.txn, raw.image, 0), 0);
    del_raw(&raw, raw.meta, "parts", 5);
    for (size_t i = 0; i < n_parts; i++) {
        uint8_t key[8], value[8 + 100];
        memset(value + 8, (int)(index + i) & 0xff, sizeof value - 8);
        bytes_put_be64(key, i);
        bytes_put_be64(value, map_hash(value + 8, sizeof value - 8) ^
                                  ((0x70617274 + index + i) * RANDOM_GAMMA));
        put_raw(&raw, raw.image, key, sizeof key, value, sizeof value);
    }
    uint64_t words[] = {index, n_parts, 0};
    words[2] = map_hash(words, 2 * sizeof words[0]) ^ RANDOM_GAMMA;
    put_raw(&raw, raw.meta, "image", 5, words, sizeof words);
    put_raw(&raw, raw.meta, "identity", 8, owner, strlen(owner));
    close_raw(&raw);
}

static void a_checkpoint_of_format_3_is_read_and_replaced(void **state)
{
    (void)state;
    enum { PARTS = 300 };
    struct part_name names[PARTS], later[] = {{45, 0}, {45, 1}};
    struct text why = {0};
    for (size_t i = 0; i < PARTS; i++)
        names[i] = (struct part_name){40, i};
    make_format_3(40, PARTS);
    check_shared(names, PARTS);
    struct disk *disk = datadir_open();
    assert_int_equal(disk_migrate(disk, 3, 3, &why), OK);
    disk_close(&disk);
    check_shared(names, PARTS);
    disk = datadir_open();
    share_checkpoint(disk, 45, later, 2);
    disk_close(&disk);
    check_shared(later, 2);
}

/* A list of names that does not fit its checkpoint, or a part that is missing, is damage. */
static void a_checkpoint_that_lacks_something_is_damage(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool part; /* else: the list */
    } wrong[] = {{"a part is gone", true}, {"the list is cut", false}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct part_name names[] = {{10, 0}, {10, 1}, {10, 2}};
        struct shared shared = {names, 0};
        struct text why = {0};
        struct disk *disk = datadir_open();
        share_checkpoint(disk, 10, names, 3);
        disk_close(&disk);
        struct raw raw = open_raw();
        uint8_t key[16], list[8 + 16];
        bytes_put_be64(key, 10);
        bytes_put_be64(key + 8, 1);
        memset(list, 0, sizeof list);
        if (wrong[i].part)
            del_raw(&raw, raw.image, key, sizeof key);
        else
            put_raw(&raw, raw.meta, "parts", 5, list, sizeof list);
        close_raw(&raw);
        disk = datadir_open();
        assert_int_equal(disk_read_log(disk, see_shared, no_entry, &shared, &why), ERR_CORRUPT);
        assert_non_null(strstr(why.at, "the checkpoint cannot be read"));
        disk_close(&disk);
    }
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, datadir_make, datadir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(of_a_checkpoint_only_what_is_new_is_written_W5),
        fresh(a_checkpoint_is_not_written_without_all_its_parts),
        fresh(a_checkpoint_of_format_3_is_read_and_replaced),
        fresh(a_checkpoint_that_lacks_something_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
