/* job_owners.h - what each key has of the table of jobs: how many are open, how many bytes of
 * results are kept; and of the table of stored values.
 *
 * Follows from them, so no entry and no checkpoint tells of it: it is counted when a job is
 * made, ends and is forgotten, and when a checkpoint is loaded. A job costs the same however many
 * there are. Jobs without an owner, of a time or a cluster without keys, are in no account. */
#ifndef CONCLAVE_CORE_JOB_OWNERS_H
#define CONCLAVE_CORE_JOB_OWNERS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/limits.h"

struct job;
struct jobs;

/* One owner of at least one job, or stored value. */
struct job_owner {
    char name[OWNER_MAX + 1]; /* of the key */
    size_t jobs;              /* that are remembered, the open ones included */
    size_t open;              /* of these, accepted and not finished */
    uint64_t bytes;           /* of the results of the others, and of what tasks have left */
    size_t values;            /* stored ones */
    uint64_t value_bytes;     /* that they have, or will have */
};

/* Zero-initialize. */
struct job_owners {
    struct job_owner **at; /* in the order of their names; owned */
    size_t n, size;
};

/* A job of job->owner is accepted; it has ended, with its result; it is forgotten. */
void job_owners_open(struct job_owners *owners, struct job *job);
void job_owners_end(const struct job *job);
void job_owners_forget(struct job_owners *owners, struct job *job);

/* It begins a stored value of so many bytes; that is dropped. An empty name is nobody's. */
void job_owners_add_value(struct job_owners *owners, const char *name, uint64_t bytes);
void job_owners_drop_value(struct job_owners *owners, const char *name, uint64_t bytes);

/* NULL: it has none. Borrowed until the next entry is applied. */
const struct job_owner *job_owners_find(const struct job_owners *owners, const char *name);

/* The first one with a name after that, as an index into at[]; n when there is none. */
size_t job_owners_after(const struct job_owners *owners, const char *name);

void job_owners_clear(struct job_owners *owners);

/* Counts all jobs again; the stored values their own table does. */
void job_owners_check_invariants(const struct jobs *jobs);

#endif
