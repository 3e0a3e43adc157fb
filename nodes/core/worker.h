/* worker.h - what a node does with the operations that the coordinator hands to it.
 *
 *   waiting (operands are fetched) --> ready --> computing --> returned */
#ifndef CONCLAVE_CORE_WORKER_H
#define CONCLAVE_CORE_WORKER_H

#include "nodes/core/state.h"

/* A task message of the coordinator. */
void worker_task(struct node *node, node_id_t from, const struct message *message);

/* The coordinator ended a job: drop its values and what is queued of it. */
void worker_release(struct node *node, job_id_t job);

void worker_computed(struct node *node, const struct computed *results, size_t n);

/* A fetched operand is there, or cannot be had from that node. */
void worker_value_ready(struct node *node, struct value_id id);
void worker_value_failed(struct node *node, struct value_id id, node_id_t from);

/* Another term's coordinator begins: nothing of an older one's work counts. */
void worker_reset(struct node *node, term_t term);

/* Hands ready operations to the compute thread. */
void worker_pump(struct node *node);

void worker_clear(struct node *node);
void worker_check_invariants(const struct node *node);

#endif
