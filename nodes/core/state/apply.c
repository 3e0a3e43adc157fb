/* What committed entries make of the state, and which values it names. */
#include <string.h>

#include "nodes/core/state/apply.h"
#include "nodes/core/state/keys_replicated.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

static void apply_snap(struct state *state, struct slice key)
{
    struct snap_key old;
    jobs_add_snap(&state->jobs, key, progress_snap(&state->progress));
    keys_use(&state->keys, key);
    while (jobs_forget_snap(&state->jobs, (size_t)state->keys.limits.snaps, &old))
        keys_forget(&state->keys, KEY_OF_SNAP, slice_of(old.key));
}

static void apply_progress(struct state *state, const struct message *entry)
{
    if (entry->type == MESSAGE_ENTRY_PROGRESS_SET)
        progress_set_state(&state->progress, entry->as.entry_progress_set.index,
                           entry->as.entry_progress_set.state);
    else if (entry->type == MESSAGE_ENTRY_PROGRESS_SNAPPED &&
             !jobs_find_snap(&state->jobs, entry->as.entry_progress_snapped.key, NULL))
        apply_snap(state, entry->as.entry_progress_snapped.key);
}

static void add_tallies(struct state *state, const struct message *entry)
{
    if (entry->type != MESSAGE_ENTRY_OPS_DONE && entry->type != MESSAGE_ENTRY_JOB_DONE)
        return;
    for (size_t i = 0; i < entry->as.done.tallies.n; i++) {
        const struct wire_tally *tally = &entry->as.done.tallies.at[i];
        if (tally->operations) /* SetState(idx, state), first seed */
            progress_set_state(&state->progress, tally->node,
                               progress_now(&state->progress, tally->node) + tally->operations);
    }
}

struct job *state_apply(struct state *state, log_index_t index, term_t term,
                        const struct message *entry)
{
    if (jobs_is_open(&state->jobs, entry))
        add_tallies(state, entry);
    apply_progress(state, entry);
    struct job *job = jobs_apply(&state->jobs, index, term, entry);
    if (entry->type == MESSAGE_ENTRY_JOB_SUBMITTED)
        keys_use(&state->keys, entry->as.entry_job_submitted.key);
    else if (entry->type == MESSAGE_ENTRY_SESSION_OPENED)
        keys_apply_session(state, index, term, &entry->as.entry_session_opened);
    state->applied = index;
    state->applied_term = term;
    return job;
}

struct job *state_forget_one(struct state *state)
{
    size_t most = state->step->config.jobs_kept_max;
    struct job *job = jobs_forget_one(&state->jobs, most ? most : JOBS_KEPT_MAX);
    if (job)
        keys_forget(&state->keys, KEY_OF_JOB, slice_of(job->key));
    return job;
}

void state_entry_values(const struct message *entry, machine_value *each, void *context)
{
    if (entry->type != MESSAGE_ENTRY_OPS_DONE && entry->type != MESSAGE_ENTRY_JOB_DONE)
        return;
    const struct wire_done *done = &entry->as.done;
    for (size_t i = 0; i < done->ops.n; i++)
        if (done->ops.at[i].len && !done->ops.at[i].frame)
            each(context, NODE_NONE, (struct value_id){done->job, done->ops.at[i].op},
                 done->ops.at[i].len, done->ops.at[i].hash);
}

/* --- which values are named --- */

/* True when the log says that what used the value is done. */
static bool is_covered(const struct job *job, op_id_t op)
{
    if (op > job->plan.total)
        return false;
    while (job->live.count && (op = plan_consumer(&job->plan, op)))
        if (map_get(&job->live, (struct map_key){op, 0}))
            return true;
    return false;
}

bool state_names(const struct state *state, struct value_id id)
{
    const struct job *job = jobs_find(&state->jobs, id.job);
    if (!job) /* forgotten, or of an entry that was cut off; or one that is not applied yet */
        return (id.job & LOG_INDEX_MAX) > state->applied;
    if (job_is_finished(job) || MUTANT(value_collected_too_early))
        return job_needs(job, id.op);
    return job_needs(job, id.op) || !is_covered(job, id.op);
}

bool state_describes(const struct state *state, struct value_id id, uint64_t *len,
                     uint8_t hash[HASH_BYTES])
{
    const struct job *job = jobs_find(&state->jobs, id.job);
    if (!job)
        return false;
    const struct done_op *done = map_get(&job->live, (struct map_key){id.op, 0});
    bool result = job->state == JOB_DONE && id.op == job_text_op(job);
    if (!result && (!done || done->value))
        return false;
    *len = result ? job->digits : done->len;
    memcpy(hash, result ? job->sha256 : done->hash, HASH_BYTES);
    return true;
}
