/* entry.h - with which key a command goes to its cluster: where the key file is found. */
#ifndef CONCLAVE_CLIENTS_ENTRY_H
#define CONCLAVE_CLIENTS_ENTRY_H

#include "shared/bus/access.h"

#define ENTRY_FILE     "access.json"
#define ENTRY_PATH_MAX 4096

struct entry {
    struct access *access; /* NULL: without keys, if `error` is OK */
    char path[ENTRY_PATH_MAX];
    int error;       /* there is no key that can be used: the calls of the client end with it */
    struct text why; /* one line */
};

/* Finds the key file: `file`, or else access.json in `dir`, or else in .conclave/ in the working
 * directory or the nearest directory above it. A directory that is found by its name must belong to
 * the caller or to root, and nobody else may write there. */
void entry_find(const char *file, const char *dir, struct entry *out);

/* The same when there are no keys on purpose. */
void entry_without_keys(struct entry *out);

/* Finds the nearest .conclave/ in the working directory or above it that holds something of that
 * name. OK with the directory as it is shown in `dir`; ERR_NOT_FOUND, with the one that would be
 * made here; or, when others may write to it, another error after one line in `why`. */
int entry_nearest(const char *name, char dir[ENTRY_PATH_MAX], struct text *why);

void entry_clear(struct entry *entry);

#endif
