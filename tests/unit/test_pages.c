/* Stores that are damaged in every page, cut off everywhere, shorter than their last page, or made
 * to crash or hang their reader: what the look before LMDB lets pass reads as it was written. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "tests/harness/tree.h"

#define PATH_ROOM   256
#define PAGE_BYTES  4096
#define ENTRIES     400
#define RECORDS     300
#define OUT_ROOM    1024
#define LARGE_BYTES 300000

/* Nothing here is about power cuts, and there are many stores. */
int fdatasync(int fd)
{
    return fd < 0 ? -1 : 0;
}

int fsync(int fd)
{
    return fd < 0 ? -1 : 0;
}

static char root[PATH_ROOM], file[PATH_ROOM + 32];

static int make_root(void **state)
{
    (void)state;
    text_format(root, sizeof root, "/tmp/conclave-test-pages.XXXXXX");
    if (!mkdtemp(root))
        return -1;
    text_format(file, sizeof file, "%s/store/data.mdb", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return tree_remove(root);
}

/* --- a store with trees of several levels, values on pages of their own, and free pages --- */

static void fill_store(void)
{
    struct disk *disk;
    struct text why = {0};
    uint64_t random = 3;
    if (disk_open(root, "conclave", 1, DURABILITY_OS, &disk, &why))
        fail_msg("%s", why.at);
    for (log_index_t index = 1; index <= ENTRIES;) {
        disk_begin(disk);
        for (int i = 0; i < 20; i++, index++) {
            size_t len = 1 + random_below(&random, index % 16 ? 400 : 20000);
            struct blob *blob = blob_new(len);
            memset(blob->at, (int)index, len);
            disk_write(disk, &(struct write){
                                 .kind = WRITE_ENTRY, .term = 1, .index = index, .entry = blob});
            if (index <= RECORDS) {
                struct write record = {.kind = WRITE_RECORD, .entry = blob};
                record.key_len =
                    text_format((char *)record.key, RECORD_KEY_MAX, "r-%05u", (unsigned)index);
                disk_write(disk, &record);
            }
            blob_drop(&blob);
        }
        disk_commit(disk);
    }
    struct blob *small = blob_new(3000);
    memset(small->at, 's', small->len);
    disk_keep(disk, (struct value_id){1, 1}, small);
    blob_drop(&small);
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_TRUNCATE, .index = ENTRIES - 40});
    disk_commit(disk);
    disk_close(&disk);
}

struct read_back {
    uint64_t n, sum;
};

static int add_entry(void *context, log_index_t index, term_t term, struct slice entry)
{
    struct read_back *sum = context;
    sum->n++;
    sum->sum = sum->sum * 31 + map_hash(entry.at, entry.len) + index + term;
    return OK;
}

static int add_record(void *context, struct slice key, struct slice value)
{
    return add_entry(context, key.len, 0, value);
}

static int no_part(void *context, struct slice part)
{
    (void)context;
    (void)part;
    return ERR_CORRUPT;
}

static struct read_back read_all(void)
{
    struct disk *disk;
    struct text why = {0};
    struct read_back sum = {0};
    if (disk_open(root, "conclave", 1, DURABILITY_OS, &disk, &why))
        fail_msg("%s", why.at);
    if (disk_read_log(disk, no_part, add_entry, &sum, &why) ||
        disk_read_records(disk, add_record, &sum, &why))
        fail_msg("%s", why.at);
    disk_close(&disk);
    return sum;
}

static uint8_t *read_file(size_t *len)
{
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && !fstat(fd, &status));
    *len = (size_t)status.st_size;
    uint8_t *at = mem_new(*len, 1);
    assert_int_equal(read(fd, at, *len), *len);
    close(fd);
    return at;
}

static void write_file(const uint8_t *at, size_t len)
{
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, at, len), len);
    close(fd);
}

/* Looks through the file in this process: it must not crash, whatever is in it. */
static int look(struct pages_report *report)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int error = disk_verify_file(fd, report);
    close(fd);
    if (error)
        assert_true(report->why[0]);
    return error;
}

/* --- damage --- */

