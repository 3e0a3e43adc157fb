/* job_id.h - the ids of jobs and sessions: what the log entry that made one has as term and index,
 * in one number that grows with the log, and that no two entries share.
 *
 *   id = (term, JOB_TERM_MAX at most) * 2^40 + index
 *
 * While terms are below JOB_TERM_MAX and indexes below 2^40 the two can be read from it. Beyond,
 * which takes centuries (limits.h), the number is no longer read, but ids still grow: the term of
 * a later entry is never lower, and its index is higher. */
#ifndef CONCLAVE_BASE_JOB_ID_H
#define CONCLAVE_BASE_JOB_ID_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

#define JOB_INDEX_MASK (((uint64_t)1 << JOB_INDEX_BITS) - 1)

/* The greatest index adds LOG_INDEX_MAX >> 40 = 2^13 - 1 to the upper 24 bits. */
#define JOB_TERM_MAX (((uint64_t)1 << (64 - JOB_INDEX_BITS)) - ((uint64_t)1 << 13))

static inline job_id_t job_id_of(term_t term, log_index_t index)
{
    return ((term < JOB_TERM_MAX ? term : JOB_TERM_MAX) << JOB_INDEX_BITS) + index;
}

/* The index of the entry that made it, given one that is less than 2^39 entries away: the last that
 * was applied. */
static inline log_index_t job_id_index(job_id_t job, log_index_t applied)
{
    uint64_t back = (applied - job) & JOB_INDEX_MASK;
    bool is_before = back <= applied && back <= JOB_INDEX_MASK / 2;
    return is_before ? applied - back : applied + ((job - applied) & JOB_INDEX_MASK);
}

/* Made in that term, as far as the id tells. */
static inline bool job_id_is_of(job_id_t job, term_t term, log_index_t applied)
{
    return job == job_id_of(term, job_id_index(job, applied));
}

/* Entries name only values of jobs, whose ids have a term; a snapshot's values have none. */
static inline bool job_id_has_term(job_id_t job)
{
    return job >> JOB_INDEX_BITS != 0;
}

#endif
