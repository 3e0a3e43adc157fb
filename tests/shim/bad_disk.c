/* bad_disk.c - preloaded into a node: its disk is slow, full or broken, or writes only half of what
 * it is given, for as long as a file says so.
 *
 *   BAD_DISK         that file. Each line: KIND PREFIX [NUMBER], for files whose path begins with
 *                    PREFIX, which has no space; the first line that fits decides, among those of
 *                    its group:
 *
 *     slow_sync      fsync and fdatasync take NUMBER ms longer
 *     hang_sync      they end when the line is gone
 *     fail_sync      they fail with EIO
 *
 *     full           what needs more room fails with ENOSPC: allocation, new files, and writes
 *                    beyond what a file has
 *     fail_write     writes fail with EIO
 *     short_write    writes end after half of their bytes
 *
 *                    Of all but slow_sync, NUMBER says that each so-many-th call is hit (1).
 *
 *   BAD_DISK_COUNTS  a file that says how often each kind was done (told.h)
 *
 * Seen are the calls of the program and of its libraries, not those within the C library (stdio)
 * and not what is written through a map, as LMDB does with MDB_WRITEMAP. */
#include <errno.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <time.h>

#include "tests/shim/told.h"

#define RULES_MAX    16
#define PATH_ROOM    4096
#define HANG_POLL_NS 10000000L

enum kind { SLOW_SYNC, HANG_SYNC, FAIL_SYNC, FULL, FAIL_WRITE, SHORT_WRITE, KINDS, NONE = KINDS };

static const char *const kind_names[KINDS + 1] = {"slow_sync",  "hang_sync",   "fail_sync", "full",
                                                  "fail_write", "short_write", NULL};

#define OF_SYNCS  (1u << SLOW_SYNC | 1u << HANG_SYNC | 1u << FAIL_SYNC)
#define OF_WRITES (1u << FULL | 1u << FAIL_WRITE | 1u << SHORT_WRITE)
#define OF_GROWTH (1u << FULL)

struct rule {
    enum kind kind;
    char prefix[512];
    unsigned long number, calls;
};

static struct {
    pid_t pid;
    pthread_mutex_t lock;
    struct told told;
    struct rule rules[RULES_MAX];
    int n_rules;
    struct counts counts;
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .counts = {.fd = -1}};

__attribute__((constructor)) static void begin(void)
{
    shim.pid = getpid();
    shim.told.path = getenv("BAD_DISK");
    counts_open(&shim.counts, "BAD_DISK_COUNTS", kind_names);
    unsetenv("LD_PRELOAD"); /* the node's own disk is bad, not that of what it starts */
}

static void read_rules(void)
{
    char *rest = NULL;
    shim.n_rules = 0;
    for (char *line = strtok_r(shim.told.text, "\n", &rest); line && shim.n_rules < RULES_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        struct rule *rule = &shim.rules[shim.n_rules];
        char name[32];
        *rule = (struct rule){0};
        if (sscanf(line, "%31s %511s %lu", name, rule->prefix, &rule->number) < 2)
            continue;
        while (rule->kind < KINDS && strcmp(kind_names[rule->kind], name))
            rule->kind++;
        shim.n_rules += rule->kind < KINDS;
    }
}

/* What happens to a call on the file, of those kinds; NONE: nothing. */
static enum kind fate(const char *path, unsigned of_kinds, unsigned long *number)
{
    enum kind found = NONE;
    if (getpid() != shim.pid)
        return NONE;
    pthread_mutex_lock(&shim.lock);
    if (told_changed(&shim.told))
        read_rules();
    for (int i = 0; i < shim.n_rules; i++) {
        struct rule *rule = &shim.rules[i];
        if (!(of_kinds >> rule->kind & 1) || strncmp(path, rule->prefix, strlen(rule->prefix)))
            continue;
        *number = rule->number;
        bool counted = rule->kind != SLOW_SYNC && rule->number > 1;
        if (!counted || ++rule->calls % rule->number == 0)
            found = rule->kind;
        break;
    }
    pthread_mutex_unlock(&shim.lock);
    return found;
}

/* Whether there is anything to ask about at all: most calls are made while nothing is wrong. */
static bool is_told(void)
{
    return shim.told.path != NULL;
}

static const char *path_of(int fd, char path[PATH_ROOM])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_ROOM - 1);
    path[len > 0 ? len : 0] = '\0';
    return path;
}

