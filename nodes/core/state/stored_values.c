#include "nodes/core/state/stored_values.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "nodes/core/state/stored_values_internal.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* --- finding --- */

size_t stored_values_after(const struct stored_values *stored, job_id_t after)
{
    size_t low = 0, high = stored->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stored->at[middle]->id > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct stored_value *stored_values_find(const struct stored_values *stored, job_id_t id)
{
    size_t at = id ? stored_values_after(stored, id - 1) : stored->n;
    return at < stored->n && stored->at[at]->id == id ? stored->at[at] : NULL;
}

struct stored_value *stored_values_find_same(const struct stored_values *stored, struct slice owner,
                                             struct slice sha256, struct slice format)
{
    for (size_t i = 0; i < stored->n; i++) {
        struct stored_value *value = stored->at[i];
        if (sha256.len == HASH_BYTES && !memcmp(value->sha256, sha256.at, HASH_BYTES) &&
            slice_equals(owner, value->owner) && slice_equals(format, value->format))
            return value;
    }
    return NULL;
}

bool stored_values_have(const struct stored_values *stored, const struct wire_value_ref *inputs,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct stored_value *value = stored_values_find(stored, inputs[i].value);
        if (!value || !value->whole)
            return false;
    }
    return true;
}

bool stored_value_has_operator(const struct stored_value *value)
{
    return value->name[0] && slice_equals(slice_of(value->format), "operator");
}

bool stored_values_mean(const struct stored_values *stored, const struct stored_value *value)
{
    if (!value->whole || !stored_value_has_operator(value))
        return false;
    for (size_t at = stored_values_after(stored, value->id); at < stored->n; at++) {
        const struct stored_value *later = stored->at[at];
        if (later->whole && stored_value_has_operator(later) && !strcmp(later->name, value->name) &&
            !strcmp(later->owner, value->owner))
            return false;
    }
    return true;
}

uint64_t stored_value_age_ms(const struct stored_values *stored, const struct stored_value *value)
{
    return value->n_jobs ? 0 : stored->clock_ms - value->since_ms;
}

const struct stored_segment *stored_value_segment(const struct stored_value *value, op_id_t op)
{
    uint64_t segment = op & (((op_id_t)1 << VALUE_SEGMENT_BITS) - 1);
    if (!segment || segment > value->n_segments || value->segments[segment - 1].op != op)
        return NULL;
    return &value->segments[segment - 1];
}

bool stored_value_names(const struct stored_value *value, op_id_t op)
{
    uint64_t segment = op & (((op_id_t)1 << VALUE_SEGMENT_BITS) - 1);
    return stored_value_segment(value, op) || (segment > value->n_segments && !value->whole);
}

bool stored_format_is_known(struct slice format)
{
    return slice_equals(format, "bytes") || slice_equals(format, "integers") ||
           slice_equals(format, "tasks") || slice_equals(format, "parts") ||
           slice_equals(format, "operator");
}

/* --- who names what --- */

void stored_values_name(struct stored_values *stored, job_id_t id, job_id_t job)
{
    struct stored_value *value = stored_values_find(stored, id);
    if (!value)
        return;
    if (value->n_jobs == value->jobs_size) {
        value->jobs_size = value->jobs_size ? 2 * value->jobs_size : 4;
        value->jobs = mem_grow(value->jobs, value->jobs_size, sizeof *value->jobs);
    }
    stored->unnamed -= !value->n_jobs;
    value->jobs[value->n_jobs++] = job;
}

void stored_values_unname(struct stored_values *stored, job_id_t id, job_id_t job)
{
    struct stored_value *value = stored_values_find(stored, id);
    size_t at = 0;
    while (value && at < value->n_jobs && value->jobs[at] != job)
        at++;
    if (!value || at == value->n_jobs)
        return;
    memmove(&value->jobs[at], &value->jobs[at + 1], (--value->n_jobs - at) * sizeof *value->jobs);
    if (value->n_jobs)
        return;
    row_changes(stored->watch, TABLE_STORED, &value->row);
    value->since_ms = stored->clock_ms;
    stored->unnamed++;
}

/* --- rows --- */

static void settle(struct stored_values *stored, job_id_t id)
{
    if (stored->n_settled == stored->settled_size) {
        stored->settled_size = stored->settled_size ? 2 * stored->settled_size : 4;
        stored->settled = mem_grow(stored->settled, stored->settled_size, sizeof *stored->settled);
    }
    stored->settled[stored->n_settled++] = id;
}

job_id_t stored_values_settled(struct stored_values *stored)
{
    return stored->n_settled ? stored->settled[--stored->n_settled] : JOB_NONE;
}

struct stored_value *stored_values_insert(struct state *state, job_id_t id, struct slice owner,
                                          uint64_t len)
{
    struct stored_values *stored = &state->stored;
    struct stored_value *value = mem_new(1, sizeof *value);
    if (stored->n == stored->size) {
        stored->size = stored->size ? 2 * stored->size : 16;
        stored->at = mem_grow(stored->at, stored->size, sizeof(struct stored_value *));
    }
    size_t at = stored_values_after(stored, id); /* from a checkpoint they may come in any order */
    memmove(&stored->at[at + 1], &stored->at[at],
            (stored->n++ - at) * sizeof(struct stored_value *));
    stored->at[at] = value;
    stored->unnamed++;
    value->id = id;
    value->len = len;
    text_copy(value->owner, sizeof value->owner, owner);
    job_owners_add_value(&state->jobs.owners, value->owner, len);
    row_is_made(stored->watch, TABLE_STORED, &value->row);
    return value;
}

