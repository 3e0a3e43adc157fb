/* state_types.h - the replicated state: what the log's entries make, the same on all nodes. */
#ifndef CONCLAVE_CORE_STATE_TYPES_H
#define CONCLAVE_CORE_STATE_TYPES_H

#include "nodes/core/state/jobs.h"
#include "nodes/core/state/keys.h"
#include "nodes/core/state/progress.h"
#include "nodes/core/step/step.h"

struct checkpoint_build;

/* Checkpoints under way: checkpoint.h. */
struct checkpoint_builds {
    struct checkpoint_build *first; /* in the order in which they began; owned by who began them */
    struct row_watch watch;
    uint64_t slice_us; /* when the present slice began, and what was packed in it */
    size_t slice_rows, slice_bytes, slice_visits;
};

/* The voters' disks as the applied log has them; 0: not known. Part of the replicated state. */
struct births {
    incarnation_t at[NODES_MAX + 1];
};

struct state {
    struct step *step;
    log_index_t applied; /* the last entry that is in it ... */
    term_t applied_term; /* ... and its term */
    struct jobs jobs;
    struct keys keys; /* of jobs and snaps */
    /* Sealed blocks of these on disk as records: the first number, and one past the last. */
    uint64_t keys_stored_first, keys_stored_next;
    struct progress progress;
    struct births births;
    struct checkpoint_builds builds;
};

#endif
