#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/work/scratch.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"

#define PATTERN_DEPTH_MAX 64       /* directories below each other that are searched */
#define ENTRIES_MAX       1000000u /* looked at for one command; it may have made any number */
#define PATH_ROOM         4096

struct search {
    struct scratch *scratch;
    const char *outputs, *prefix;
    uint64_t bytes, bytes_max;
    unsigned entries;
    struct command_result *result;
    char name[PATH_ROOM]; /* of the directory that is searched, with a slash, or "" */
    size_t len;
};

static void fail(struct search *search, enum command_end end, const char *what, int error)
{
    struct command_result *result = search->result;
    if (result->end == COMMAND_DISK_FULL || result->end == COMMAND_UNCOLLECTED)
        return; /* the first one counts */
    result->end = end;
    text_format(result->error, sizeof result->error, "%s%s%s", what, error ? ": " : "",
                error ? strerror(error) : "");
}

static bool failed(const struct search *search)
{
    return search->result->end == COMMAND_DISK_FULL || search->result->end == COMMAND_UNCOLLECTED;
}

static void fail_errno(struct search *search, const char *what, int error)
{
    bool full = error == ENOSPC || error == EDQUOT;
    fail(search, full ? COMMAND_DISK_FULL : COMMAND_UNCOLLECTED, what, error);
}

/* --- one file --- */

/* To where the node keeps it: by its name alone if that is on the same file system. */
static int move_file(int dir, const char *name, int fd, const char *to, uint8_t hash[HASH_BYTES])
{
    struct hash_stream stream;
    hash_begin(&stream);
    int out = -1, error;
    bool renamed = !renameat(dir, name, AT_FDCWD, to);
    if (!renamed && errno != EXDEV)
        return errno;
    if (!renamed)
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!renamed && out < 0)
        return errno;
    error = scratch_copy(fd, out, &stream);
    hash_end(&stream, hash);
    if (out >= 0 && close(out) && !error)
        error = errno;
    if (error)
        unlink(to);
    else if (!renamed)
        unlinkat(dir, name, 0); /* another pattern does not find it again */
    return error;
}

static void add_file(struct search *search, const char *name, const char *path, uint64_t len,
                     const uint8_t hash[HASH_BYTES], bool executable)
{
    struct command_result *result = search->result;
    if (!result->files)
        result->files = mem_new(COMMAND_FILES_MAX, sizeof *result->files);
    struct command_file *file = &result->files[result->n_files++];
    *file = (struct command_file){.path = mem_string(path), .len = len, .executable = executable};
    size_t bytes = search->len + strlen(name) + 1;
    file->name = mem_new(1, bytes);
    text_format(file->name, bytes, "%s%s", search->name, name);
    memcpy(file->hash, hash, HASH_BYTES);
}

static void take_file(struct search *search, int dir, const char *name, const struct stat *is)
{
    uint8_t hash[HASH_BYTES];
    char to[PATH_ROOM];
    if (search->result->n_files == COMMAND_FILES_MAX) {
        fail(search, COMMAND_UNCOLLECTED, "too many files match", 0);
        return;
    }
    if ((uint64_t)is->st_size > search->bytes_max - search->bytes) {
        fail(search, COMMAND_UNCOLLECTED, "the files that match are too large", 0);
        return;
    }
    search->bytes += (uint64_t)is->st_size;
    text_format(to, sizeof to, "%s/%s.%zu", search->outputs, search->prefix,
                search->result->n_files);
    fchmodat(dir, name, is->st_mode & 0100 ? 0700 : 0600, 0);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = fd < 0 ? errno : move_file(dir, name, fd, to, hash);
    if (fd >= 0)
        close(fd);
    if (error) {
        fail_errno(search, "a file that matches cannot be taken", error);
        return;
    }
    if (search->scratch->foreign && chown(to, geteuid(), getegid()))
        fail_errno(search, "a file that matches cannot be taken", errno);
    add_file(search, name, to, (uint64_t)is->st_size, hash, is->st_mode & 0100);
}

