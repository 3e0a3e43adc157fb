#include "shared/base/quorum.h"

#include "shared/base/limits.h"

uint32_t quorum_voters_default(uint64_t n_nodes)
{
    return (uint32_t)(n_nodes < VOTERS_DEFAULT_MAX ? n_nodes : VOTERS_DEFAULT_MAX);
}

uint32_t quorum_of(uint32_t n_voters)
{
    return n_voters / 2 + 1;
}

/* There are few voters, and they are nearly in order from one time to the next. */
static void sort_descending(uint64_t *values, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        uint64_t value = values[i];
        uint32_t at = i;
        for (; at && values[at - 1] < value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

uint64_t quorum_reached(uint64_t *reached, uint32_t n_voters)
{
    sort_descending(reached, n_voters);
    return n_voters ? reached[quorum_of(n_voters) - 1] : 0;
}