enum damage { NOISE, ZEROS, ONES, ANOTHER_PAGE, ONE_BYTE, DAMAGES };

static void damage_page(uint8_t *at, size_t len, size_t page, enum damage how, uint64_t *random)
{
    uint8_t *bytes = at + page * PAGE_BYTES;
    size_t other = random_below(random, len / PAGE_BYTES);
    switch (how) {
    case NOISE:
        for (size_t i = 0; i < PAGE_BYTES; i++)
            bytes[i] = (uint8_t)random_u64(random);
        break;
    case ZEROS:
    case ONES:
        memset(bytes, how == ONES ? 0xff : 0, PAGE_BYTES);
        break;
    case ANOTHER_PAGE:
        memmove(bytes, at + other * PAGE_BYTES, PAGE_BYTES);
        break;
    default: /* where a page keeps what leads on: its head, its nodes' places */
        bytes[random_below(random, 64)] ^= (uint8_t)(1u << random_below(random, 8));
    }
}

static void what_passes_reads_as_it_was_written_X11(void **state)
{
    (void)state;
    fill_store();
    struct read_back before = read_all();
    size_t len, refused[DAMAGES] = {0}, n_pages;
    uint8_t *whole = read_file(&len), *damaged = mem_new(len, 1);
    uint64_t random = 11;
    struct pages_report report;
    assert_int_equal(look(&report), OK);
    n_pages = len / PAGE_BYTES;
    assert_true(report.n_pages > n_pages / 2);
    for (size_t page = 0; page < n_pages; page++)
        for (enum damage how = 0; how < DAMAGES; how++) {
            memcpy(damaged, whole, len);
            damage_page(damaged, len, page, how, &random);
            write_file(damaged, len);
            if (look(&report)) {
                refused[how]++;
                continue;
            }
            struct read_back after = read_all();
            assert_true(after.n == before.n && after.sum == before.sum);
        }
    print_message(
        "of %zu pages refused: noise %zu, zeros %zu, ones %zu, another page %zu, a bit %zu\n",
        n_pages, refused[NOISE], refused[ZEROS], refused[ONES], refused[ANOTHER_PAGE],
        refused[ONE_BYTE]);
    assert_true(refused[NOISE] > n_pages / 2);
    free(whole);
    free(damaged);
}

/* Where the file says what something is: the flags of pages, of their nodes and of databases, and
 * the size of a page. Offsets as in pages.c. */
static size_t find_flags(const uint8_t *at, size_t len, size_t out[], size_t room)
{
    const size_t in_meta[] = {16 + 24, 16 + 25, 16 + 28, 16 + 29, 16 + 48 + 28, 16 + 48 + 29};
    size_t n = 0;
    for (size_t page = 0; page < len / PAGE_BYTES; page++) {
        const uint8_t *bytes = at + page * PAGE_BYTES;
        uint16_t flags, lower, offset;
        memcpy(&flags, bytes + 10, sizeof flags);
        memcpy(&lower, bytes + 12, sizeof lower);
        out[n++] = page * PAGE_BYTES + 10;
        out[n++] = page * PAGE_BYTES + 11;
        for (size_t i = 0; page < 2 && i < sizeof in_meta / sizeof *in_meta; i++)
            out[n++] = page * PAGE_BYTES + in_meta[i];
        /* The first and the last node are as good as all. */
        for (size_t at_node = 16; flags == 2 && at_node < lower; at_node += lower - 18) {
            memcpy(&offset, bytes + at_node, sizeof offset);
            out[n++] = page * PAGE_BYTES + offset + 4;
            out[n++] = page * PAGE_BYTES + offset + 5;
            if (lower == 18)
                break;
        }
        assert_true(n + 16 < room);
    }
    return n;
}

