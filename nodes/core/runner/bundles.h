/* bundles.h - what tasks have left (shared/tasks/bundle.h), as values on this node's disk. Used
 * inside the room only.
 *
 *   ended --piece by piece--> stored: told
 *               '--no room--> the attempt has failed for that: told */
#ifndef CONCLAVE_CORE_RUNNER_BUNDLES_H
#define CONCLAVE_CORE_RUNNER_BUNDLES_H

#include "nodes/core/runner/runner.h"

/* Of an outcome that is kept: names the values, and begins to store them. */
void bundles_store(struct runner *runner, struct task_kept *kept);

/* All is on disk, or rides with the outcome. */
bool bundles_is_stored(const struct task_kept *kept);

void bundles_failed(struct runner *runner, struct value_id id);

/* Fills in what an outcome says of it; a short one rides along as a further frame. */
void bundles_tell(struct message *message, const struct task_kept *kept,
                  struct wire_task_outcome *outcome);

/* Lets go of what is in memory. */
void bundles_clear(struct task_kept *kept);

#endif
