/* What committed entries make of the state, and which values it names. */
#include <string.h>

#include "nodes/core/state/apply.h"
#include "nodes/core/state/state_table.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

bool state_entry_is_valid(const struct message *entry)
{
    bool valid = false;
    for (int i = 0; i < TABLE_COUNT && !valid; i++)
        valid = state_tables[i]->check && state_tables[i]->check(entry);
    return valid;
}

struct job *state_apply(struct state *state, log_index_t index, term_t term,
                        const struct message *entry)
{
    struct job *job = NULL;
    for (int i = 0; i < TABLE_COUNT; i++) {
        struct job *changed =
            state_tables[i]->apply ? state_tables[i]->apply(state, index, term, entry) : NULL;
        job = changed ? changed : job;
    }
    state->applied = index;
    state->applied_term = term;
    return job;
}

bool state_has_inputs(const struct state *state, const struct message *entry)
{
    const struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    return stored_values_have(&state->stored, submitted->inputs.at, submitted->inputs.n);
}

bool state_has_all_inputs(const struct state *state)
{
    for (size_t i = 0; i < state->jobs.n; i++) {
        const struct job *job = state->jobs.at[i];
        for (size_t k = 0; k < job->n_inputs; k++) {
            const struct stored_value *value = stored_values_find(&state->stored, job->inputs[k]);
            if (!value || !value->whole)
                return false;
        }
    }
    return true;
}

struct retention retention_of(const struct state *state)
{
    const struct node_config *config = &state->step->config;
    if (MUTANT(keeps_its_own) && config->keep_jobs)
        return (struct retention){config->keep_jobs, config->keep_bytes};
    if (state->retention.jobs)
        return state->retention;
    return (struct retention){config->jobs_kept_max ? config->jobs_kept_max : JOBS_KEPT_MAX,
                              UINT64_MAX};
}

bool retention_is_behind(const struct state *state)
{
    struct retention most = retention_of(state);
    return jobs_are_beyond(&state->jobs, (size_t)most.jobs, most.bytes);
}

struct job *state_forget_one(struct state *state)
{
    struct retention most = retention_of(state);
    struct job *job = jobs_forget_one(&state->jobs, (size_t)most.jobs, most.bytes);
    if (job && !(MUTANT(forgotten_executes) && job->leaves))
        keys_forget(&state->keys, KEY_OF_JOB, slice_of(job->key));
    for (size_t i = 0; job && i < job->n_inputs; i++)
        stored_values_unname(&state->stored, job->inputs[i], job->id);
    if (job)
        task_jobs_forget(&state->task_jobs, job->id, &state->released);
    return job;
}

void state_entry_values(const struct message *entry, machine_value *each, void *context)
{
    const struct wire_entry_value_segment *segment = &entry->as.entry_value_segment;
    if (entry->type == MESSAGE_ENTRY_VALUE_SEGMENT)
        each(context, NODE_NONE, (struct value_id){segment->value, segment->op}, segment->len,
             segment->sha256);
    task_jobs_entry_values(entry, each, context);
    if (!jobs_entry_is_done(entry))
        return;
    const struct wire_done *done = &entry->as.done;
    for (size_t i = 0; i < done->ops.n; i++)
        if (done->ops.at[i].len && !done->ops.at[i].frame)
            each(context, NODE_NONE, (struct value_id){done->job, done->ops.at[i].op},
                 done->ops.at[i].len, done->ops.at[i].hash);
}

/* --- which values are named --- */

bool state_names(const struct state *state, struct value_id id)
{
    const struct job *job = jobs_find(&state->jobs, id.job);
    const struct stored_value *value = job ? NULL : stored_values_find(&state->stored, id.job);
    if (value)
        return stored_value_names(value, id.op);
    if (!job) /* forgotten, or of an entry that was cut off; or one that is not applied yet */
        return job_id_index(id.job, state->applied) > state->applied;
    if (plan_tasks(&job->plan))
        return task_jobs_name(&state->task_jobs, id);
    if (job_is_finished(job) || MUTANT(value_collected_too_early))
        return job_needs(job, id.op);
    return job_needs(job, id.op) || !job_covers(job, id.op);
}

bool state_describes(const struct state *state, struct value_id id, uint64_t *len,
                     uint8_t hash[HASH_BYTES])
{
    const struct job *job = jobs_find(&state->jobs, id.job);
    const struct stored_value *value = job ? NULL : stored_values_find(&state->stored, id.job);
    const struct stored_segment *segment = value ? stored_value_segment(value, id.op) : NULL;
    if (segment) {
        *len = segment->len;
        memcpy(hash, segment->sha256, HASH_BYTES);
        return true;
    }
    if (!job)
        return false;
    if (plan_tasks(&job->plan))
        return task_jobs_describe(&state->task_jobs, id, len, hash);
    const struct done_op *done = map_get(&job->live, (struct map_key){id.op, 0});
    bool result = job->state == JOB_DONE && id.op == job_text_op(job);
    if (!result && (!done || done->value))
        return false;
    *len = result ? job->digits : done->len;
    memcpy(hash, result ? job->sha256 : done->hash, HASH_BYTES);
    return true;
}
