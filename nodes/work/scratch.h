/* scratch.h - the fresh directory in which a command runs: made, filled, searched, removed.
 *
 * What a command leaves there is not to be trusted: names are followed one at a time from open
 * directories, and no symbolic link ever (openat(2), O_NOFOLLOW). Every process of the command has
 * ended before anything is taken or removed. */
#ifndef CONCLAVE_WORK_SCRATCH_H
#define CONCLAVE_WORK_SCRATCH_H

#include <sys/types.h>

#include "nodes/work/command.h"

struct scratch {
    const char *path; /* borrowed */
    int fd;           /* the directory */
    uid_t uid;        /* whose it is, and the only one whose files are collected; ... */
    gid_t gid;
    bool foreign; /* ... not that of this process */
};

/* Errors of these are numbers of errno(3); 0 is success. */

/* Makes the directory, of mode 0700, with an owner; fd, uid and gid are set. */
int scratch_make(struct scratch *scratch, const char *path, uid_t uid, gid_t gid, bool foreign);

/* A name, or a pattern, of something below a directory: relative, without "." or "..". */
bool scratch_is_inside(const char *name);

/* Makes a file in it, and the directories that its name has; returns a descriptor to write it, or
 * -1 with errno. EINVAL: the name leads out. scratch_put_end() closes it. */
int scratch_put(struct scratch *scratch, const char *name);
int scratch_put_end(struct scratch *scratch, int fd, bool executable);

/* Writes all of it. */
int scratch_write(int fd, const uint8_t *at, size_t len);

/* Copies from one descriptor, from where it is to its end, to another. `stream`: adds the bytes;
 * NULL: no. */
struct hash_stream;
int scratch_copy(int from, int to, struct hash_stream *stream);

/* Moves the regular files that match any of the patterns to `outputs`/PREFIX.N, and tells of them
 * in `result`, sorted by name. On error none is taken; result->end and ->error say why. */
void scratch_collect(struct scratch *scratch, const char *const *patterns, uint64_t bytes_max,
                     const char *outputs, const char *prefix, struct command_result *result);

/* Removes the directory and all that is in it, whatever its modes and however deep. False:
 * something could not be removed. Accepts a path that is not there. */
bool scratch_remove(const char *path);

#endif
