#include "shared/base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/error.h"

#define MODE 0600

static int write_new(const char *path, struct slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (fd < 0)
        return ERR_IO;
    bool good = write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len && !fsync(fd);
    int number = errno;
    if (close(fd) && good) {
        number = errno;
        good = false;
    }
    errno = number;
    return good ? OK : ERR_IO;
}

int private_file_put(const char *path, struct slice bytes, bool replace, struct text *why)
{
    char beside[PATH_MAX]; /* processes may share a directory */
    int error = ERR_TOO_BIG;
    errno = ENAMETOOLONG;
    if (text_format(beside, sizeof beside, "%s.%d.new", path, (int)getpid()) < sizeof beside - 1) {
        unlink(beside);
        error = write_new(beside, bytes);
        /* A link is made only where nothing is. */
        if (!error && (replace ? rename(beside, path) : link(beside, path)))
            error = errno == EEXIST ? ERR_EXISTS : ERR_IO;
        int number = errno;
        unlink(beside);
        errno = number;
    }
    if (error)
        text_add(why, "cannot write %s: %s", path, strerror(errno));
    return error;
}
