/* What a crash in the middle of a commit leaves (R23), and what a disk that fails or is full does
 * (R24, R25): the functions through which LMDB and the store write are stood in for here. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nodes/io/disk_internal.h"
#include "nodes/io/store.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/harness/tree.h"

#define PATH_ROOM    256
#define CRASHED      99
#define CRASHES_MAX  400 /* writes of the script below; it ends long before */
#define COMMITS      12
#define BIG_BYTES    (VALUE_INLINE_MAX_BYTES + 5000)
#define PATIENCE_MS  5000
#define WAIT_STEP_MS 10

/* --- the disk that fails --- */

static struct {
    long writes_left;              /* then the process dies in the middle of a write; < 0: never */
    bool sync_fails, sync_skipped; /* skipped: only the process ends, and the system goes on */
    unsigned part;                 /* of 256: how much of the last write gets there */
    bool full;                     /* no new room: neither for files nor ahead */
} fault;

static void die_in_the_middle(int fd, const void *at, size_t len, off_t offset)
{
    if (fault.writes_left < 0 || fault.writes_left-- > 0)
        return;
    len = len * fault.part / 256;
    if (offset >= 0)
        syscall(SYS_pwrite64, fd, at, len, offset);
    else
        syscall(SYS_write, fd, at, len);
    _exit(CRASHED);
}

ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
    die_in_the_middle(fd, at, len, offset);
    return syscall(SYS_pwrite64, fd, at, len, offset);
}

ssize_t pwrite64(int fd, const void *at, size_t len, off64_t offset)
{
    return pwrite(fd, at, len, offset);
}

/* Not the eventfd by which threads wake each other. */
static bool is_file(int fd)
{
    struct stat status;
    return fd > STDERR_FILENO && !fstat(fd, &status) && S_ISREG(status.st_mode);
}

ssize_t write(int fd, const void *at, size_t len)
{
    if (is_file(fd)) {
        if (fault.full) {
            errno = ENOSPC;
            return -1;
        }
        die_in_the_middle(fd, at, len, -1);
    }
    return syscall(SYS_write, fd, at, len);
}

ssize_t writev(int fd, const struct iovec *at, int n)
{
    if (fault.writes_left == 0)
        die_in_the_middle(fd, at[0].iov_base, at[0].iov_len, -1);
    fault.writes_left -= fault.writes_left > 0;
    return syscall(SYS_writev, fd, at, n);
}

ssize_t pwritev(int fd, const struct iovec *at, int n, off_t offset)
{
    if (fault.writes_left == 0)
        die_in_the_middle(fd, at[0].iov_base, at[0].iov_len, offset);
    fault.writes_left -= fault.writes_left > 0;
    return syscall(SYS_pwritev, fd, at, n, (long)offset, 0L);
}

int fdatasync(int fd)
{
    if (fault.sync_skipped)
        return 0;
    if (fault.sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (fault.full) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    return fallocate(fd, mode, offset, len);
}

/* --- a directory for each test --- */

static char root[PATH_ROOM];

static int make_root(void **state)
{
    (void)state;
    fault.writes_left = -1;
    fault.part = 128;
    fault.sync_fails = fault.sync_skipped = fault.full = false;
    text_format(root, sizeof root, "/tmp/conclave-test-disk.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    fault.full = false;
    return tree_remove(root);
}

static struct disk *open_disk(void)
{
    struct disk *disk;
    struct text why = {0};
    if (disk_open(root, "conclave", 1, DURABILITY_FSYNC, &disk, &why))
        fail_msg("%s", why.at);
    return disk;
}

/* --- R23 --- */

struct found {
    log_index_t last, n;
    bool wrong;
};

static int see_part(void *context, struct slice part)
{
    (void)context;
    (void)part;
    return OK;
}

static int see_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct found *found = context;
    found->last = index;
    found->n++;
    found->wrong |= term != 1 || entry.len != 3000;
    return OK;
}

/* Commit k writes the vote of term k, entry k, and a big value k; what is acknowledged goes to
 * `told`. */
static void commit_and_tell(int told)
{
    struct disk *disk = open_disk();
    struct blob *entry = blob_new(3000), *big = blob_new(BIG_BYTES);
    memset(entry->at, 'e', entry->len);
    memset(big->at, 'v', big->len);
    for (uint64_t k = 1; k <= COMMITS; k++) {
        disk_begin(disk);
        disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = k, .vote = 1, .voter = true});
        disk_write(disk,
                   &(struct write){.kind = WRITE_ENTRY, .term = 1, .index = k, .entry = entry});
        if (k == COMMITS / 2)
            disk_write(disk, &(struct write){.kind = WRITE_CHECKPOINT,
                                             .index = 3,
                                             .parts = &entry,
                                             .n_parts = 1});
        disk_commit(disk);
        disk_keep(disk, (struct value_id){1, k}, big);
        uint8_t number = (uint8_t)k;
        if (syscall(SYS_write, told, &number, 1) != 1)
            _exit(1);
    }
    disk_close(&disk);
    _exit(0);
}