static void a_flag_that_lmdb_would_believe_is_damage_X11(void **state)
{
    (void)state;
    fill_store();
    struct read_back before = read_all();
    struct pages_report report;
    size_t len, refused = 0, room = 1 << 16, *places = mem_new(room, sizeof *places);
    uint8_t *whole = read_file(&len);
    size_t n = find_flags(whole, len, places, room);
    assert_true(n > 100);
    for (size_t i = 0; i < 8 * n; i++) {
        uint8_t *byte = &whole[places[i / 8]];
        *byte ^= (uint8_t)(1u << i % 8);
        write_file(whole, len);
        if (look(&report)) {
            refused++;
        } else {
            struct read_back after = read_all();
            assert_true(after.n == before.n && after.sum == before.sum);
        }
        *byte ^= (uint8_t)(1u << i % 8);
    }
    print_message("of %zu bits of flags %zu refused\n", 8 * n, refused);
    assert_true(refused > 4 * n);
    free(whole);
    free(places);
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    fill_store();
    struct read_back before = read_all();
    size_t len, refused = 0;
    uint8_t *whole = read_file(&len);
    struct pages_report report;
    for (size_t left = 0; left < len; left += PAGE_BYTES / 2) {
        write_file(whole, left);
        if (look(&report)) {
            refused++;
            continue;
        }
        struct read_back after = read_all(); /* it was free, what is missing */
        assert_true(after.n == before.n && after.sum == before.sum);
    }
    assert_true(refused > len / PAGE_BYTES);
    free(whole);
}

/* --- a reader that crashes or hangs --- */

static int crash(int fd, struct pages_report *report)
{
    (void)fd;
    (void)report;
    raise(SIGKILL); /* SIGSEGV would be a sanitizer's to report */
    return OK;
}

static int hang(int fd, struct pages_report *report)
{
    (void)fd;
    (void)report;
    while (pause())
        continue;
    return OK;
}

static int pass(int fd, struct pages_report *report)
{
    (void)fd;
    (void)report;
    return OK;
}

