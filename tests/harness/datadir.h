/* datadir.h - a directory for each test of the store, and the data directory of a node in it. */
#ifndef CONCLAVE_HARNESS_DATADIR_H
#define CONCLAVE_HARNESS_DATADIR_H

#include "nodes/io/disk.h"

#define DATADIR_PATH_ROOM 512 /* of a path in it */

extern char datadir[64]; /* the directory of the present test */

/* Setup and teardown for cmocka. */
int datadir_make(void **state);
int datadir_remove(void **state);

/* A path in it, until the next call. */
const char *datadir_path(const char *name);

/* Opens the data directory of node 3 in it, and makes it first. Caller closes. */
struct disk *datadir_open(void);

#endif
