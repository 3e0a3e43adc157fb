/* inside.h - the rooms of a whole node, for tests that look at what its outputs do not tell.
 *
 * What struct node consists of is known to node.c, to messages.c and here. A test that looks into a
 * room includes that room's door. All pointers are borrowed, and last as long as the node. */
#ifndef CONCLAVE_HARNESS_INSIDE_H
#define CONCLAVE_HARNESS_INSIDE_H

#include "nodes/core/node.h"

const struct step *inside_step(const struct node *node);
const struct links *inside_links(const struct node *node);
const struct raft *inside_raft(const struct node *node);
const struct state *inside_state(const struct node *node);
const struct schedule *inside_schedule(const struct node *node);
const struct worker *inside_worker(const struct node *node);
const struct ledger *inside_ledger(const struct node *node);
const struct snapshots *inside_snapshots(const struct node *node);
const struct service *inside_service(const struct node *node);

/* For tests that begin with a room as a long life has left it. */
struct raft *inside_raft_to_change(struct node *node);
struct state *inside_state_to_change(struct node *node);
struct ledger *inside_ledger_to_change(struct node *node);

#endif
