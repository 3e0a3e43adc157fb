#include "clients/ask/entry.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/error.h"

#define DIR_NAME   ".conclave"
#define LEVELS_MAX 256 /* of directories above; a path has no more */

/* Looks in one directory. ERR_NOT_FOUND: there is none, or no file in it. */
static int look(int at, const char *dir, const char *shown, struct entry *out)
{
    int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(fd, ENTRY_FILE, F_OK, 0)) {
        if (fd >= 0)
            close(fd);
        return ERR_NOT_FOUND;
    }
    text_format(out->path, sizeof out->path, "%s/%s", shown, ENTRY_FILE);
    int error = access_check_dir(fd, shown, &out->why);
    if (!error)
        error = access_load(fd, ENTRY_FILE, out->path, &out->access, &out->why);
    close(fd);
    return error;
}

/* The working directory, and those above it. */
static int search(struct entry *out)
{
    char shown[ENTRY_PATH_MAX] = DIR_NAME;
    int error = ERR_NOT_FOUND, fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat here, above;
    for (int i = 0; fd >= 0 && i < LEVELS_MAX; i++) {
        error = look(fd, DIR_NAME, shown, out);
        int up = error == ERR_NOT_FOUND ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        bool top = up < 0 || fstat(fd, &here) || fstat(up, &above) ||
                   (here.st_ino == above.st_ino && here.st_dev == above.st_dev);
        close(fd);
        fd = up;
        if (top)
            break;
        size_t len = strlen(shown);
        if (len + 4 > sizeof shown)
            break;
        memmove(shown + 3, shown, len + 1);
        memcpy(shown, "../", 3);
    }
    if (fd >= 0)
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
        out->error = dir ? look(AT_FDCWD, dir, dir, out) : search(out);
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
