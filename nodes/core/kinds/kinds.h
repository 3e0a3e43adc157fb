/* kinds.h - what a job is, as a plan of operations.
 *
 * The door of the room. */
#ifndef CONCLAVE_CORE_KINDS_H
#define CONCLAVE_CORE_KINDS_H

#include "nodes/core/kinds/plan.h"

#endif
