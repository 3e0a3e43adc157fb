/* settle.h - what a snapshot is changed into, in memory, before a fresh cluster begins with it. */
#ifndef CONCLAVE_SNAPSHOT_SETTLE_H
#define CONCLAVE_SNAPSHOT_SETTLE_H

#include "shared/snapshot/values.h"

/* What happens with the jobs, and what a partial snapshot loses: a line each. */
struct restore_notes {
    struct arena arena;
    MODEL_LIST(const char *) lines;
};

void restore_notes_clear(struct restore_notes *notes);

/* What restoring a partial snapshot would lose. Nothing for a complete one. */
void snapshot_losses(const struct snapshot_model *model, struct restore_notes *out);

/* Turns the model into the state that a fresh cluster begins with, the same each time:
 *
 *   - outboxes keep only what was under way at the cut, numbered from 1 in its order, and marks are
 *     gone: what was in the channels is sent again, in order, before anything new;
 *   - all nodes are in the highest term of the snapshot;
 *   - a job with values that are not here restarts; stored values that are not stay behind, with
 *     the jobs that name them, and so do details of tasks;
 *   - missing nodes begin with nothing. */
void snapshot_settle(struct snapshot_model *model, const struct snapshot_values *values,
                     struct restore_notes *notes);

#endif
