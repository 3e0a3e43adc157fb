/* entries.h - a log in memory: what the disks of the stage and of the simulator hold, and what the
 * oracle follows of each node. */
#ifndef CONCLAVE_HARNESS_ENTRIES_H
#define CONCLAVE_HARNESS_ENTRIES_H

#include "nodes/core/raft/checkpoint.h"
#include "nodes/core/step/output.h"

struct entry {
    term_t term;
    struct blob *packed; /* owned */
};

/* Zero-initialize: empty. */
struct entries {
    struct entry *at; /* base + 1, ... */
    log_index_t base; /* of the checkpoint before them */
    size_t n, size;
    struct part_name *names; /* of that checkpoint's parts; owned */
};

static inline log_index_t entries_last(const struct entries *log)
{
    return log->base + log->n;
}

/* NULL: there is none at that index. Borrowed. */
static inline const struct entry *entries_find(const struct entries *log, log_index_t index)
{
    return index > log->base && index <= entries_last(log) ? &log->at[index - log->base - 1] : NULL;
}

/* Adds one at the end. Takes a new reference. */
void entries_add(struct entries *log, term_t term, struct blob *packed);

/* Forgets those from an index on. */
void entries_cut(struct entries *log, log_index_t from);

/* A checkpoint covers those up to its index; `whole`: it replaces all. */
void entries_cover(struct entries *log, log_index_t index, bool whole);

/* Writes a checkpoint in the place of the one before (owned; NULL: none), and covers. False when it
 * counts on a part that is not there: nothing was written. */
bool entries_checkpoint(struct entries *log, struct checkpoint **checkpoint,
                        const struct write *write);

/* Makes it empty. */
void entries_clear(struct entries *log);

#endif