/* Runs the script, dying in the middle of write number `at`; returns what was acknowledged. */
static uint64_t crash_at(long at, bool *ended)
{
    int told[2], status;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (!child) {
        fault.writes_left = at;
        commit_and_tell(told[1]);
    }
    close(told[1]);
    uint8_t number;
    uint64_t last = 0;
    while (read(told[0], &number, 1) == 1)
        last = number;
    close(told[0]);
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    *ended = WEXITSTATUS(status) == 0;
    assert_true(*ended || WEXITSTATUS(status) == CRASHED);
    return last;
}

static void check_what_is_left(uint64_t told)
{
    struct disk *disk = open_disk();
    struct node_durable durable;
    struct text why = {0};
    struct found found = {0};
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    if (disk_read_log(disk, see_part, see_entry, &found, &why))
        fail_msg("%s", why.at);
    assert_false(found.wrong);
    assert_true(durable.term >= told && durable.term <= told + 1); /* all or nothing of a commit */
    assert_int_equal(found.last, durable.term);
    for (uint64_t k = 1; k <= told; k++)
        assert_true(disk_has_kept(disk, (struct value_id){1, k}));
    disk_close(&disk);
}

static void a_crash_in_the_middle_of_any_write_loses_nothing_acknowledged_R23(void **state)
{
    bool ended = false;
    long at = 0;
    for (; !ended && at < CRASHES_MAX; at++) {
        uint64_t told = crash_at(at, &ended);
        check_what_is_left(told); /* wherever it died: while the directory was being made, too */
        remove_root(state);
        make_root(state);
    }
    assert_true(ended && at > 3 * COMMITS);
    print_message("%ld crashes\n", at - 1);
}

/* --- exits in the middle of group commits, one after another in the same store --- */

#define EXITS_FULL    10000
#define EXITS_US      (15 * SECOND_US) /* without EXITS_ALL in the environment: as many as fit */
#define EXITS_ALL     "CONCLAVE_DISK_EXITS"
#define LIFE_COMMITS  8  /* of a life that is not cut short */
#define LIFE_WRITES   24 /* by which most are cut short */
#define MODEL_LOG     64 /* entries; then a checkpoint takes their place */
#define MODEL_RECORDS 16
#define GROUP_MAX     6 /* writes in one commit */
#define LARGE_BYTES   300000
#define MODEL_PARTS   6 /* of a checkpoint, at most */

/* What the store must hold after commit number `term`. */
struct model {
    term_t term;
    log_index_t before, last; /* the checkpoint's index, the last entry's */
    struct {
        term_t term;
        size_t len;
    } log[MODEL_LOG + 1];          /* of entry before + i */
    size_t records[MODEL_RECORDS]; /* lengths; 0: none */
    struct {
        struct part_name name;
        size_t len;
    } parts[MODEL_PARTS]; /* of the checkpoint */
    size_t n_parts;
};

/* Some lie on pages of their own. */
static size_t random_len(uint64_t *random)
{
    return 1 + random_below(random, random_below(random, 8) ? 3000 : LARGE_BYTES / 3);
}

static struct blob *filled(size_t len, uint64_t with)
{
    struct blob *blob = blob_new(len);
    memset(blob->at, (int)(with & 0xff), len);
    return blob;
}

/* A checkpoint up to the log's end, in which each part is one of the last checkpoint's, with its
 * name, or a new one. Caller drops the parts. */
static void make_checkpoint(struct model *model, uint64_t *random, struct write *write,
                            struct blob *parts[MODEL_PARTS], struct part_name names[MODEL_PARTS])
{
    struct model before = *model;
    bool renewed = model->last == model->before; /* its names were given already */
    write->kind = WRITE_CHECKPOINT;
    write->index = model->before = model->last;
    write->parts = parts;
    write->names = names;
    write->n_parts = model->n_parts = 1 + random_below(random, MODEL_PARTS);
    for (size_t i = 0; i < model->n_parts; i++) {
        size_t of = random_below(random, MODEL_PARTS);
        if (renewed || (of < before.n_parts && random_below(random, 2))) {
            of = before.n_parts ? of % before.n_parts : 0;
            model->parts[i] = before.parts[of];
            for (size_t j = 0; j < i; j++) /* none comes twice */
                if (part_name_same(model->parts[j].name, model->parts[i].name))
                    write->n_parts = model->n_parts = i;
        } else {
            model->parts[i].name = (struct part_name){write->index, i};
            model->parts[i].len = random_len(random);
            parts[i] = filled(model->parts[i].len, write->index + i);
        }
        names[i] = model->parts[i].name;
    }
}

