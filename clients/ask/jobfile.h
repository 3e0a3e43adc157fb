/* jobfile.h - jobs from a file, one a line; blank lines and what follows "#" do not count. */
#ifndef CONCLAVE_CLIENTS_JOBFILE_H
#define CONCLAVE_CLIENTS_JOBFILE_H

#include "clients/ask/jobspec.h"

#define JOBFILE_MAX_BYTES (64 * MIB_BYTES)

struct jobfile {
    int fd;
    bool follow; /* the file may grow: read what is new, for ever */
    bool ended;  /* nothing more will come */
    char *at;
    size_t len, size, next;
    uint64_t line; /* number of the line that jobfile_next() looked at last, from 1 */
};

/* Opens the file ("-": stdin); without `follow` reads all of it. OK, or an error after one line in
 * `why`. */
int jobfile_open(struct jobfile *file, const char *path, bool follow, char *why);

/* Takes the next job (caller clears it). ERR_NOT_FOUND: none is there (for good when file->ended);
 * ERR_MALFORMED after one line in `why`: the line is no job. */
int jobfile_next(struct jobfile *file, struct jobspec *out, char *why);

/* Checks every line, and the files of integers that it names, and counts the jobs, then begins at
 * the first again. Each bad line goes to stderr. Returns the number of bad lines. */
uint64_t jobfile_check(struct jobfile *file, uint64_t *n_jobs);

/* Reads what has come since, without waiting. */
void jobfile_fill(struct jobfile *file);

void jobfile_close(struct jobfile *file);

#endif
