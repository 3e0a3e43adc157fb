/* What a crash in the middle of a commit leaves (R23), and what a disk that fails or is full does
 * (R24, R25): the functions through which LMDB and the store write are stood in for here. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

#include "nodes/io/store.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define PATH_ROOM    256
#define CRASHED      99
#define CRASHES_MAX  400 /* writes of the script below; it ends long before */
#define COMMITS      12
#define BIG_BYTES    (VALUE_INLINE_MAX_BYTES + 5000)
#define PATIENCE_MS  5000
#define WAIT_STEP_MS 10

/* --- the disk that fails --- */

static struct {
    long writes_left; /* then the process dies in the middle of a write; < 0: never */
    bool sync_fails;
    bool full; /* no new room: neither for files nor ahead */
} fault;

static void die_in_the_middle(int fd, const void *at, size_t len, off_t offset)
{
    if (fault.writes_left < 0 || fault.writes_left-- > 0)
        return;
    /* Half of it gets there. */
    if (offset >= 0)
        syscall(SYS_pwrite64, fd, at, len / 2, offset);
    else
        syscall(SYS_write, fd, at, len / 2);
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
    fault.sync_fails = fault.full = false;
    text_format(root, sizeof root, "/tmp/conclave-test-disk.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    fault.full = false;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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
            disk_write(disk, &(struct write){
                                 .kind = WRITE_IMAGE, .index = 3, .parts = &entry, .n_parts = 1});
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
        if (at > 8) /* before, the directory itself is being made */
            check_what_is_left(told);
        remove_root(state);
        make_root(state);
    }
    assert_true(ended && at > 3 * COMMITS);
    print_message("%ld crashes\n", at - 1);
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
        fresh(a_failed_fsync_ends_the_process_without_an_acknowledgement_R24),
        fresh(a_full_disk_takes_votes_and_what_was_promised_R25),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