void stored_value_add(struct stored_value *value, const struct stored_segment *segment)
{
    if (value->n_segments == value->segments_size) {
        value->segments_size = value->segments_size ? 2 * value->segments_size : 4;
        value->segments = mem_grow(value->segments, value->segments_size, sizeof *value->segments);
    }
    value->segments[value->n_segments++] = *segment;
    value->bytes += segment->len;
    value->items += segment->items;
}

void stored_value_free(struct stored_value *value)
{
    free(value->segments);
    free(value->jobs);
    free(value);
}

/* --- entries --- */

static void apply_begun(struct state *state, job_id_t id,
                        const struct wire_entry_value_begun *entry)
{
    struct stored_values *stored = &state->stored;
    struct stored_value *value =
        stored_values_find_same(stored, entry->owner, entry->sha256, entry->format);
    if (value) {
        row_changes(stored->watch, TABLE_STORED, &value->row);
        value->since_ms = stored->clock_ms;
        return;
    }
    if (stored->n >= VALUES_MAX)
        return;
    value = stored_values_insert(state, id, entry->owner, entry->len);
    text_copy(value->name, sizeof value->name, entry->name);
    text_copy(value->format, sizeof value->format, entry->format);
    memcpy(value->sha256, entry->sha256.at, HASH_BYTES);
    value->begun_ms = entry->time_ms;
    value->since_ms = stored->clock_ms;
}

static void apply_segment(struct stored_values *stored,
                          const struct wire_entry_value_segment *entry)
{
    struct stored_value *value = stored_values_find(stored, entry->value);
    struct stored_segment segment = {.op = entry->op, .len = entry->len, .items = entry->items};
    if (!value || value->whole || entry->segment != value->n_segments + 1 ||
        entry->len > value->len - value->bytes)
        return;
    memcpy(segment.sha256, entry->sha256.at, HASH_BYTES);
    row_changes(stored->watch, TABLE_STORED, &value->row);
    stored_value_add(value, &segment);
    value->since_ms = stored->clock_ms;
}

static void apply_whole(struct stored_values *stored, job_id_t id)
{
    struct stored_value *value = stored_values_find(stored, id);
    if (!value || value->whole || value->bytes != value->len)
        return;
    row_changes(stored->watch, TABLE_STORED, &value->row);
    value->whole = true;
    settle(stored, id); /* what tries have left that came to nothing */
}

/* A job may name it by now: then it stays. */
static void drop(struct state *state, job_id_t id)
{
    struct stored_values *stored = &state->stored;
    struct stored_value *value = stored_values_find(stored, id);
    if (value && value->n_jobs && stored_value_has_operator(value)) {
        row_changes(stored->watch, TABLE_STORED, &value->row);
        value->name[0] = '\0';
    }
    if (!value || (value->n_jobs && !MUTANT(named_value_dropped)))
        return;
    for (size_t i = 0; i < value->n_segments; i++)
        released_add(&state->released, (struct value_id){id, value->segments[i].op},
                     value->segments[i].len);
    row_goes(stored->watch, TABLE_STORED, &value->row);
    job_owners_drop_value(&state->jobs.owners, value->owner, value->len);
    size_t at = stored_values_after(stored, id) - 1;
    memmove(&stored->at[at], &stored->at[at + 1],
            (--stored->n - at) * sizeof(struct stored_value *));
    stored->unnamed -= !value->n_jobs;
    stored_value_free(value);
    settle(stored, id);
}

bool stored_values_check(const struct message *entry)
{
    switch (entry->type) {
    case MESSAGE_ENTRY_VALUE_BEGUN:
        return entry->as.entry_value_begun.sha256.len == HASH_BYTES &&
               stored_format_is_known(entry->as.entry_value_begun.format) &&
               text_is_utf8(entry->as.entry_value_begun.name);
    case MESSAGE_ENTRY_VALUE_SEGMENT:
        return entry->as.entry_value_segment.sha256.len == HASH_BYTES &&
               entry->as.entry_value_segment.segment && entry->as.entry_value_segment.len &&
               (entry->as.entry_value_segment.op & (((op_id_t)1 << VALUE_SEGMENT_BITS) - 1)) ==
                   entry->as.entry_value_segment.segment;
    case MESSAGE_ENTRY_VALUE_WHOLE:
    case MESSAGE_ENTRY_VALUE_DROPPED:
    case MESSAGE_ENTRY_VALUE_AGED:
        return true;
    default:
        return false;
    }
}

struct job *stored_values_apply(struct state *state, log_index_t index, term_t term,
                                const struct message *entry)
{
    struct stored_values *stored = &state->stored;
    switch (entry->type) {
    case MESSAGE_ENTRY_VALUE_BEGUN:
        apply_begun(state, job_id_of(term, index), &entry->as.entry_value_begun);
        break;
    case MESSAGE_ENTRY_VALUE_SEGMENT:
        apply_segment(stored, &entry->as.entry_value_segment);
        break;
    case MESSAGE_ENTRY_VALUE_WHOLE:
        apply_whole(stored, entry->as.entry_value_whole.value);
        break;
    case MESSAGE_ENTRY_VALUE_DROPPED:
        for (size_t i = 0; i < entry->as.entry_value_dropped.values.n; i++)
            drop(state, entry->as.entry_value_dropped.values.at[i].value);
        break;
    case MESSAGE_ENTRY_VALUE_AGED:
        stored->clock_ms += entry->as.entry_value_aged.elapsed_ms;
        break;
    default:
        break;
    }
    return NULL;
}
