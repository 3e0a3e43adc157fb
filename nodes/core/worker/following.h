/* following.h - operations that wait for operations before them in the queue, which make their
 * operands (schedule/follow.h). */
#ifndef CONCLAVE_CORE_FOLLOWING_H
#define CONCLAVE_CORE_FOLLOWING_H

#include "nodes/core/worker/work.h"

/* The first operation that it follows and that is not in the queue; 0: all of them are. */
op_id_t following_lacks(const struct worker *worker, const struct work *work);

/* An operation is executed: its short value is at hand, a longer one is held here by now; or it
 * has failed. */
void following_supply(struct worker *worker, const struct computed *computed);

/* An operation left the queue unfinished, or has failed: what follows it is stranded ... */
void following_strand(struct worker *worker, struct value_id id);

/* ... and goes back to the coordinator here, when no walk through the queue is under way. */
void following_return(struct worker *worker);

#endif
