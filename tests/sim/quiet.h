/* quiet.h - a cluster in which nothing goes wrong, and operations take what large ones really do.
 *
 * In the other worlds an operation takes as long as any other, whatever its size. Here its time
 * grows with the square root of its operands' length beside that length, so that a large one takes
 * some hundred thousand times as long as a small one, and processors are shared. Nobody may take
 * such an operation for one that is stuck. */
#ifndef CONCLAVE_SIM_QUIET_H
#define CONCLAVE_SIM_QUIET_H

#include "tests/sim/world.h"

/* True for the seeds that have such a world, too. */
bool quiet_is_due(uint64_t seed);

/* Runs it to its end; returns the hash of all that happened, and adds to the counts. */
uint64_t quiet_run(uint64_t seed, bool story, struct world_counts *counts);

#endif
