/* told.h - for libraries that a test loads into a program and tells what to do while it runs: a
 * file that says what to do, read again whenever it changes, and a file of counts, which says how
 * often it was done.
 *
 * Both are named by environment variables. The test replaces the first by rename, so that nobody
 * reads half of it; a file that is missing says nothing. The second has a line for each count, its
 * name and its number; a process that starts again goes on counting.
 *
 * All of it is static: each library has its own. Calls of the C library that such a library stands
 * in for are made as system calls here. */
#pragma once
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TOLD_MAX   4096 /* bytes of the file */
#define COUNTS_MAX 16
#define COUNT_LINE 32 /* bytes, the newline included */

struct told {
    const char *path; /* NULL: nobody tells anything */
    struct stat seen; /* of the text */
    char text[TOLD_MAX];
};

struct counts {
    int fd; /* -1: nobody wants them */
    const char *const *names;
    unsigned long number[COUNTS_MAX];
    pthread_mutex_t lock;
};

/* True when the text is another than at the last call. The caller sees to it that one thread calls
 * at a time. */
static inline bool told_changed(struct told *told)
{
    struct stat now = {0};
    if (!told->path)
        return false;
    if (stat(told->path, &now))
        now = (struct stat){0};
    if (now.st_ino == told->seen.st_ino && now.st_size == told->seen.st_size &&
        now.st_mtim.tv_sec == told->seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == told->seen.st_mtim.tv_nsec)
        return false;
    told->seen = now;
    told->text[0] = '\0';
    int fd = (int)syscall(SYS_openat, AT_FDCWD, told->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t len = read(fd, told->text, sizeof told->text - 1);
    told->text[len > 0 ? len : 0] = '\0';
    close(fd);
    return true;
}

/* Opens the file that the variable names; `names` ends with NULL. */
static inline void counts_open(struct counts *counts, const char *variable,
                               const char *const *names)
{
    const char *path = getenv(variable);
    counts->names = names;
    pthread_mutex_init(&counts->lock, NULL);
    counts->fd = -1;
    if (path)
        counts->fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    for (int i = 0; counts->fd >= 0 && names[i]; i++) {
        char line[COUNT_LINE + 1] = "";
        if (pread(counts->fd, line, COUNT_LINE, i * COUNT_LINE) == COUNT_LINE && strchr(line, ' '))
            counts->number[i] = strtoul(strchr(line, ' '), NULL, 10);
    }
}

static inline void counts_add(struct counts *counts, int which)
{
    char line[COUNT_LINE + 1];
    pthread_mutex_lock(&counts->lock);
    counts->number[which]++;
    int len =
        snprintf(line, sizeof line, "%-12s %18lu\n", counts->names[which], counts->number[which]);
    if (counts->fd >= 0)
        syscall(SYS_pwrite64, counts->fd, line, (size_t)len, (long)which * COUNT_LINE);
    pthread_mutex_unlock(&counts->lock);
}