static void a_reader_that_crashes_or_hangs_is_damage(void **state)
{
    (void)state;
    char why[PAGES_WHY_MAX];
    assert_int_equal(disk_verify_apart(pass, -1, 10 * SECOND_US, why), OK);
    assert_int_equal(disk_verify_apart(crash, -1, 10 * SECOND_US, why), ERR_CORRUPT);
    assert_non_null(strstr(why, "signal 9"));
    assert_int_equal(disk_verify_apart(hang, -1, SECOND_US, why), ERR_CORRUPT);
    assert_non_null(strstr(why, "within 1 s"));
    assert_int_equal(disk_verify_apart(disk_verify_file, -1, SECOND_US, why), ERR_IO);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

/* --- faults while it is open --- */

/* Runs `fn` with an open store in a child; returns how it ended and what it wrote on stderr. */
static int run_apart(void (*fn)(struct disk *disk), char out[OUT_ROOM])
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        struct disk *disk;
        struct text why = {0};
        dup2(ends[1], STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL); /* cmocka has its own */
        signal(SIGBUS, SIG_DFL);
        if (disk_open(root, "conclave", 1, DURABILITY_OS, &disk, &why))
            _exit(99);
        fn(disk);
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < OUT_ROOM && (got = read(ends[0], out + len, OUT_ROOM - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void read_what_is_gone(struct disk *disk)
{
    struct read_back sum = {0};
    struct text why = {0};
    if (truncate(file, 2 * PAGE_BYTES))
        _exit(98);
    disk_read_log(disk, no_part, add_entry, &sum, &why);
}

static void read_elsewhere(struct disk *disk)
{
    (void)disk;
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

static void a_fault_within_the_map_ends_with_one_line_and_8(void **state)
{
    (void)state;
    fill_store();
    char out[OUT_ROOM];
    int status = run_apart(read_what_is_gone, out);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_ENVIRONMENT);
    assert_non_null(strstr(out, file));
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void a_fault_elsewhere_ends_as_it_always_did(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer reports it, and exits */
#endif
    fill_store();
    char out[OUT_ROOM];
    int status = run_apart(read_elsewhere, out);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_string_equal(out, "");
}

/* --- a file that is shorter than its last page --- */

static struct blob *large_entry(void)
{
    struct blob *entry = blob_new(LARGE_BYTES);
    memset(entry->at, 'e', entry->len);
    return entry;
}

static struct disk *open_disk(void)
{
    struct disk *disk;
    struct text why = {0};
    if (disk_open(root, "conclave", 1, DURABILITY_FSYNC, &disk, &why))
        fail_msg("%s", why.at);
    return disk;
}

/* LMDB does not write pages that one transaction takes at the end of the file and gives back, once
 * it has begun to use free pages again. */
static void make_short_file(size_t n_entries)
{
    struct disk *disk = open_disk();
    struct blob *entry = large_entry();
    for (term_t term = 1; term < 4; term++) {
        disk_begin(disk);
        disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = term, .vote = 1});
        disk_commit(disk);
    }
    disk_begin(disk);
    disk_write(disk, &(struct write){.kind = WRITE_VOTE, .term = 4, .vote = 1, .voter = true});
    for (log_index_t index = 1; index <= n_entries; index++)
        disk_write(disk,
                   &(struct write){.kind = WRITE_ENTRY, .term = 1, .index = index, .entry = entry});
    disk_write(disk, &(struct write){.kind = WRITE_TRUNCATE, .index = 2});
    disk_commit(disk);
    blob_drop(&entry);
    MDB_envinfo info;
    MDB_stat page;
    struct stat status;
    assert_true(!mdb_env_info(disk->env, &info) && !mdb_env_stat(disk->env, &page));
    assert_int_equal(stat(file, &status), 0);
    assert_true((uint64_t)status.st_size < (info.me_last_pgno + 1) * page.ms_psize);
    disk_close(&disk);
}

static int see_large(void *context, log_index_t index, term_t term, struct slice entry)
{
    log_index_t *last = context;
    assert_true(term == 1 && index == *last + 1 && entry.len == LARGE_BYTES);
    *last = index;
    return OK;
}

static void a_file_that_LMDB_left_short_is_sound(void **state)
{
    (void)state;
    make_short_file(5);
    for (int round = 0; round < 3; round++) {
        struct disk *disk = open_disk();
        struct blob *entry = large_entry();
        struct text why = {0};
        log_index_t last = 0;
        assert_int_equal(disk_read_log(disk, no_part, see_large, &last, &why), OK);
        assert_int_equal(last, 1 + 2 * round);
        disk_begin(disk); /* it takes the pages that lie beyond the end */
        for (int i = 0; i < 2; i++)
            disk_write(disk, &(struct write){
                                 .kind = WRITE_ENTRY, .term = 1, .index = ++last, .entry = entry});
        disk_commit(disk);
        blob_drop(&entry);
        disk_close(&disk);
    }
}

static void a_file_that_was_cut_off_is_refused_by_name(void **state)
{
    (void)state;
    make_short_file(3);
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    for (off_t len = status.st_size - 4096; len >= 0; len = len ? (len > 8192 ? len / 2 : 0) : -1) {
        assert_int_equal(truncate(file, len), 0);
        struct disk *disk;
        struct text why = {0};
        assert_int_equal(disk_open(root, "conclave", 1, DURABILITY_FSYNC, &disk, &why),
                         ERR_CORRUPT);
        assert_non_null(strstr(why.at, file));
        assert_non_null(strstr(why.at, "is damaged"));
        assert_null(strchr(why.at, '\n'));
        assert_null(disk);
    }
    assert_int_equal(unlink(file), 0);
    struct disk *disk;
    struct text why = {0};
    assert_int_equal(disk_open(root, "conclave", 1, DURABILITY_FSYNC, &disk, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.at, "missing"));
}

#define fresh(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fresh(what_passes_reads_as_it_was_written_X11),
        fresh(a_flag_that_lmdb_would_believe_is_damage_X11),
        fresh(a_file_that_is_cut_off_anywhere_is_refused),
        fresh(a_file_that_LMDB_left_short_is_sound),
        fresh(a_file_that_was_cut_off_is_refused_by_name),
        cmocka_unit_test(a_reader_that_crashes_or_hangs_is_damage),
        fresh(a_fault_within_the_map_ends_with_one_line_and_8),
        fresh(a_fault_elsewhere_ends_as_it_always_did),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
