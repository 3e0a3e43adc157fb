/* state_machine.h - the state as the log sees it (raft/machine.h), and as node.c's table of rooms
 * does. */
#ifndef CONCLAVE_CORE_STATE_MACHINE_H
#define CONCLAVE_CORE_STATE_MACHINE_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state_types.h"

/* Its `state` is a struct state, what its apply() returns the struct job that the entry made or
 * finished, NULL: none. */
extern const struct machine state_machine;

/* Its part of a snapshot; the room is a struct state. */
extern const struct participant state_participant;

/* An empty state, of a node that starts. */
void state_init(struct state *state, struct step *step);

/* Packs a slice of the checkpoints under way. */
void state_pump(struct state *state);
uint64_t state_deadline(const struct state *state);

static inline void state_tick(struct state *state)
{
    (void)state; /* nothing of it depends on time: it is the same on all nodes */
}

/* Frees it. Checkpoints under way are their owners' to end, before or after. */
void state_clear(struct state *state);
void state_check_invariants(const struct state *state);

#endif
