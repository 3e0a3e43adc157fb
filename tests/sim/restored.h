/* restored.h - in some of the seeds with a bank: a snapshot that was taken in the midst of the
 * trouble becomes another cluster, as `conclave snapshot restore` makes it, which goes on with what
 * the picture has of jobs, tasks, counters and money. */
#ifndef CONCLAVE_SIM_RESTORED_H
#define CONCLAVE_SIM_RESTORED_H

#include "shared/snapshot/verify.h"
#include "tests/sim/world.h"

/* Decides whether this seed has one; the options are as drawn. */
void restored_open(struct world *world);

/* A node has kept a snapshot, and it is sound: the one that has most of interest is the one. */
void restored_offer(struct world *world, node_id_t id, const struct snapshot_model *model,
                    const struct findings *findings, const struct blob *container);

/* When all is settled: the other cluster begins, has some trouble, and comes to its end. Adds what
 * happened; returns a digest of it. */
uint64_t restored_run(struct world *world);

void restored_free(struct restored **restored);

#endif
