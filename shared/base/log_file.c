#include "shared/base/log_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define STDERR_LINK "/proc/self/fd/2"
#define OLDER       ".1"
#define NEW_MODE    0666 /* as far as the umask allows */

static struct {
    uint64_t limit; /* 0: none */
    char path[PATH_MAX], older[PATH_MAX];
    _Atomic uint64_t len;
    atomic_flag turning; /* a thread turns to the next file; others go on writing */
} log_file = {.turning = ATOMIC_FLAG_INIT};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whoever writes meanwhile writes to the one or to the other: dup2() leaves no gap. Without a new
 * file the present one is emptied: the bound holds. */
static void turn(void)
{
    struct stat is, named, out;
    bool known = !fstat(STDERR_FILENO, &is);
    bool both = known && !fstat(STDOUT_FILENO, &out) && same_file(&is, &out);
    /* Somebody may have moved it away already. */
    if (known && !stat(log_file.path, &named) && same_file(&is, &named))
        rename(log_file.path, log_file.older);
    int fd = open(log_file.path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, NEW_MODE);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        int failed = ftruncate(STDERR_FILENO, 0);
        (void)failed; /* nobody is left to be told */
    } else if (both) {
        dup2(fd, STDOUT_FILENO);
    }
    if (fd >= 0)
        close(fd);
}

void log_file_wrote(size_t len)
{
    if (!log_file.limit || MUTANT(log_never_turns) ||
        atomic_fetch_add(&log_file.len, len) + len < log_file.limit ||
        atomic_flag_test_and_set(&log_file.turning))
        return;
    if (log_file.len >= log_file.limit) {
        turn();
        log_file.len = 0;
    }
    atomic_flag_clear(&log_file.turning);
}

void log_file_limit(uint64_t limit_bytes)
{
    struct stat is;
    ssize_t len = readlink(STDERR_LINK, log_file.path, sizeof log_file.path - sizeof OLDER);
    if (!limit_bytes || fstat(STDERR_FILENO, &is) || !S_ISREG(is.st_mode) || len <= 0 ||
        (size_t)len >= sizeof log_file.path - sizeof OLDER)
        return;
    log_file.path[len] = '\0';
    text_format(log_file.older, sizeof log_file.older, "%s%s", log_file.path, OLDER);
    log_file.len = is.st_size > 0 ? (uint64_t)is.st_size : 0;
    log_file.limit = limit_bytes;
    log_file_wrote(0);
}
