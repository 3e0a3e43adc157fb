/* row.h - what a row of a replicated table must know of checkpoints.
 *
 * A checkpoint is packed in slices, between turns of the event loop, while entries go on changing
 * the state. It holds the state as it was when it began, because what is about to change or to go
 * is packed before (copy on write). And it costs what has changed since the last one, because what
 * has not is packed already: groups.h. So rows of large tables begin with a struct row, and their
 * owners call row_is_made() for a new one, row_changes() before they change it, and row_goes()
 * before they remove it. Small tables are packed whole when a checkpoint begins, and need none of
 * this. tables.h lists them all.
 *
 * A library of its own, for the tables' sake: it needs nothing but types. */
#ifndef CONCLAVE_CORE_ROW_H
#define CONCLAVE_CORE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/core/state/tables.h"

struct row_group;

/* The first member of a row. */
struct row {
    struct row_group *group; /* of rows that are packed together; NULL: of none */
};

/* Who wants to know of changes: see checkpoint.h. */
struct row_watch {
    uint64_t newest; /* counts checkpoints */
    bool building;   /* one is not finished */
    void (*made)(struct row_watch *watch, enum row_table table, struct row *row);
    void (*changes)(struct row_watch *watch, enum row_table table, struct row *row);
    void (*goes)(struct row_watch *watch, enum row_table table, struct row *row);
    void *context;
};

/* A row that is new. `watch` may be NULL, here as below: nobody builds checkpoints of it. */
static inline void row_is_made(struct row_watch *watch, enum row_table table, struct row *row)
{
    if (watch)
        watch->made(watch, table, row);
}

/* Before a row changes. */
static inline void row_changes(struct row_watch *watch, enum row_table table, struct row *row)
{
    if (watch)
        watch->changes(watch, table, row);
}

/* Before a row is removed. */
static inline void row_goes(struct row_watch *watch, enum row_table table, struct row *row)
{
    if (watch)
        watch->goes(watch, table, row);
}

#endif
