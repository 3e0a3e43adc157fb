/* suspicion.h - operations that kill their worker (poison), and workers that fail fast.
 *
 * When a worker's process dies, the operation that it was executing is suspected; no other one of
 * its queue. But results may have been lost with it, so that the wrong one is thought to have been
 * executing: all that it had is handed out alone from then on, to idle workers that get nothing
 * beside it, and from the second death on there is no doubt. POISON_DEATHS deaths fail the job. */
#ifndef CONCLAVE_CORE_SUSPICION_H
#define CONCLAVE_CORE_SUSPICION_H

#include "nodes/core/schedule/assignments.h"

/* The worker's process has died; before its operations go to others. */
void suspicion_blame(struct schedule *schedule, node_id_t worker);

/* It had not died, or not of an operation: takes the last blame back. */
void suspicion_absolve(struct schedule *schedule, node_id_t worker);

/* The worker returned an error. It rests, longer with each one in a row; ERRORS_MAX workers that
 * refuse the same operation for good fail its job. */
void suspicion_error(struct schedule *schedule, node_id_t worker, struct open_op *open,
                     struct slice error, bool again);

/* A user's program has failed, or gave two results: its job fails at once. */
void suspicion_final(struct schedule *schedule, struct open_op *open, struct slice error);

/* True when the operation should rather go to others: the worker refused it. */
bool suspicion_avoids(const struct schedule *schedule, const struct open_op *open,
                      node_id_t worker);

#endif
