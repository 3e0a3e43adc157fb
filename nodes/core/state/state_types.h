/* state_types.h - the replicated state: what the log's entries make, the same on all nodes. */
#ifndef CONCLAVE_CORE_STATE_TYPES_H
#define CONCLAVE_CORE_STATE_TYPES_H

#include "nodes/core/state/access_list.h"
#include "nodes/core/state/groups.h"
#include "nodes/core/state/head.h"
#include "nodes/core/state/jobs.h"
#include "nodes/core/state/keys.h"
#include "nodes/core/state/progress.h"
#include "nodes/core/state/released.h"
#include "nodes/core/state/retention.h"
#include "nodes/core/state/snaps.h"
#include "nodes/core/state/stored_values.h"
#include "nodes/core/state/tables.h"
#include "nodes/core/state/task_jobs.h"
#include "nodes/core/step/step.h"

struct checkpoint_build;

/* Checkpoints under way: checkpoint.h. */
struct checkpoint_builds {
    struct checkpoint_build *first; /* in the order in which they began; owned by who began them */
    struct row_watch watch;
    struct row_groups groups[TABLE_COUNT]; /* of the tables that have rows (row.h) */
    struct checkpoint *small[TABLE_COUNT]; /* of the others: as last packed; owned; NULL: never */
    uint64_t slice_us; /* when the present slice began, and what was packed in it */
    size_t slice_rows, slice_bytes, slice_visits;
    uint64_t packed_rows, packed_bytes; /* so far, for all checkpoints */
};

struct state {
    struct step *step;
    log_index_t applied; /* the last entry that is in it ... */
    term_t applied_term; /* ... and its term */
    /* The tables: head, snaps, keys (of jobs and snaps), progress, retention, access_list,
     * stored, jobs, task_jobs. */
#define X(SYMBOL, name, type) type name;
    STATE_TABLES(X)
#undef X
    /* Sealed blocks of keys that are on disk as records: the first number, and one past the last.
     */
    uint64_t keys_stored_first, keys_stored_next;
    struct checkpoint_builds builds;
    struct released released; /* by the entry that was applied last, until the log takes them */
};

#endif
