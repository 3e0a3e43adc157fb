/* holding.h - keeps the values that a worker holds within --memory-limit: what is needed latest
 * goes to disk, and comes back when an operation takes it.
 *
 * Beyond the limit are the operands of the operation under way and its result. Operations that fit
 * in below it together with all that is held are executed at the same time; above it one is. */
#ifndef CONCLAVE_CORE_HOLDING_H
#define CONCLAVE_CORE_HOLDING_H

#include "nodes/core/worker/work.h"

/* A value is in memory, from now on held for others. `copy`: they look for it elsewhere. */
void holding_take(struct worker *worker, struct value_id id, uint64_t len, bool copy);

/* A value that is held came into memory once more, and is not needed there. */
void holding_came_again(struct worker *worker, struct value_id id);

/* Lets go of a value, whether it is held or being fetched; of all of a job, or (JOB_NONE) of all.
 */
void holding_drop(struct worker *worker, struct value_id id);
void holding_drop_job(struct worker *worker, job_id_t job);

/* Spills what is too much. Where that is not possible, what was not begun is given back. */
void holding_relieve(struct worker *worker);

/* True when the operation, which waits for no other node, may have its operands in memory now:
 * those on disk are being read from here on. Stays true. */
bool holding_begin(struct worker *worker, struct work *work);

/* It was begun: whether all its operands are in memory. */
bool holding_has_operands(const struct worker *worker, const struct work *work);

/* It leaves the queue. */
void holding_end(struct worker *worker, struct work *work);

/* When holding_relieve() has something to try again. */
uint64_t holding_deadline(const struct worker *worker);

#endif
