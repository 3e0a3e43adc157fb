/* outfile.h - files that are there whole or not at all: written beside, then renamed. */
#ifndef CONCLAVE_CLIENTS_OUTFILE_H
#define CONCLAVE_CLIENTS_OUTFILE_H

#include <stdio.h>

#define OUTFILE_PATH_MAX 4096

struct outfile {
    FILE *file;
    const char *path; /* borrowed */
    char temporary[OUTFILE_PATH_MAX];
};

/* Opens what becomes `path`. EXIT_OK, or EXIT_USAGE after one line that begins with `what`. */
int outfile_open(struct outfile *out, const char *what, const char *path);

/* Closes it. With EXIT_OK it becomes `path`, unless it could not be written: EXIT_FAILED after one
 * line. With any other code nothing is left of it. Returns the code. */
int outfile_close(struct outfile *out, int code);

#endif
