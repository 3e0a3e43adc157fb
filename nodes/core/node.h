/* node.h - the whole brain of a node behind one door: node_step(event) -> outputs.
 *
 * Pure: no socket, disk, clock, thread or randomness. Time, randomness and every result of the
 * outside come in with events; everything that the outside must do goes out as outputs, in order.
 * The same object code runs in conclave-node and, many times over, in tests. */
#ifndef CONCLAVE_CORE_NODE_H
#define CONCLAVE_CORE_NODE_H

#include "nodes/core/step/config.h"
#include "nodes/core/step/event.h"
#include "nodes/core/step/output.h"

/* --- the door --- */

struct node;

/* Makes a node from what its disk remembers. Borrows config's strings. Caller destroys. */
struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us);

/* Gives back the parts of the checkpoint from disk, in order, before any entry. ERR_CORRUPT
 * when one does not fit what came before. */
int node_restore_part(struct node *node, struct slice part);

/* Gives back one entry of the log from disk, in order of index without gaps, after the full
 * checkpoint, before the first step. ERR_CORRUPT when it does not fit what came before. */
int node_restore_entry(struct node *node, log_index_t index, term_t term, struct blob *entry);

/* Gives back one record from disk, in the order of keys, after the log, before the first step.
 * ERR_CORRUPT when it does not fit what came before. */
int node_restore_record(struct node *node, struct slice key, struct slice value);

/* All was given back. ERR_CORRUPT when something is missing. */
int node_restore_end(struct node *node);

void node_destroy(struct node **node);

/* Takes one event in, returns what the outside must do about it. */
struct node_outputs node_step(struct node *node, const struct event *event);

/* When the next EVENT_TICK is due, in the clock of now_us. */
uint64_t node_deadline(const struct node *node);

/* True while this node is a coordinator that serves. */
bool node_coordinates(const struct node *node);

/* The list of keys that are allowed, as the log has it: its version, 0 when there is none, and its
 * bytes (borrowed). */
uint64_t node_access_list(const struct node *node, struct slice *bytes);

/* True when this node knows that nobody needs the value of entry `index` any more: it has applied
 * that entry, and what it has applied since does not name the value. */
bool node_is_done_with(const struct node *node, struct value_id id, log_index_t index);

/* True while a value must stay on this node's disk (sweep.h). */
bool node_names(const struct node *node, struct value_id id);

/* True when a HELLO of that incarnation is not to be taken for the node's: another one of the same
 * id is heard, and its connection stands. `refusal`, when not NULL, gets the
 * answer (caller drops). */
bool node_refuses(const struct node *node, node_id_t from, incarnation_t incarnation,
                  struct message **refusal);

/* Panics when the state is inconsistent; tests call it after every step. */
void node_check_invariants(const struct node *node);

#endif