static enum kind fate_fd(int fd, unsigned of_kinds, unsigned long *number)
{
    char path[PATH_ROOM];
    return is_told() ? fate(path_of(fd, path), of_kinds, number) : NONE;
}

static int fail(enum kind kind)
{
    counts_add(&shim.counts, kind);
    errno = kind == FULL ? ENOSPC : EIO;
    return -1;
}

/* --- what makes durable --- */

static void pause_ns(long long ns)
{
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static int sync_by(long call, int fd)
{
    unsigned long number;
    enum kind kind = fate_fd(fd, OF_SYNCS, &number);
    if (kind == FAIL_SYNC)
        return fail(kind);
    if (kind != NONE)
        counts_add(&shim.counts, kind);
    if (kind == SLOW_SYNC)
        pause_ns(1000000LL * (long long)number);
    while (kind == HANG_SYNC) {
        pause_ns(HANG_POLL_NS);
        kind = fate_fd(fd, 1u << HANG_SYNC, &number);
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

/* --- writes --- */

/* Whether the file has room already for all up to there. */
static bool has_room(int fd, off_t end)
{
    struct stat status;
    return !fstat(fd, &status) && end <= (off_t)status.st_blocks * 512;
}

/* Returns false when the call fails, with errno; else how many of its bytes may be written.
 * `offset` is below zero where the file has its own. */
static bool may_write(int fd, size_t *len, off_t offset)
{
    unsigned long number;
    enum kind kind = fate_fd(fd, OF_WRITES, &number);
    if (kind == FULL && offset < 0)
        offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    if (kind == FULL && offset >= 0 && has_room(fd, offset + (off_t)*len))
        return true;
    if (kind == FULL || kind == FAIL_WRITE)
        return !fail(kind);
    if (kind == SHORT_WRITE && *len > 1) {
        counts_add(&shim.counts, kind);
        *len /= 2;
    }
    return true;
}

ssize_t write(int fd, const void *at, size_t len)
{
    return may_write(fd, &len, -1) ? syscall(SYS_write, fd, at, len) : -1;
}

ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
    return may_write(fd, &len, offset) ? syscall(SYS_pwrite64, fd, at, len, offset) : -1;
}

/* The first parts, as far as they may be written: a short write may end anywhere. */
static ssize_t write_parts(int fd, const struct iovec *parts, int n, off_t offset)
{
    size_t sum = 0, len;
    for (int i = 0; i < n; i++)
        sum += parts[i].iov_len;
    len = sum;
    if (!may_write(fd, &len, offset))
        return -1;
    struct iovec first;
    if (len < sum) {
        first = parts[0];
        if (first.iov_len > len)
            first.iov_len = len;
        parts = &first;
        n = 1;
    }
    return offset < 0 ? syscall(SYS_writev, fd, parts, n)
                      : syscall(SYS_pwritev, fd, parts, n, (long)offset, 0L);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    return write_parts(fd, parts, n, -1);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    return write_parts(fd, parts, n, offset);
}

/* --- growth --- */

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    unsigned long number;
    enum kind kind = fate_fd(fd, OF_GROWTH, &number);
    return kind == FULL ? fail(kind) : (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

static bool makes_file(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

/* Only such a call has a third number. */
static mode_t mode_of(int flags, va_list arguments)
{
    return makes_file(flags) ? va_arg(arguments, mode_t) : 0;
}

int openat(int dir, const char *name, int flags, ...)
{
    char path[2 * PATH_ROOM];
    unsigned long number;
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (makes_file(flags)) {
        size_t len = 0;
        if (dir != AT_FDCWD && name[0] != '/')
            len = strlen(path_of(dir, path));
        snprintf(path + len, sizeof path - len, "%s%s", len ? "/" : "", name);
        bool is_new = is_told() && faccessat(dir, name, F_OK, 0);
        if (is_new && fate(path, OF_GROWTH, &number) == FULL)
            return fail(FULL);
    }
    return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int open(const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return openat(AT_FDCWD, name, flags, mode);
}

/* --- under their other names --- */

/* Where off_t has 64 bits anyway, programs may still ask for these. */
ssize_t pwrite64(int fd, const void *at, size_t len, off64_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t offset)
    __attribute__((alias("pwritev")));
int fallocate64(int fd, int mode, off64_t offset, off64_t len) __attribute__((alias("fallocate")));
int openat64(int dir, const char *name, int flags, ...) __attribute__((alias("openat")));
int open64(const char *name, int flags, ...) __attribute__((alias("open")));
