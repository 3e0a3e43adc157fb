/* kill_disk.c - preloaded into a node: ends it by SIGKILL at its n-th call that makes something
 * durable.
 *
 * Counted are fsync, fdatasync, msync, renames, and writes to files that were opened with O_DSYNC
 * (with one of these LMDB commits): those of all threads, in the order in which they begin.
 *
 *   DURABLE_CALLS  a file that gets a line for each call: number, name, file; the last line of a
 *                  process that was ended says "killed" after the number
 *   KILL_AT        the number, from 1, of the call at which the process ends; not set: never
 *   KILL_WHEN      "before" the call or "after" it
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    pid_t pid;
    int log;
    unsigned long kill_at; /* 0: never */
    bool after;
    atomic_ulong calls;
} shim = {.log = -1};

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("DURABLE_CALLS"), *at = getenv("KILL_AT");
    const char *when = getenv("KILL_WHEN");
    shim.pid = getpid();
    shim.log = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    shim.kill_at = at ? strtoul(at, NULL, 10) : 0;
    shim.after = when && !strcmp(when, "after");
    unsetenv("LD_PRELOAD"); /* the node's own calls are counted, not those of what it starts */
}

static void end(unsigned long number)
{
    dprintf(shim.log, "%lu killed\n", number);
    kill(shim.pid, SIGKILL);
    for (;;)
        pause();
}

/* Returns the number of the call that begins; 0 in a child, which is not counted. */
static unsigned long enter(const char *name, const char *file)
{
    if (getpid() != shim.pid)
        return 0;
    unsigned long number = atomic_fetch_add(&shim.calls, 1) + 1;
    dprintf(shim.log, "%lu %s %s\n", number, name, file);
    if (number == shim.kill_at && !shim.after)
        end(number);
    return number;
}

static unsigned long enter_fd(const char *name, int fd)
{
    char link[64], file[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, file, sizeof file - 1);
    file[len > 0 ? len : 0] = '\0';
    return enter(name, file);
}

static long leave(unsigned long number, long result)
{
    if (number && number == shim.kill_at)
        end(number);
    return result;
}

int fsync(int fd)
{
    unsigned long number = enter_fd("fsync", fd);
    return (int)leave(number, syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    unsigned long number = enter_fd("fdatasync", fd);
    return (int)leave(number, syscall(SYS_fdatasync, fd));
}

int msync(void *at, size_t len, int flags)
{
    unsigned long number = enter("msync", "");
    return (int)leave(number, syscall(SYS_msync, at, len, flags));
}

ssize_t pwrite(int fd, const void *at, size_t len, off_t offset)
{
    int flags = fcntl(fd, F_GETFL);
    unsigned long number = flags >= 0 && flags & O_DSYNC ? enter_fd("pwrite", fd) : 0;
    return leave(number, syscall(SYS_pwrite64, fd, at, len, offset));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    unsigned long number = enter("rename", to);
    return (int)leave(number, syscall(SYS_renameat2, from_dir, from, to_dir, to, 0));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