/* One write of the commit, into the store (NULL: none) and the model. */
static void write_one(struct model *model, uint64_t *random, struct disk *disk)
{
    struct write write = {.term = model->term};
    struct blob *parts[MODEL_PARTS] = {NULL};
    struct part_name names[MODEL_PARTS];
    char key[16];
    uint64_t kind = random_below(random, 8), n = model->last - model->before;
    if (kind < 4 && n < MODEL_LOG) {
        write.kind = WRITE_ENTRY;
        write.index = ++model->last;
        write.entry = filled(random_len(random), write.index + write.term);
        model->log[n + 1].term = write.term;
        model->log[n + 1].len = write.entry->len;
    } else if (kind < 6) { /* what was written before it in the same commit, too */
        write.kind = WRITE_TRUNCATE;
        write.index = model->last + 1 - random_below(random, n + 1);
        model->last = write.index - 1;
    } else if (kind < 7) {
        uint64_t i = random_below(random, MODEL_RECORDS);
        write.kind = WRITE_RECORD;
        text_format(key, sizeof key, "record-%02u", (unsigned)i);
        write.key_len = strlen(key);
        memcpy(write.key, key, write.key_len);
        model->records[i] = random_below(random, 3) ? random_below(random, 3000) + 1 : 0;
        write.entry = model->records[i] ? filled(model->records[i], i) : NULL;
    } else if (model->last > model->before || model->n_parts) {
        make_checkpoint(model, random, &write, parts, names);
    } else {
        return;
    }
    if (disk)
        disk_write(disk, &write);
    blob_drop(&write.entry);
    for (size_t i = 0; i < MODEL_PARTS; i++)
        blob_drop(&parts[i]);
}

/* Commit number term + 1: it depends on that number alone. */
static void commit_one(struct model *model, struct disk *disk)
{
    uint64_t random = ++model->term * 7919;
    if (disk) {
        disk_begin(disk);
        disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = model->term, .vote = 1});
    }
    for (uint64_t n = 1 + random_below(&random, GROUP_MAX); n; n--)
        write_one(model, &random, disk);
    if (disk)
        disk_commit(disk);
}

static _Noreturn void live(struct model *model, int told)
{
    struct disk *disk;
    struct text why = {0};
    if (disk_open(root, "conclave", 1, DURABILITY_OS, &disk, &why))
        _exit(1);
    for (int i = 0; i < LIFE_COMMITS; i++) {
        commit_one(model, disk);
        if (syscall(SYS_write, told, &model->term, sizeof model->term) != sizeof model->term)
            _exit(1);
    }
    disk_close(&disk);
    _exit(0);
}

struct compared {
    const struct model *model;
    log_index_t last;
    size_t n_records, n_parts;
};

static int compare_part(void *context, struct slice part)
{
    struct compared *compared = context;
    size_t i = compared->n_parts++;
    assert_true(i < compared->model->n_parts);
    struct part_name name = compared->model->parts[i].name;
    assert_int_equal(part.len, compared->model->parts[i].len);
    assert_int_equal(part.at[part.len - 1], (name.index + name.place) & 0xff);
    return OK;
}

static int compare_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct compared *compared = context;
    const struct model *model = compared->model;
    size_t i = index - model->before;
    assert_true(index > model->before && index <= model->last);
    assert_int_equal(term, model->log[i].term);
    assert_int_equal(entry.len, model->log[i].len);
    assert_int_equal(entry.at[entry.len - 1], (index + term) & 0xff);
    compared->last = index;
    return OK;
}

static int compare_record(void *context, struct slice key, struct slice value)
{
    struct compared *compared = context;
    size_t i = (size_t)(key.at[key.len - 2] - '0') * 10 + (size_t)(key.at[key.len - 1] - '0');
    assert_int_equal(value.len, compared->model->records[i]);
    compared->n_records++;
    return OK;
}

/* Opens what is left. It is all of what was acknowledged, and nothing or all of
 * the commit after. */
static void check_life(struct model *model, term_t told, int exits)
{
    struct disk *disk;
    struct text why = {0};
    struct node_durable durable;
    if (disk_open(root, "conclave", 1, DURABILITY_OS, &disk, &why))
        fail_msg("after %d exits: %s", exits, why.at);
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(durable.term == told || durable.term == told + 1);
    while (model->term < durable.term)
        commit_one(model, NULL);
    struct compared compared = {.model = model, .last = model->before};
    if (disk_read_log(disk, compare_part, compare_entry, &compared, &why) ||
        disk_read_records(disk, compare_record, &compared, &why))
        fail_msg("after %d exits: %s", exits, why.at);
    assert_int_equal(compared.last, model->last);
    assert_int_equal(compared.n_parts, model->n_parts);
    for (size_t i = 0; i < MODEL_RECORDS; i++)
        compared.n_records -= model->records[i] > 0;
    assert_int_equal(compared.n_records, 0);
    disk_close(&disk);
}

