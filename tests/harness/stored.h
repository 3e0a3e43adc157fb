/* stored.h - stored values for tests of the replicated state. */
#ifndef CONCLAVE_HARNESS_STORED_H
#define CONCLAVE_HARNESS_STORED_H

#include "nodes/core/state/state.h"

/* Applies the entries of a value of two segments, which an open job names, and of one that is only
 * begun. */
void stored_fill(struct state *state, term_t term);

#endif
