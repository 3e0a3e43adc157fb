/* shared.h - keys that several clients of the simulated world use: for the same thing, or, by
 * mistake, for another. Whoever comes first decides what the key is, and all others get that (R28).
 */
#ifndef CONCLAVE_SIM_SHARED_H
#define CONCLAVE_SIM_SHARED_H

#include "tests/sim/world.h"

/* From now on clients share keys. */
void shared_open(struct world *world);
void shared_free(struct world_shared **shared);

/* Draws a key for a client, of a job or of a snap, and the argument that it asks for; writes the
 * key. Returns its number. */
unsigned shared_draw(struct world *world, unsigned client, bool snap, uint64_t n_max, uint64_t *n,
                     char key[JOB_KEY_MAX + 1]);

/* What was answered about it to a request that was sent at asked_us. Returns the argument of the
 * job that the key is. */
uint64_t shared_job(struct world *world, unsigned number, const struct wire_job_row *row,
                    uint64_t asked_us);
void shared_snap(struct world *world, unsigned number, uint64_t snapshot, uint64_t asked_us);

/* Somebody was told that what became of the key is forgotten. */
void shared_is_forgotten(struct world *world, unsigned number);

/* Different jobs that clients heard of. */
uint64_t shared_jobs(const struct world *world);

#endif
