#include "clients/ask/entry.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/error.h"

#define DIR_NAME   ".conclave"
#define LEVELS_MAX 256 /* of directories above; a path has no more */

/* Opens a directory that holds something of that name. ERR_NOT_FOUND: there is none. */
static int open_holder(int at, const char *dir, const char *shown, const char *name, int *fd,
                       struct text *why)
{
    *fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = *fd < 0 || faccessat(*fd, name, F_OK, 0) ? ERR_NOT_FOUND
                                                         : access_check_dir(*fd, shown, why);
    if (error && *fd >= 0)
        close(*fd);
    return error;
}

/* The working directory, and those above it. */
static int search(const char *name, char shown[ENTRY_PATH_MAX], int *found, struct text *why)
{
    int error = ERR_NOT_FOUND, fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat here, above;
    text_format(shown, ENTRY_PATH_MAX, "%s", DIR_NAME);
    for (int i = 0; fd >= 0 && i < LEVELS_MAX; i++) {
        error = open_holder(fd, DIR_NAME, shown, name, found, why);
        int up = error == ERR_NOT_FOUND ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        bool top = up < 0 || fstat(fd, &here) || fstat(up, &above) ||
                   (here.st_ino == above.st_ino && here.st_dev == above.st_dev);
        close(fd);
        fd = up;
        if (top)
            break;
        size_t len = strlen(shown);
        if (len + 4 > ENTRY_PATH_MAX)
            break;
        memmove(shown + 3, shown, len + 1);
        memcpy(shown, "../", 3);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

int entry_nearest(const char *name, char dir[ENTRY_PATH_MAX], struct text *why)
{
    int fd, error = search(name, dir, &fd, why);
    if (!error)
        close(fd);
    else if (error == ERR_NOT_FOUND)
        text_format(dir, ENTRY_PATH_MAX, "%s", DIR_NAME);
    return error;
}

/* Looks in one directory, or for one. ERR_NOT_FOUND: there is none, or no file in it. */
static int look(const char *dir, struct entry *out)
{
    char shown[ENTRY_PATH_MAX];
    int fd, error = dir ? open_holder(AT_FDCWD, dir, dir, ENTRY_FILE, &fd, &out->why)
                        : search(ENTRY_FILE, shown, &fd, &out->why);
    if (error)
        return error;
    text_format(out->path, sizeof out->path, "%s/%s", dir ? dir : shown, ENTRY_FILE);
    error = access_load(fd, ENTRY_FILE, out->path, &out->access, &out->why);
    close(fd);
    return error;
}

void entry_find(const char *file, const char *dir, struct entry *out)
{
    *out = (struct entry){0};
    if (file) {
        text_format(out->path, sizeof out->path, "%s", file);
        out->error = access_load(AT_FDCWD, file, file, &out->access, &out->why);
    } else {
        out->error = look(dir, out);
        if (out->error == ERR_NOT_FOUND)
            text_add(&out->why,
                     "no cluster is known here: there is no %s in %s; `conclave up` starts a "
                     "cluster, --access FILE names a key (--insecure: a cluster without keys)",
                     ENTRY_FILE, dir ? dir : DIR_NAME "/ here or above");
    }
    if (out->error)
        out->error = ERR_MALFORMED;
    else if (out->access->role == ROLE_node || out->access->role == ROLE_broker) {
        text_add(&out->why, "%s is the key of a %s; commands need a user's key", out->path,
                 role_name(out->access->role));
        out->error = ERR_MALFORMED;
    }
}

void entry_without_keys(struct entry *out)
{
    *out = (struct entry){0};
}

void entry_clear(struct entry *entry)
{
    access_destroy(&entry->access);
}
