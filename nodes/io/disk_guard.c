/* LMDB reads through a map of its file. Damage that comes while the store is open, and a disk that
 * returns errors, show as SIGSEGV or SIGBUS in the middle of it: nothing can be resumed there. */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/error.h"

#define LINE_MAX_BYTES (DISK_PATH_MAX + 160)
#define MAP_LINE_MAX   (DISK_PATH_MAX + 128) /* of /proc/self/maps */

static struct {
    _Atomic uintptr_t from, to; /* equal: no store is open */
    char line[LINE_MAX_BYTES];
    size_t len;
    struct sigaction segv, bus; /* as they were before */
} guard;

/* Calls only what may be called in a signal handler. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    bool fault = info->si_code > 0; /* else somebody sent it */
    if (fault && at >= guard.from && at < guard.to) {
        ssize_t written = write(STDERR_FILENO, guard.line, guard.len);
        (void)written;
        _exit(EXIT_ENVIRONMENT);
    }
    /* Not ours: it ends as it would have without us, when the instruction is tried again. */
    sigaction(number, number == SIGBUS ? &guard.bus : &guard.segv, NULL);
    if (!fault)
        raise(number);
}

/* Keeps what was there before, unless that is on_fault() already. */
static void install(int number, struct sigaction *before)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
    sigemptyset(&action.sa_mask);
    if (!sigaction(number, &action, &old) &&
        !(old.sa_flags & SA_SIGINFO && old.sa_sigaction == on_fault))
        *before = old;
}

/* Finds where this process maps the file; false when it cannot be told. */
static bool find_map(const char *path, uintptr_t *from, uintptr_t *to)
{
    struct stat status;
    char line[MAP_LINE_MAX];
    FILE *maps = fopen("/proc/self/maps", "re");
    bool found = false;
    if (!maps || stat(path, &status)) {
        if (maps)
            fclose(maps);
        return false;
    }
    while (!found && fgets(line, sizeof line, maps)) {
        uintmax_t inode;
        found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %ju", from, to, &inode) == 3 &&
                inode == (uintmax_t)status.st_ino && strstr(line, "/data.mdb");
    }
    fclose(maps);
    return found;
}

void disk_guard(const struct disk *disk)
{
    char path[DISK_PATH_MAX + 16];
    uintptr_t from, to;
    text_format(path, sizeof path, "%s/store/data.mdb", disk->dir);
    if (!find_map(path, &from, &to))
        return;
    guard.len = text_format(guard.line, sizeof guard.line,
                            "conclave-node: %s is damaged, or its disk fails: a page could not be "
                            "read; stopping%s\n",
                            path, DISK_ADVICE);
    atomic_store(&guard.from, from);
    atomic_store(&guard.to, to);
    install(SIGSEGV, &guard.segv);
    install(SIGBUS, &guard.bus);
}

void disk_unguard(void)
{
    atomic_store(&guard.to, 0);
}
