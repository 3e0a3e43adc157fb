#include "nodes/core/kinds/segments.h"

#include <inttypes.h>

#include "shared/base/error.h"

int segments_check(const struct plan *plan, uint64_t segments, uint64_t integers, struct text *why)
{
    if (segments <= PLAN_LEAVES_MAX && segments <= integers && !segments == !integers)
        return OK;
    text_add(why,
             "%s: %" PRIu64 " integers cannot be in %" PRIu64
             " segments; a segment has one or more, and there are %d segments at most",
             plan->kind->name, integers, segments, PLAN_LEAVES_MAX);
    return ERR_RANGE;
}

uint64_t segments_bytes(uint64_t segments)
{
    return segments < UINT64_MAX / SEGMENT_BYTES_MAX ? segments * SEGMENT_BYTES_MAX + 1
                                                     : UINT64_MAX / 8;
}
