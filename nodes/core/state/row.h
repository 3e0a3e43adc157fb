/* row.h - what a row of a replicated table must know of the checkpoints that are being built.
 *
 * A checkpoint is packed in slices, between turns of the event loop, while entries go on changing
 * the state. It holds the state as it was when it began, because a row is packed before it changes
 * or goes (copy on write). Rows of large tables begin with a struct row; their owners call
 * row_changes() before they change one, and row_is_made() for a new one. Small tables are packed
 * whole when a checkpoint begins, and need none of this. tables.h lists them all.
 *
 * A library of its own, for the tables' sake: it needs nothing but types. */
#ifndef CONCLAVE_CORE_ROW_H
#define CONCLAVE_CORE_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/core/state/tables.h"

/* The first member of a row. */
struct row {
    uint64_t saved; /* the newest checkpoint that has it, or that began before it was made */
};

/* Who wants to know of changes; see checkpoint.h. */
struct row_watch {
    uint64_t newest; /* counts checkpoints */
    bool building;   /* one is not finished */
    void (*save)(struct row_watch *watch, enum row_table table, struct row *row);
    void *context;
};

/* Before a row changes, or is removed. `watch` may be NULL: nobody builds checkpoints of it. */
static inline void row_changes(struct row_watch *watch, enum row_table table, struct row *row)
{
    if (watch && watch->building && row->saved < watch->newest)
        watch->save(watch, table, row);
}

/* A row that is new: no checkpoint that has begun has it. */
static inline void row_is_made(const struct row_watch *watch, struct row *row)
{
    row->saved = watch ? watch->newest : 0;
}

#endif