static void every_store_opens_after_exits_in_the_middle_of_group_commits_R23(void **state)
{
    (void)state;
    struct model model = {0};
    bool all = getenv(EXITS_ALL) != NULL;
    fault.sync_skipped = true;
    uint64_t random = 5, start_us = clock_now_us();
    int exits = 0, cut_short = 0;
    while (exits < EXITS_FULL && (all || clock_now_us() - start_us < EXITS_US)) {
        int told[2], status;
        long at = (long)random_below(&random, LIFE_WRITES);
        unsigned part = (unsigned)random_below(&random, 257);
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (!child) {
            fault.writes_left = at;
            fault.part = part;
            live(&model, told[1]);
        }
        close(told[1]);
        term_t term, last = model.term;
        while (read(told[0], &term, sizeof term) == sizeof term)
            last = term;
        close(told[0]);
        assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
        assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED);
        cut_short += WEXITSTATUS(status) == CRASHED;
        check_life(&model, last, ++exits);
    }
    assert_true(cut_short > exits / 2);
    print_message("%d exits, %d of them in the middle of a write, %" PRIu64 " commits\n", exits,
                  cut_short, model.term);
}

/* --- R24 --- */

static void a_failed_fsync_ends_the_process_without_an_acknowledgement_R24(void **state)
{
    (void)state;
    pid_t child = fork();
    if (!child) {
        struct disk *disk = open_disk();
        close(STDERR_FILENO);
        fault.sync_fails = true;
        disk_begin(disk);
        disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 9, .vote = 1});
        disk_commit(disk);
        _exit(0); /* it went on */
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_ENVIRONMENT);
    struct disk *disk = open_disk();
    struct node_durable durable;
    struct text why = {0};
    assert_int_equal(disk_read_vote(disk, &durable, &why), OK);
    assert_true(durable.term == 0 || durable.term == 9); /* what a fresh read shows is true */
    disk_close(&disk);
}

/* --- R25 --- */

/* The next report of that kind; others are dropped. */
static struct store_report wait_report(struct store *store, enum store_report_kind kind)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += WAIT_STEP_MS) {
        struct store_report found = {0};
        bool seen = false;
        for (struct store_report *next, *at = store_take(store); at; at = next) {
            next = store_next(at);
            if (at->kind == kind && !seen) {
                found = *at;
                found.blob = NULL;
                seen = true;
            }
            store_report_free(at);
        }
        if (seen)
            return found;
        usleep(WAIT_STEP_MS * 1000);
    }
    fail_msg("no report of kind %d came", kind);
    return (struct store_report){0};
}

static void a_full_disk_takes_votes_and_what_was_promised_R25(void **state)
{
    (void)state;
    struct disk *disk = open_disk();
    struct store *store = store_start(disk);
    struct blob *entry = blob_new(1 << 20), *big = blob_new(BIG_BYTES);
    memset(entry->at, 'e', entry->len);
    memset(big->at, 'v', big->len);
    uint64_t seq = 0;
    struct write vote = {.kind = WRITE_VOTE, .term = 1, .vote = 1, .voter = true};
    store_persist(store, ++seq, &vote, 1);
    store_flush(store);
    wait_report(store, STORE_PERSISTED);

    fault.full = true;
    store_keep(store, USER_FOLLOWER, (struct value_id){1, 1}, big); /* waits */
    assert_true(wait_report(store, STORE_SPACE).full);
    for (log_index_t index = 1; index <= 4; index++) { /* out of the reserve */
        struct write writes[] = {{.kind = WRITE_VOTE, .term = index + 1, .vote = 2, .voter = true},
                                 {.kind = WRITE_ENTRY, .term = 1, .index = index, .entry = entry}};
        store_persist(store, ++seq, writes, 2);
        store_flush(store);
        assert_int_equal(wait_report(store, STORE_PERSISTED).seq, seq);
    }
    assert_false(disk_has_kept(disk, (struct value_id){1, 1}));

    fault.full = false;
    assert_false(wait_report(store, STORE_SPACE).full);
    store_stop(store);
    assert_true(disk_has_kept(disk, (struct value_id){1, 1}));
    store_destroy(&store);
    blob_drop(&entry);
    blob_drop(&big);
    disk_close(&disk);
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(a_crash_in_the_middle_of_any_write_loses_nothing_acknowledged_R23),
        fresh(every_store_opens_after_exits_in_the_middle_of_group_commits_R23),
        fresh(a_failed_fsync_ends_the_process_without_an_acknowledgement_R24),
        fresh(a_full_disk_takes_votes_and_what_was_promised_R25),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
