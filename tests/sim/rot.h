/* rot.h - values on a disk whose files are gone, cut short, or no longer what was written.
 *
 * The record of the value is still there, so the disk lists it. As in the store
 * (nodes/io/disk_values.c) the record has the length and the hash of what was written: a look at
 * the file tells whether it is there and long enough, only a read tells whether it has rotted. What
 * finds it is what finds it in the runtime (loop.c, serve.c): a client's read, a peer's fetch, the
 * scrub, which restarts at each start; the core is told, and repairs it (R37).
 *
 * The account: a file is damaged only while a node that runs has a sound copy that its state names,
 * and the disk with the last sound copy of what another has lost is not wiped (rot_may_wipe()). So
 * there is always somebody to repair it from. */
#ifndef CONCLAVE_SIM_ROT_H
#define CONCLAVE_SIM_ROT_H

#include "tests/sim/world.h"

/* Now and then, in some seeds: within this time files of some node are damaged. */
void rot_trouble(struct world *world, uint64_t within_us);

/* PENDING_ROT. */
void rot_strike(struct world *world, node_id_t id);

/* The disk of a node comes back: files may be damaged since, and the scrub begins. */
void rot_start(struct world *world, node_id_t id);

/* False: the only sound copy of what another disk has lost is on this one. */
bool rot_may_wipe(const struct world *world, node_id_t id);

/* True when nothing that a node's state names is damaged. */
bool rot_is_repaired(const struct world *world);

/* Borrows the value, as it can be read from disk; NULL: it is not there, or damaged. */
struct blob *rot_read(const struct world_node *node, struct value_id id);

/* True when there is a record of the value, but no reading it. */
bool rot_is_damaged(const struct world_node *node, struct value_id id);

/* Borrows what a look finds, without reading it: of the length that was written; NULL: nothing. */
struct blob *rot_look(const struct world_node *node, struct value_id id);

/* The value was written again; all are forgotten with their disk. */
void rot_mend(struct world_node *node, struct value_id id);
void rot_forget(struct world_node *node);

/* A read of it failed: the core is told. */
void rot_found(struct world *world, node_id_t id, struct value_id value);

/* PENDING_SCRUB. */
void rot_scrub(struct world *world, node_id_t id);

#endif
