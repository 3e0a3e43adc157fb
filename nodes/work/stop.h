/* stop.h - a flag that another thread sets when nobody wants what is being computed any more.
 *
 * One call of GMP cannot be interrupted, so whoever computes looks between two of them. */
#ifndef CONCLAVE_WORK_STOP_H
#define CONCLAVE_WORK_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/base/mutant.h"

typedef const atomic_bool stop_flag; /* behind a pointer; NULL: nobody will ever say so */

static inline bool stop_is_set(stop_flag *stop)
{
    return stop && atomic_load_explicit(stop, memory_order_relaxed) && !MUTANT(stop_ignored);
}

#endif
