/* worker.h - what a node does with the operations that the coordinator hands to it.
 *
 *   waiting (operands are fetched) --> ready --> computing --> returned */
#ifndef CONCLAVE_CORE_WORKER_H
#define CONCLAVE_CORE_WORKER_H

#include "nodes/core/state.h"

/* A task message of the coordinator. */
void worker_task(struct node *node, node_id_t from, const struct message *message);

/* The coordinator ended a job, or (op not 0) an operation of it: drop its values and what is queued
 * of it. */
void worker_release(struct node *node, node_id_t from, job_id_t job, op_id_t op);

/* The operation that the compute thread executes; op 0: none. */
struct value_id worker_executing(const struct node *node);

/* True when the values held here take more memory than they may. */
bool worker_is_pressed(const struct node *node);

void worker_computed(struct node *node, const struct computed *results, size_t n);

/* A fetched operand is there, or cannot be had. */
void worker_value_ready(struct node *node, struct value_id id);
void worker_value_failed(struct node *node, struct value_id id);

/* Gives back what has waited for operands beyond its deadline. */
void worker_tick(struct node *node);

/* Another term's coordinator begins: nothing of an older one's work counts. */
void worker_reset(struct node *node, term_t term);

/* Hands ready operations to the compute thread. */
void worker_pump(struct node *node);

void worker_clear(struct node *node);
void worker_check_invariants(const struct node *node);

/* Calls `each` for every operation that waits or is executed here. */
void worker_each(const struct node *node,
                 void (*each)(void *context, struct value_id id, uint64_t attempt), void *context);

#endif
