/* snapshots.h - global snapshots of whole nodes in the deterministic world, for tests. */
#ifndef CONCLAVE_HARNESS_SNAPSHOTS_H
#define CONCLAVE_HARNESS_SNAPSHOTS_H

#include "shared/snapshot/verify.h"
#include "tests/sim/bank.h"

#define SNAPSHOTS_PATIENCE_US (60 * SECOND_US)

/* A world of so many nodes that has run for a second. Caller frees it. */
struct world *snapshots_begin(uint64_t seed, uint32_t n_nodes);

/* Asks a node to take a snapshot. */
void snapshots_begin_to_take(struct world *world, node_id_t node);

/* That snapshot, once it is kept. Caller destroys. */
struct snapshot_model *snapshots_taken(struct world *world);

/* Both. */
struct snapshot_model *snapshots_take(struct world *world, node_id_t node);

#endif
