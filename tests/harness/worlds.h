/* worlds.h - the deterministic world as most tests of whole nodes have it. */
#ifndef CONCLAVE_HARNESS_WORLDS_H
#define CONCLAVE_HARNESS_WORLDS_H

#include "tests/sim/world.h"

/* A quick network and quick disks, no trouble. STORY=1 in the environment tells what happens. */
struct world_options worlds_usual(uint64_t seed, uint32_t n_nodes);

/* Makes that world (or another one), starts its nodes and runs it for a second. Caller frees it. */
struct world *worlds_begin(uint64_t seed, uint32_t n_nodes);
struct world *worlds_begin_with(struct world_options options);

/* Starts all its nodes. */
void worlds_start(struct world *world);

/* For world_run_until(): some coordinator serves; the first asker has its answer. */
bool worlds_serves(const struct world *world);
bool worlds_is_answered(const struct world *world);

#endif
