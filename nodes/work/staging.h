/* staging.h - segments of tasks' files on the scratch disk, as whole files of the node: written by
 * a thread of their own, so that the event loop never waits for that disk. They are of one life of
 * the node, and of use to nobody after it: nothing is made durable.
 *
 *   write --> writing --> here, or failed --> dropped --> removed, when nobody holds it
 *
 * All functions are for the event loop's thread. */
#ifndef CONCLAVE_WORK_STAGING_H
#define CONCLAVE_WORK_STAGING_H

#include "nodes/core/node.h"

struct staging;
struct staged; /* one of these files */

/* Writes into that directory, which is there and empty (copies the path). NULL: this node executes
 * no commands, and all is written to nowhere. Caller destroys, which removes the files that nobody
 * holds. */
struct staging *staging_new(const char *dir);
void staging_destroy(struct staging **staging);

/* Begins to write it (takes a new reference); it ends in one staging_take(), unless it is dropped
 * first. It is not there yet. */
void staging_write(struct staging *staging, struct value_id id, struct blob *bytes);

/* The next one that is written, or is not: *error, of errno(3). False: there is none. */
bool staging_take(struct staging *staging, struct value_id *id, int *error);

/* Readable while staging_take() has something. */
int staging_fd(const struct staging *staging);

/* It is of no use any more. Nothing when there is no such segment. */
void staging_drop(struct staging *staging, struct value_id id);

/* Its file is there until it is released. NULL: it is not there. Caller releases. */
struct staged *staging_hold(struct staging *staging, struct value_id id);
const char *staged_path(const struct staged *staged);
uint64_t staged_len(const struct staged *staged);
/* Accepts NULL, and sets it. */
void staging_release(struct staging *staging, struct staged **staged);

#endif
