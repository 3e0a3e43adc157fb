/* scenario.h - what a seed draws before anything happens: the size of the cluster, its times, its
 * limits, and how often single messages, writes and fetches fail. */
#ifndef CONCLAVE_SIM_SCENARIO_H
#define CONCLAVE_SIM_SCENARIO_H

#include "tests/sim/world.h"

/* Fills world->options. */
void scenario_draw(struct world *world);

/* Draws a number between low (> 0) and high, every order of magnitude alike. */
uint64_t scenario_scale(struct world *world, uint64_t low, uint64_t high);

/* Draws what clients ask for; returns how many there are. */
unsigned scenario_clients(struct world *world);

#endif
