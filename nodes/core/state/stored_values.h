/* stored_values.h - the table of stored values: bytes that clients have uploaded, in segments.
 *
 *   begun --value_segment...--> begun --value_whole--> whole
 *      \---------------------------\----value_dropped----\--> gone
 *
 * A segment is a value like any other, on the disks before its entry commits; what is here says
 * which. A job names whole values as its inputs, from the entry that submits it until it is
 * forgotten. What no job names ages, by a clock that only entries move; whoever coordinates has it
 * dropped when it is old. */
#ifndef CONCLAVE_CORE_STORED_VALUES_H
#define CONCLAVE_CORE_STORED_VALUES_H

#include "nodes/core/state/row.h"
#include "nodes/core/step/step.h"

struct stored_segment {
    op_id_t op; /* with the value's id it names the bytes: stored_op() */
    uint64_t len, items;
    uint8_t sha256[HASH_BYTES];
};

struct stored_value {
    struct row row;
    job_id_t id;
    char owner[OWNER_MAX + 1]; /* the name of the key that began it; empty: without keys */
    char name[STORED_NAME_MAX + 1];
    char format[STORED_FORMAT_MAX + 1];
    uint8_t sha256[HASH_BYTES]; /* of all of it, as its client says */
    uint64_t len;               /* likewise */
    uint64_t bytes, items;      /* in its segments */
    uint64_t begun_ms;
    uint64_t since_ms; /* what the clock said when it was last begun, added to, or named */
    bool whole;
    struct stored_segment *segments; /* owned */
    size_t n_segments, segments_size;
    job_id_t *jobs; /* that name it; owned */
    size_t n_jobs, jobs_size;
};

/* Zero-initialize. */
struct stored_values {
    struct stored_value **at; /* in the order of their ids; owned */
    size_t n, size;
    size_t unnamed;    /* of them, by no job: these age */
    uint64_t clock_ms; /* the sum of all value_aged */
    /* Whole, or dropped, since stored_values_settled() was asked last: their disks are swept. */
    job_id_t *settled;
    size_t n_settled, settled_size;
    struct row_watch *watch; /* told before a value changes; NULL: nobody */
};

/* Names a segment's bytes: which segment, and the term whose coordinator stored it, so that what a
 * try left on a disk that was never committed is not taken for what came later. */
static inline op_id_t stored_op(term_t term, uint64_t segment)
{
    term_t most = OP_MAX >> VALUE_SEGMENT_BITS;
    return (op_id_t)(term % most) << VALUE_SEGMENT_BITS | segment;
}

/* The value; of one owner, with these bytes in that format; NULL: there is none. */
struct stored_value *stored_values_find(const struct stored_values *stored, job_id_t id);
struct stored_value *stored_values_find_same(const struct stored_values *stored, struct slice owner,
                                             struct slice sha256, struct slice format);

/* It is an operator that people call by its name. Dropping it takes the name at least: jobs that
 * name the value keep it. */
bool stored_value_has_operator(const struct stored_value *value);

/* True for the one that the name means: no later one of its owner has it. Such a one does not grow
 * old. */
bool stored_values_mean(const struct stored_values *stored, const struct stored_value *value);

/* The first one with an id greater than `after`, as an index into at[]; n when there is none. */
size_t stored_values_after(const struct stored_values *stored, job_id_t after);

/* For so long nobody has named it; 0 while a job does. */
uint64_t stored_value_age_ms(const struct stored_values *stored, const struct stored_value *value);

/* True when all that a job names is there and whole. */
bool stored_values_have(const struct stored_values *stored, const struct wire_value_ref *inputs,
                        size_t n);

/* A job names it; names it no more. An id that is not known is passed over. */
void stored_values_name(struct stored_values *stored, job_id_t id, job_id_t job);
void stored_values_unname(struct stored_values *stored, job_id_t id, job_id_t job);

/* The segment that those bytes are; NULL: they are none, or not yet. */
const struct stored_segment *stored_value_segment(const struct stored_value *value, op_id_t op);

/* True when those bytes are a segment, or may still become one. */
bool stored_value_names(const struct stored_value *value, op_id_t op);

/* Takes one that is settled; JOB_NONE: there is none. */
job_id_t stored_values_settled(struct stored_values *stored);

bool stored_format_is_known(struct slice format);

#endif
