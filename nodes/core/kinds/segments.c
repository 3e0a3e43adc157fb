#include "nodes/core/kinds/segments.h"

#include <inttypes.h>

#include "shared/base/error.h"
#include "shared/base/packed.h"

int segments_check(const struct plan *plan, const struct plan_input *input, struct text *why)
{
    uint64_t segments = input->segments, integers = input->items;
    if (segments > PLAN_LEAVES_MAX || segments > integers || !segments != !integers) {
        text_add(why,
                 "%s: %" PRIu64 " integers cannot be in %" PRIu64
                 " segments; a segment has one or more, and there are %d segments at most",
                 plan->kind->name, integers, segments, PLAN_LEAVES_MAX);
        return ERR_RANGE;
    }
    if (integers <= input->bytes / packed_bytes(0) && input->bytes <= VALUE_BYTES_MAX)
        return OK;
    text_add(why, "%s: %" PRIu64 " integers cannot have %" PRIu64 " bytes", plan->kind->name,
             integers, input->bytes);
    return ERR_RANGE;
}

uint64_t segment_bytes(uint64_t segments, uint64_t bytes)
{
    return bytes / (segments ? segments : 1) + 1;
}
