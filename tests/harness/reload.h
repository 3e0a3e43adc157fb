/* reload.h - a state as a node has it that starts on a checkpoint of it. */
#ifndef CONCLAVE_HARNESS_RELOAD_H
#define CONCLAVE_HARNESS_RELOAD_H

#include "nodes/core/state/state.h"

/* Saves the state in slices, while the step's time passes, and loads all parts into another one,
 * which is checked, and which the caller drops (checkpoint_scratch_drop()) or puts in its place. */
struct state *reload_state(struct step *step, struct state *state);

#endif
