#include "clients/local/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/ask/interrupt.h"
#include "shared/base/hash.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define LINKS_MAX 40   /* symbolic links behind each other: the kernel's own limit */
#define TRIES_MAX 16   /* names for the file beside; one of 2^64 is taken only on purpose */
#define NEW_MODE  0666 /* as far as the umask allows */
#define MODE_BITS 07777

/* --- where it goes --- */

/* A link of /proc names a descriptor, whatever its text says. */
static bool is_descriptor(const char *path)
{
    struct statfs about;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool found = fd >= 0 && !fstatfs(fd, &about) && about.f_type == PROC_SUPER_MAGIC;
    if (fd >= 0)
        close(fd);
    return found;
}

static int put_path(char at[OUTFILE_PATH_MAX], const char *dir, size_t dir_len, const char *name)
{
    if (text_format(at, OUTFILE_PATH_MAX, "%.*s%s", (int)dir_len, dir, name) < OUTFILE_PATH_MAX - 1)
        return OK;
    errno = ENAMETOOLONG;
    return ERR_TOO_BIG;
}

/* The length of the directory's part of a path, with its slash. */
static size_t directory_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Follows symbolic links, also one that points to nothing yet. */
static int follow(struct outfile *out, bool *descriptor)
{
    char link[OUTFILE_PATH_MAX], dir[OUTFILE_PATH_MAX];
    *descriptor = false;
    if (put_path(out->target, out->path, strlen(out->path), ""))
        return ERR_TOO_BIG;
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t len = readlink(out->target, link, sizeof link - 1);
        if (len < 0)
            return OK; /* no link, or nothing there; opening it will tell */
        *descriptor = is_descriptor(out->target);
        if (*descriptor)
            return OK;
        link[len] = '\0';
        size_t dir_len = link[0] == '/' ? 0 : directory_len(out->target);
        memcpy(dir, out->target, dir_len);
        if (put_path(out->target, dir, dir_len, link))
            return ERR_TOO_BIG;
    }
    errno = ELOOP;
    return ERR_IO;
}

/* --- opening --- */

static int open_in_place(struct outfile *out, int flags)
{
    fflush(stdout); /* which may be the same file */
    int fd = open(out->target, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC | flags, NEW_MODE);
    if (fd < 0)
        return ERR_IO;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    out->file = fdopen(fd, "a");
    if (!out->file || flags & O_CREAT)
        return out->file ? OK : ERR_IO;
    /* A reader that goes is an error as a full disk is, not the end of the process. */
    out->on_pipe = signal(SIGPIPE, SIG_IGN);
    out->ignores_pipe = true;
    return OK;
}

/* The new file stands in for the old one, so it takes over who may read it. */
static int keep_permissions(int fd, const struct stat *old)
{
    if (fchown(fd, old->st_uid, old->st_gid)) {
        /* Not ours to give away: then it belongs to whoever writes it. */
    }
    return fchmod(fd, old->st_mode & MODE_BITS);
}

static int open_beside(struct outfile *out, const struct stat *old)
{
    int fd = -1;
    if (old && faccessat(AT_FDCWD, out->target, W_OK, AT_EACCESS))
        return ERR_IO; /* a rename would not ask */
    for (int i = 0; i < TRIES_MAX && fd < 0; i++) {
        char name[64];
        uint64_t random;
        hash_random(&random, sizeof random);
        text_format(name, sizeof name, ".conclave-%016" PRIx64 ".tmp", random);
        if (put_path(out->temporary, out->target, directory_len(out->target), name))
            break;
        fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, NEW_MODE);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd >= 0 && (!old || !keep_permissions(fd, old)) && (out->file = fdopen(fd, "w")))
        return OK;
    int number = errno;
    if (fd >= 0) {
        close(fd);
        unlink(out->temporary);
    }
    out->temporary[0] = '\0';
    errno = number;
    return ERR_IO;
}

/* OK, or an error with errno. */
static int open_part(struct outfile *out, const struct stat *old, const char *tag)
{
    char name[NAME_MAX + 1];
    if (old && faccessat(AT_FDCWD, out->target, W_OK, AT_EACCESS))
        return ERR_IO;
    text_format(name, sizeof name, ".conclave-%s.part", tag);
    if (put_path(out->temporary, out->target, directory_len(out->target), name))
        return ERR_IO;
    int fd = open(out->temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, NEW_MODE);
    if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && (!old || !keep_permissions(fd, old)) &&
        (out->file = fdopen(fd, "r+"))) {
        out->resumes = true;
        return OK;
    }
    int number = errno;
    if (fd >= 0)
        close(fd);
    out->temporary[0] = '\0';
    errno = number == EWOULDBLOCK ? EBUSY : number;
    return ERR_IO;
}

static bool ends_as_directory(const char *path)
{
    size_t len = strlen(path);
    return len && path[len - 1] == '/';
}

/* OK with `in_place` and, unless the file is new, `old`; else an error, with errno. */
static int find_target(struct outfile *out, struct stat *old, bool *is_new, bool *in_place)
{
    bool descriptor;
    *is_new = false;
    if (follow(out, &descriptor))
        return ERR_IO;
    if (stat(out->target, old)) {
        *is_new = errno == ENOENT;
        if (*is_new && ends_as_directory(out->target))
            errno = EISDIR;
        else if (*is_new && *out->target)
            return OK;
        return ERR_IO;
    }
    *in_place = (descriptor || !S_ISREG(old->st_mode)) && !MUTANT(output_replaces);
    errno = EISDIR;
    return S_ISDIR(old->st_mode) ? ERR_IO : OK;
}

