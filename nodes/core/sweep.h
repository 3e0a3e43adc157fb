/* sweep.h - which values on this node's disk its state still names, and the removal of the others.
 *
 * There is one rule (sweep_names()) and one way (list the disk, forget what is not named): no other
 * part of a core removes a kept value. All of the disk is listed at start, when a term begins,
 * after an install, and every SWEEP_EVERY_US; a job's own values when it ends or is forgotten.
 *
 * A value that the applied state does not name is never named again: what is committed only goes
 * forward. So a sweep needs no lock, and a node that asks for such a value can be told that it is
 * used up (node_is_done_with()). */
#ifndef CONCLAVE_CORE_SWEEP_H
#define CONCLAVE_CORE_SWEEP_H

#include "nodes/core/state.h"

/* True while the value must stay on disk: it is in the frontier of an unfinished job or the result
 * of a finished one, or may still become so; or it is a snapshot of this node. */
bool sweep_names(const struct node *node, struct value_id id);

/* Sweeps all; sweeps the values of one job. */
void sweep_all(struct node *node);
void sweep_job(struct node *node, job_id_t job);

/* EVENT_VALUES_LISTED. */
void sweep_listed(struct node *node, const struct value_id *ids, size_t n, bool end);

/* Begins what is due. */
void sweep_pump(struct node *node);

#endif
