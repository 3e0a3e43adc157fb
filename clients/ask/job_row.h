/* job_row.h - what is read off a job's row. Pure. */
#ifndef CONCLAVE_CLIENTS_JOB_ROW_H
#define CONCLAVE_CLIENTS_JOB_ROW_H

#include <string.h>

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* Nothing about it changes any more, but that it may be forgotten. */
static inline bool job_is_finished(const struct wire_job_row *row)
{
    return slice_equals(row->state, "done") || slice_equals(row->state, "failed") ||
           slice_equals(row->state, "cancelled");
}

/* Whether a text from outside names a state of jobs. */
static inline bool job_state_is_known(const char *text)
{
    static const char *const states[] = {"queued", "running", "done", "failed", "cancelled"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!strcmp(text, states[i]))
            return true;
    return false;
}

#endif