/* OK, or an error with errno. */
static int begin(struct outfile *out, const char *path, int flags)
{
    struct stat old;
    bool is_new, in_place = false;
    *out = (struct outfile){.path = path};
    if (!strcmp(path, "-")) {
        out->file = stdout;
        return OK;
    }
    if (find_target(out, &old, &is_new, &in_place))
        return ERR_IO;
    return in_place ? open_in_place(out, flags) : open_beside(out, is_new ? NULL : &old);
}

/* --- closing --- */

/* OK, or an error with errno. `keep`: it shall become `path`; `stay`: what is beside is left. */
static int end(struct outfile *out, bool keep, bool stay)
{
    bool beside = out->temporary[0];
    bool failed = fflush(out->file) || ferror(out->file);
    int number = errno;
    if (keep && !failed && beside && fsync(fileno(out->file))) {
        failed = true;
        number = errno;
    }
    if (out->file != stdout && fclose(out->file) && !failed) {
        failed = true;
        number = errno;
    }
    if (out->ignores_pipe)
        signal(SIGPIPE, out->on_pipe);
    if (keep && !failed && beside && rename(out->temporary, out->target)) {
        failed = true;
        number = errno;
    }
    if (beside && (failed || !keep) && !stay)
        unlink(out->temporary);
    errno = number;
    return failed ? ERR_IO : OK;
}

/* --- for commands --- */

static int explain_open(const char *what, const char *path)
{
    if (errno == EINTR && interrupt_seen())
        return cli_interrupted();
    return cli_fail(EXIT_USAGE, "%s: cannot write %s: %s", what, path, strerror(errno));
}

int outfile_open(struct outfile *out, const char *what, const char *path)
{
    return begin(out, path, 0) ? explain_open(what, path) : EXIT_OK;
}

int outfile_resume(struct outfile *out, const char *what, const char *path, const char *tag)
{
    struct stat old;
    bool is_new, in_place = false;
    *out = (struct outfile){.path = path};
    if (!strcmp(path, "-")) {
        out->file = stdout;
        return EXIT_OK;
    }
    if (find_target(out, &old, &is_new, &in_place))
        return explain_open(what, path);
    int error = in_place ? open_in_place(out, 0) : open_part(out, is_new ? NULL : &old, tag);
    return error ? explain_open(what, path) : EXIT_OK;
}

int outfile_grow(struct outfile *out, const char *what, const char *path)
{
    struct stat old;
    bool is_new, in_place = false;
    *out = (struct outfile){.path = path};
    if (!strcmp(path, "-")) {
        out->file = stdout;
        return EXIT_OK;
    }
    int error = find_target(out, &old, &is_new, &in_place);
    if (!error)
        error = open_in_place(out, in_place ? 0 : O_CREAT | O_TRUNC);
    return error ? explain_open(what, path) : EXIT_OK;
}

int outfile_close(struct outfile *out, int code)
{
    if (!end(out, code == EXIT_OK, out->resumes && code && code != EXIT_FAILED) || code)
        return code;
    if (errno == EINTR && interrupt_seen())
        return cli_interrupted();
    return cli_fail(EXIT_FAILED, "%s could not be written: %s",
                    strcmp(out->path, "-") ? out->path : "stdout", strerror(errno));
}

int outfile_check(const char *what, const char *path)
{
    struct outfile out = {.path = path};
    struct stat old;
    bool is_new, in_place = false;
    if (!strcmp(path, "-"))
        return EXIT_OK;
    if (find_target(&out, &old, &is_new, &in_place))
        return explain_open(what, path);
    if (in_place)
        return faccessat(AT_FDCWD, out.target, W_OK, AT_EACCESS) ? explain_open(what, path)
                                                                 : EXIT_OK;
    if (open_beside(&out, is_new ? NULL : &old))
        return explain_open(what, path);
    (void)end(&out, false, false);
    return EXIT_OK;
}

/* --- for the rest --- */

int outfile_put(const char *path, const void *bytes, size_t len, char *why)
{
    struct outfile out;
    int error = begin(&out, path, O_NONBLOCK);
    if (!error) {
        bool written = fwrite(bytes, 1, len, out.file) == len;
        int number = errno;
        error = end(&out, written, false);
        if (!written) {
            error = ERR_IO;
            errno = number;
        }
    }
    if (error)
        text_format(why, TEXT_MAX, "cannot write %s: %s", path, strerror(errno));
    return error ? ERR_IO : OK;
}

int outfile_temporary(char *why)
{
    char path[OUTFILE_PATH_MAX];
    const char *dir = getenv("TMPDIR");
    dir = dir && *dir ? dir : "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 && !put_path(path, dir, strlen(dir), "/conclave.XXXXXX")) {
        /* Not all file systems have files without names. */
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0)
        text_format(why, TEXT_MAX, "no temporary file can be made in %s (TMPDIR says where): %s",
                    dir, strerror(errno));
    return fd;
}

int outfile_append(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, NEW_MODE);
}
