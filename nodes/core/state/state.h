/* state.h - the replicated state: what the log's entries make, the same on all nodes.
 *
 * The door of the room: what others may use of it. */
#ifndef CONCLAVE_CORE_STATE_H
#define CONCLAVE_CORE_STATE_H

#include "nodes/core/state/apply.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/compare.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/state/state_machine.h"
#include "nodes/core/state/state_types.h"

#endif
