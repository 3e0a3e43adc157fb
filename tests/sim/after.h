/* after.h - what is looked at when all is healed and quiet: nobody lacks anything, and any minority
 * of the voters may stop. */
#ifndef CONCLAVE_SIM_AFTER_H
#define CONCLAVE_SIM_AFTER_H

#include "tests/sim/world.h"

/* True when the coordinator says so, too: all alive, none behind, as many may fail as can be. */
bool after_is_good(const struct world *world);

/* All that was asked for is done, the logs are equal, and both of the above and the next hold. */
bool after_is_settled(const struct world *world);

/* Runs until the condition holds (true), at most for so long (false). */
bool after_wait_for(struct world *world, bool (*condition)(const struct world *), uint64_t for_us);

/* Fails when the world has taken more steps than any story can. */
void after_check_circles(const struct world *world);

/* No job is open: a broker may have passed on a submit late. */
bool after_is_empty(const struct world *world);

/* Every node has the results that its state names on its disk, and can read them. */
void after_check_values(const struct world *world);

/* Stops a minority of the voters; false when there is none. after_job_done() must become true, then
 * all go on with world_heal(). */
bool after_stop_minority(struct world *world);
bool after_job_done(const struct world *world);

#endif
