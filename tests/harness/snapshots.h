/* snapshots.h - global snapshots of whole nodes in the deterministic world, for tests. */
#ifndef CONCLAVE_HARNESS_SNAPSHOTS_H
#define CONCLAVE_HARNESS_SNAPSHOTS_H

#include "shared/snapshot/verify.h"
#include "tests/harness/worlds.h"
#include "tests/sim/bank.h"

#define SNAPSHOTS_PATIENCE_US (60 * SECOND_US)

/* Asks a node to take a snapshot. */
void snapshots_begin_to_take(struct world *world, node_id_t node);

/* That snapshot, once it is kept. Caller destroys. */
struct snapshot_model *snapshots_taken(struct world *world);

/* Both. */
struct snapshot_model *snapshots_take(struct world *world, node_id_t node);

#endif
