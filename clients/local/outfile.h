/* outfile.h - the one place where the command line writes files.
 *
 * A regular file is there whole or not at all: written beside its place, synced, then renamed over
 * it, with the permissions of the file that it replaces. A symbolic link is followed and stays a
 * link: what it points to is replaced, or made. A device, a FIFO, and what a link of /proc points
 * to
 * (/dev/stdout, /dev/fd/3) are written in place. `-` is stdout. */
#ifndef CONCLAVE_CLIENTS_OUTFILE_H
#define CONCLAVE_CLIENTS_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define OUTFILE_PATH_MAX 4096

struct outfile {
    FILE *file;
    const char *path;                 /* borrowed; as it was given */
    char target[OUTFILE_PATH_MAX];    /* behind the links */
    char temporary[OUTFILE_PATH_MAX]; /* empty: it is written in place */
    bool ignores_pipe;                /* until it is closed */
    bool resumes;                     /* what is beside stays when it is not complete */
    void (*on_pipe)(int);             /* what SIGPIPE did before */
};

/* For commands: opens what becomes `path` (borrows it). A FIFO waits for its reader, until a
 * signal. EXIT_OK, or an exit code after one line that begins with `what`: EXIT_USAGE when it
 * cannot be opened. */
int outfile_open(struct outfile *out, const char *what, const char *path);

/* The same for what can be resumed: beside the file stands .conclave-TAG.part, TAG being what it
 * will hold when it is whole (a hash). `out->file` is then for reading and writing, at its
 * beginning; what is in it came from a command that was ended. Only one command at a time has it.
 * What is written in place (out->resumes is false) starts again at its beginning. */
int outfile_resume(struct outfile *out, const char *what, const char *path, const char *tag);

/* For what grows while others read it, as a log does: written in place, and empty at first. What
 * was written when the command is ended stays. The same codes and lines. */
int outfile_grow(struct outfile *out, const char *what, const char *path);

/* Closes it. With EXIT_OK it becomes `path`, unless it could not be written: EXIT_FAILED after one
 * line. With any other code nothing is left of it, except what a device or a FIFO has taken, and
 * what can be resumed unless the code is EXIT_FAILED. Returns the code. */
int outfile_close(struct outfile *out, int code);

/* Whether outfile_open() could open it, looked at before any work is done: the same codes and
 * lines. Opens no FIFO and no device, leaves nothing behind. */
int outfile_check(const char *what, const char *path);

/* For the rest: a whole file at once; never waits. OK, or ERR_IO after one line in `why` (TEXT_MAX
 * bytes). */
int outfile_put(const char *path, const void *bytes, size_t len, char *why);

/* Opens a temporary file that has no name, in TMPDIR or /tmp, to write and read. Returns the
 * descriptor; -1 after one line in `why` (TEXT_MAX bytes). */
int outfile_temporary(char *why);

/* Opens a log to append to; makes it. Returns the descriptor, -1 with errno. */
int outfile_append(const char *path);

#endif
