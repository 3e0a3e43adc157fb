/* log_limit.h - lines of one kind that others can cause, at most so many in a second: strangers
 * must not fill the log. What is left out is counted, and the count is told with the next line. */
#ifndef CONCLAVE_BASE_LOG_LIMIT_H
#define CONCLAVE_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/limits.h"

/* Zero-initialize. */
struct log_limit {
    uint64_t since_us; /* when the present second began */
    uint64_t said;     /* in it */
    uint64_t unsaid;   /* since the last line that was written */
};

/* Whether a line may be written now: then *unsaid is how many were left out before it. */
static inline bool log_limit_allows(struct log_limit *limit, uint64_t now_us, uint64_t per_s,
                                    uint64_t *unsaid)
{
    *unsaid = limit->unsaid;
    if (now_us >= limit->since_us + SECOND_US) {
        limit->since_us = now_us;
        limit->said = 0;
    }
    if (limit->said >= per_s) {
        limit->unsaid++;
        return false;
    }
    limit->said++;
    limit->unsaid = 0;
    return true;
}

#endif