/* Never what a link leads to, nor what is somebody else's and has got in by a hard link. */
static bool is_own_file(const struct search *search, const struct stat *is)
{
    return S_ISREG(is->st_mode) &&
           (!search->scratch->foreign || is->st_uid == search->scratch->uid);
}

/* --- patterns --- */

static void search_in(struct search *search, int dir, const char *pattern, unsigned depth);

static void search_below(struct search *search, int dir, const char *name, const char *pattern,
                         unsigned depth)
{
    size_t before = search->len, len = strlen(name);
    if (depth == PATTERN_DEPTH_MAX || before + len + 2 > sizeof search->name)
        return;
    fchmodat(dir, name, 0700, 0); /* who made it could have, too */
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    memcpy(search->name + before, name, len);
    memcpy(search->name + before + len, "/", 2);
    search->len = before + len + 1;
    search_in(search, fd, pattern, depth + 1);
    search->len = before;
    search->name[before] = '\0';
    close(fd);
}

/* All names first: what is found is moved away. */
static char **list(struct search *search, int dir, size_t *n)
{
    char **names = NULL;
    size_t room = 0;
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *open = copy < 0 ? NULL : fdopendir(copy);
    *n = 0;
    for (struct dirent *entry; open && (entry = readdir(open));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (search->entries++ == ENTRIES_MAX) {
            fail(search, COMMAND_UNCOLLECTED, "there are too many files to look at", 0);
            break;
        }
        if (*n == room)
            names = mem_grow(names, room = 2 * room + 16, sizeof *names);
        names[(*n)++] = mem_string(entry->d_name);
    }
    if (open)
        closedir(open);
    else if (copy >= 0)
        close(copy);
    return names;
}

static void search_in(struct search *search, int dir, const char *pattern, unsigned depth)
{
    char part[NAME_MAX + 1];
    size_t len = strcspn(pattern, "/"), n;
    bool last = !pattern[len], any_depth = len == 2 && pattern[0] == '*' && pattern[1] == '*';
    const char *rest = last ? NULL : pattern + len + 1;
    if (len > NAME_MAX || (any_depth && last))
        return; /* such a name is none; and ** alone matches no file */
    text_format(part, sizeof part, "%.*s", (int)len, pattern);
    if (any_depth)
        search_in(search, dir, rest, depth); /* in no directory more */
    char **names = list(search, dir, &n);
    for (size_t i = 0; i < n; i++) {
        struct stat is;
        bool fits = any_depth ? names[i][0] != '.' : !fnmatch(part, names[i], FNM_PERIOD);
        if (fits && !failed(search) && !fstatat(dir, names[i], &is, AT_SYMLINK_NOFOLLOW)) {
            if (last && is_own_file(search, &is))
                take_file(search, dir, names[i], &is);
            else if (!last && S_ISDIR(is.st_mode))
                search_below(search, dir, names[i], any_depth ? pattern : rest, depth);
        }
        free(names[i]);
    }
    free(names);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct command_file *)a)->name, ((const struct command_file *)b)->name);
}

static void give_up(struct command_result *result)
{
    for (size_t i = 0; i < result->n_files; i++) {
        unlink(result->files[i].path);
        free(result->files[i].path);
        free(result->files[i].name);
    }
    result->n_files = 0;
}

void scratch_collect(struct scratch *scratch, const char *const *patterns, uint64_t bytes_max,
                     const char *outputs, const char *prefix, struct command_result *result)
{
    struct search search = {.scratch = scratch,
                            .outputs = outputs,
                            .prefix = prefix,
                            .bytes_max = bytes_max,
                            .result = result};
    for (size_t i = 0; patterns && patterns[i] && !failed(&search); i++) {
        const char *pattern = patterns[i];
        while (pattern[0] == '.' && pattern[1] == '/')
            pattern += 2;
        if (!scratch_is_inside(pattern)) {
            fail(&search, COMMAND_UNCOLLECTED, "a pattern leads out of the scratch directory", 0);
            break;
        }
        search_in(&search, scratch->fd, pattern, 0);
    }
    if (failed(&search))
        give_up(result);
    else if (result->n_files)
        qsort(result->files, result->n_files, sizeof *result->files, by_name);
}
