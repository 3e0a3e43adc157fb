/* swarm.h - one seed, one scenario: its own cluster, load, timing and mix of faults.
 *
 * Swarm testing (Groce et al., ISSTA 2012): a mix that leaves most faults out finds more than one
 * that has them all, because faults hide each other. */
#ifndef CONCLAVE_SIM_SWARM_H
#define CONCLAVE_SIM_SWARM_H

#include "tests/sim/world.h"

struct swarm_result {
    uint64_t hash; /* of all that happened */
    struct world_counts counts;
    uint64_t settle_us; /* from the healing until all was done and equal */
};

/* Runs a seed to its end. What does not hold ends the process (world_fail). */
struct swarm_result swarm_run(uint64_t seed, bool story);

const char *swarm_fault_text(enum fault fault);

/* Starts all nodes, some of them late; at the end, loses a majority of the disks: beginning.c. */
struct world;
void beginning_start(struct world *world);
void beginning_again(struct world *world);

#endif
