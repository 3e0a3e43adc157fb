#include "clients/ask/jobfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/job_inputs.h"
#include "clients/cli.h"
#include "clients/show/inputs_told.h"
#include "shared/base/memory.h"

#define READ_BYTES      ((size_t)65536)
#define BAD_LINES_SHOWN 20

/* --- reading --- */

/* Reads one piece after what is there. Returns the number of bytes, 0 at the end,
 * -1 with errno. */
static ssize_t read_more(struct jobfile *file)
{
    if (file->size - file->len < READ_BYTES) {
        file->size = 2 * file->size + READ_BYTES;
        file->at = mem_grow(file->at, file->size, 1);
    }
    ssize_t got = read(file->fd, file->at + file->len, READ_BYTES);
    if (got > 0)
        file->len += (size_t)got;
    return got;
}

static int read_all(struct jobfile *file, const char *path, char *why)
{
    ssize_t got;
    while ((got = read_more(file)) > 0)
        if (file->len > JOBFILE_MAX_BYTES) {
            text_format(why, TEXT_MAX, "%s is larger than %d MiB", path,
                        (int)(JOBFILE_MAX_BYTES / MIB_BYTES));
            return ERR_TOO_BIG;
        }
    if (got < 0) {
        text_format(why, TEXT_MAX, "cannot read %s: %s", path, strerror(errno));
        return errno == EINTR ? ERR_INTERRUPTED : ERR_IO;
    }
    file->ended = true;
    return OK;
}

int jobfile_open(struct jobfile *file, const char *path, bool follow, char *why)
{
    *file = (struct jobfile){.fd = STDIN_FILENO, .follow = follow};
    if (strcmp(path, "-")) {
        file->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (file->fd < 0) {
            text_format(why, TEXT_MAX, "cannot read %s: %s", path, strerror(errno));
            return ERR_IO;
        }
    }
    return follow ? OK : read_all(file, path, why);
}

/* A file that was cut short restarts, as a log that was rotated in place does. */
static void watch_truncation(struct jobfile *file)
{
    struct stat about;
    off_t at = lseek(file->fd, 0, SEEK_CUR);
    if (at > 0 && !fstat(file->fd, &about) && S_ISREG(about.st_mode) && about.st_size < at)
        (void)lseek(file->fd, 0, SEEK_SET);
}

void jobfile_fill(struct jobfile *file)
{
    if (!file->follow || file->ended)
        return;
    if (file->next) {
        memmove(file->at, file->at + file->next, file->len - file->next);
        file->len -= file->next;
        file->next = 0;
    }
    watch_truncation(file);
    struct pollfd ready = {.fd = file->fd, .events = POLLIN};
    struct stat about;
    while (file->len < 2 * READ_BYTES && poll(&ready, 1, 0) > 0) {
        ssize_t got = read_more(file);
        if (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)))
            continue;
        /* The end of a file is for now; that of a pipe is for good. */
        file->ended = got < 0 || (!fstat(file->fd, &about) && !S_ISREG(about.st_mode));
        return;
    }
}

void jobfile_close(struct jobfile *file)
{
    if (file->fd > STDIN_FILENO)
        close(file->fd);
    free(file->at);
    *file = (struct jobfile){.fd = -1};
}

/* --- lines --- */

int jobfile_next(struct jobfile *file, struct jobspec *out, char *why)
{
    while (file->next < file->len) {
        const char *from = file->at + file->next;
        size_t left = file->len - file->next;
        const char *end = memchr(from, '\n', left);
        if (!end && !file->ended && left <= READ_BYTES)
            return ERR_NOT_FOUND; /* the rest of the line is still to come */
        size_t len = end ? (size_t)(end - from) : left;
        file->next += len + (end != NULL);
        file->line++;
        int error = jobspec_parse_line((struct slice){(const uint8_t *)from, len}, out, why);
        if (!error && out->inputs && job_inputs_read_stdin(out->inputs)) {
            jobspec_clear(out);
            text_format(why, TEXT_MAX,
                        "@- works only for a single job; lines of a file must name files");
            error = ERR_MALFORMED;
        }
        if (error != ERR_NOT_FOUND)
            return error;
    }
    return ERR_NOT_FOUND;
}

uint64_t jobfile_check(struct jobfile *file, uint64_t *n_jobs)
{
    struct jobspec spec;
    char why[TEXT_MAX];
    uint64_t bad = 0;
    *n_jobs = 0;
    for (int error; (error = jobfile_next(file, &spec, why)) != ERR_NOT_FOUND;) {
        if (!error && spec.inputs && job_inputs_check_told(spec.inputs)) {
            text_format(why, TEXT_MAX, "its integers cannot be used");
            error = ERR_MALFORMED;
        }
        jobspec_clear(&spec);
        if (!error)
            ++*n_jobs;
        else if (++bad <= BAD_LINES_SHOWN)
            cli_note("line %" PRIu64 ": %s", file->line, why);
    }
    if (bad > BAD_LINES_SHOWN)
        cli_note("and %" PRIu64 " more bad lines", bad - BAD_LINES_SHOWN);
    file->next = 0;
    file->line = 0;
    return bad;
}
