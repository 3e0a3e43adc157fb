#include "nodes/work/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/hash.h"

#define COPY_BYTES (64 * KIB_BYTES)
/* Directories that are open at a time while one is removed; what is deeper is moved up first. */
#define DEPTH_MAX 32

/* --- made and filled --- */

int scratch_make(struct scratch *scratch, const char *path, uid_t uid, gid_t gid, bool foreign)
{
    *scratch = (struct scratch){.path = path, .fd = -1, .uid = uid, .gid = gid, .foreign = foreign};
    if (mkdir(path, 0700))
        return errno;
    scratch->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (scratch->fd < 0)
        return errno;
    return foreign && fchown(scratch->fd, uid, gid) ? errno : 0;
}

bool scratch_is_inside(const char *name)
{
    if (!*name || *name == '/' || name[strlen(name) - 1] == '/')
        return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t len = strcspn(at, "/");
        if (!len || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return false;
    }
    return true;
}

/* Opens a directory in another one, which it closes; made if it is not there. */
static int enter(struct scratch *scratch, int dir, const char *name)
{
    bool made = !mkdirat(dir, name, 0700);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && made && scratch->foreign && fchown(fd, scratch->uid, scratch->gid)) {
        close(fd);
        fd = -1;
    }
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

int scratch_put(struct scratch *scratch, const char *name)
{
    char part[NAME_MAX + 1];
    if (!scratch_is_inside(name)) {
        errno = EINVAL;
        return -1;
    }
    int dir = fcntl(scratch->fd, F_DUPFD_CLOEXEC, 0);
    for (size_t len; dir >= 0 && name[len = strcspn(name, "/")]; name += len + 1) {
        if (len > NAME_MAX) {
            close(dir);
            errno = ENAMETOOLONG;
            return -1;
        }
        text_format(part, sizeof part, "%.*s", (int)len, name);
        dir = enter(scratch, dir, part);
    }
    if (dir < 0)
        return -1;
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

int scratch_put_end(struct scratch *scratch, int fd, bool executable)
{
    int error = 0;
    if ((scratch->foreign && fchown(fd, scratch->uid, scratch->gid)) ||
        (executable && fchmod(fd, 0700)))
        error = errno;
    return close(fd) && !error ? errno : error;
}

int scratch_write(int fd, const uint8_t *at, size_t len)
{
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int scratch_copy(int from, int to, struct hash_stream *stream)
{
    static uint8_t buffer[COPY_BYTES]; /* one thread, and nobody calls it within itself */
    for (;;) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n < 0)
            continue;
        if (stream)
            hash_add(stream, buffer, (size_t)n);
        int error = to >= 0 ? scratch_write(to, buffer, (size_t)n) : 0;
        if (error)
            return error;
    }
}

/* --- removed --- */

struct removal {
    int top;       /* the directory itself */
    unsigned next; /* names of what was moved up */
    bool failed;
};

static void remove_in(struct removal *removal, int dir, unsigned depth);

/* Deep trees are made flat: the directory gets a new name at the top, and is met there again. */
static bool move_up(struct removal *removal, int dir, const char *name)
{
    char up[40];
    for (int tries = 0; tries < 1000; tries++) {
        text_format(up, sizeof up, ".removed-%u", removal->next++);
        if (!renameat2(dir, name, removal->top, up, RENAME_NOREPLACE))
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static void remove_directory(struct removal *removal, int dir, const char *name, unsigned depth)
{
    fchmodat(dir, name, 0700, 0); /* it is no link: who looked at it saw a directory */
    if (depth >= DEPTH_MAX && move_up(removal, dir, name))
        return;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        remove_in(removal, fd, depth + 1);
    removal->failed = (unlinkat(dir, name, AT_REMOVEDIR) && errno != ENOENT) || removal->failed;
}

/* Takes the descriptor. */
static void remove_in(struct removal *removal, int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        removal->failed = true;
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        struct stat is;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (fstatat(fd, name, &is, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISDIR(is.st_mode))
            remove_directory(removal, fd, name, depth);
        else if (unlinkat(fd, name, 0))
            removal->failed = true;
    }
    closedir(dir);
}

bool scratch_remove(const char *path)
{
    if (!rmdir(path) || errno == ENOENT)
        return true; /* most commands leave nothing */
    bool failed = true;
    chmod(path, 0700);
    /* What was moved up may have come where the list had been read already. */
    for (int rounds = 0; failed && rounds < 1000; rounds++) {
        struct removal removal = {.top =
                                      open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)};
        if (removal.top < 0)
            return unlink(path) == 0;
        int fd = fcntl(removal.top, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            remove_in(&removal, fd, 0);
        close(removal.top);
        failed = rmdir(path) && errno != ENOENT;
        if (failed && !removal.next)
            break; /* nothing was moved: it would be the same again */
    }
    return !failed;
}
