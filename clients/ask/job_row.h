/* job_row.h - what is read off a job's row. Pure. */
#ifndef CONCLAVE_CLIENTS_JOB_ROW_H
#define CONCLAVE_CLIENTS_JOB_ROW_H

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* Nothing about it changes any more, but that it may be forgotten. */
static inline bool job_is_finished(const struct wire_job_row *row)
{
    return slice_equals(row->state, "done") || slice_equals(row->state, "failed") ||
           slice_equals(row->state, "cancelled");
}

#endif
