/* A look through the whole store before anybody trusts it. In a child process: what is damaged may
 * crash or loop whoever reads it, and a disk may hang. The child allocates nothing, so the process
 * may have threads already. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"

struct verdict {
    int error;
    char why[PAGES_WHY_MAX];
};

/* --- the child --- */

/* Parts of the checkpoint are checked by disk_read_log(), which knows where they begin. */
static bool check_record(void *context, struct slice database, struct slice key, struct slice value)
{
    (void)context;
    if (slice_equals(database, "log"))
        return disk_entry_is_sound(key, value);
    if (slice_equals(database, "records"))
        return disk_record_is_sound(key, value);
    if (slice_equals(database, "values"))
        return disk_value_is_named(key);
    return true;
}

int disk_verify_file(int fd, struct pages_report *report)
{
    return pages_walk(fd, check_record, NULL, report);
}

static _Noreturn void judge(disk_verify_fn *verify, int fd, int out)
{
    struct pages_report report;
    struct verdict verdict = {0};
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE,
              &(struct rlimit){0}); /* a crash is an answer here, not a fault of ours */
    verdict.error = verify(fd, &report);
    if (verdict.error)
        memcpy(verdict.why, report.why, sizeof verdict.why);
    ssize_t written = write(out, &verdict, sizeof verdict);
    _exit(written == sizeof verdict ? 0 : 1);
}

/* --- its parent --- */

/* Reads the verdict; false when none has come by the deadline or the child ended without one. */
static bool read_verdict(int fd, uint64_t deadline_us, struct verdict *out, bool *late)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    for (;;) {
        uint64_t now_us = clock_now_us();
        *late = now_us >= deadline_us;
        int left_ms = *late ? 0 : (int)((deadline_us - now_us) / MS_US) + 1;
        int ready = poll(&item, 1, left_ms);
        if (ready > 0) /* shorter than PIPE_BUF: it comes as a whole */
            return read(fd, out, sizeof *out) == sizeof *out;
        if ((ready == 0 && *late) || (ready < 0 && errno != EINTR))
            return false;
    }
}

/* Says why there is no verdict. */
static void explain(pid_t child, bool late, uint64_t limit_us, char why[PAGES_WHY_MAX])
{
    int status;
    if (late) {
        kill(child, SIGKILL);
        waitpid(child, &status, WNOHANG); /* one that hangs in the disk does not end: let it be */
        text_format(why, PAGES_WHY_MAX,
                    "it could not be checked within %" PRIu64 " s (does the disk hang?)",
                    limit_us / SECOND_US);
        return;
    }
    pid_t got;
    do
        got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got == child && WIFSIGNALED(status))
        text_format(why, PAGES_WHY_MAX, "reading it ended by signal %d", WTERMSIG(status));
    else
        text_format(why, PAGES_WHY_MAX, "reading it ended without a result");
}

int disk_verify_apart(disk_verify_fn *verify, int fd, uint64_t limit_us, char why[PAGES_WHY_MAX])
{
    int ends[2];
    struct verdict verdict = {0};
    why[0] = '\0';
    if (pipe2(ends, O_CLOEXEC)) {
        text_format(why, PAGES_WHY_MAX, "cannot make a pipe: %s", strerror(errno));
        return ERR_IO;
    }
    pid_t child = fork();
    if (child < 0) {
        text_format(why, PAGES_WHY_MAX, "cannot start a child process: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        return ERR_IO;
    }
    if (!child)
        judge(verify, fd, ends[1]);
    close(ends[1]);
    bool late, told = read_verdict(ends[0], clock_now_us() + limit_us, &verdict, &late);
    close(ends[0]);
    if (!told) {
        explain(child, late, limit_us, why);
        return ERR_CORRUPT;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    text_format(why, PAGES_WHY_MAX, "%.*s", (int)sizeof verdict.why - 1, verdict.why);
    return verdict.error;
}

/* --- what is there --- */

/* Everything but larger values is in one file: without it nothing of the node is left. */
#define MISSING                                                                                  \
    " is missing, but the directory was in use: this node's identity, term, log and accounts "   \
    "were in that file; put it back, or if it is lost move the node's directory away and start " \
    "it with an empty one, which the other nodes fill (conclave recover, when most voters have " \
    "lost theirs)"

static bool is_there(const struct disk *disk, const char *name)
{
    char path[DISK_PATH_MAX];
    struct stat status;
    text_format(path, sizeof path, "%s/%s", disk->dir, name);
    return !stat(path, &status);
}

int disk_verify(struct disk *disk, struct text *why)
{
    char path[DISK_PATH_MAX + 16], what[PAGES_WHY_MAX];
    struct stat status;
    text_format(path, sizeof path, "%s/store/data.mdb", disk->dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        /* The store appears whole, and before the values: a directory that has one of them was in
         * use. */
        if (!is_there(disk, "store") && !is_there(disk, "values"))
            return ERR_NOT_FOUND;
        text_add(why, "%s" MISSING, path);
        return ERR_CORRUPT;
    }
    if (fd < 0 || fstat(fd, &status)) {
        text_add(why, "%s cannot be opened: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    if (MUTANT(pages_believed)) {
        close(fd);
        return OK;
    }
    uint64_t limit_us = STORE_CHECK_US + (uint64_t)status.st_size / STORE_CHECK_BYTES_PER_US;
    int error = disk_verify_apart(disk_verify_file, fd, limit_us, what);
    close(fd);
    if (error == ERR_CORRUPT)
        return disk_corrupt(disk, why, what);
    if (error)
        text_add(why, "%s cannot be checked: %s", path, what);
    return error;
}
