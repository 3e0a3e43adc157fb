/* The jobs as a table of the state: a row is a job with its live results. */
#include <string.h>

#include "nodes/core/state/apply.h"
#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/state/state_table.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

static void watch(struct state *state, struct row_watch *watch)
{
    state->jobs.watch = watch;
    state->jobs.released = &state->released;
}

static void clear(struct state *state)
{
    jobs_clear(&state->jobs);
}

static void check_invariants(const struct state *state)
{
    jobs_check_invariants(&state->jobs);
}

/* The stored values know which jobs name them. */
static void name_inputs(struct state *state, const struct job *job)
{
    for (size_t i = 0; i < job->n_inputs; i++)
        stored_values_name(&state->stored, job->inputs[i], job->id);
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    if (entry->type == MESSAGE_ENTRY_JOB_SUBMITTED && !state_has_inputs(state, entry))
        return NULL;
    struct job *job = jobs_apply(&state->jobs, index, term, entry);
    if (job && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED)
        name_inputs(state, job);
    if (job && job_is_finished(job) && state->retention.jobs)
        jobs_ended(&state->jobs, job, index);
    return job;
}

/* --- checkpoints: jobs_checkpoint.c packs a job and takes it in --- */

static struct row *next(const struct state *state, uint64_t *cursor)
{
    size_t at = jobs_after(&state->jobs, *cursor);
    if (at == state->jobs.n)
        return NULL;
    *cursor = state->jobs.at[at]->id;
    return &state->jobs.at[at]->row;
}

static bool is_open(const struct row *row)
{
    return !job_is_finished((const struct job *)row);
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    (void)packed;
    if (part->type != MESSAGE_IMAGE_JOB)
        return jobs_load_ops(&state->jobs, part);
    int error = jobs_load_job(&state->jobs, &part->as.image_job, state->applied);
    if (!error)
        name_inputs(state, jobs_find(&state->jobs, part->as.image_job.jobs.at[0].job));
    return error;
}

static void want_values(const struct message *part, machine_value *want, void *wanting)
{
    if (part->type == MESSAGE_IMAGE_OPS) {
        const struct wire_image_ops *ops = &part->as.image_ops;
        for (size_t i = 0; i < ops->ops.n; i++)
            if (ops->ops.at[i].len && !ops->ops.at[i].frame)
                want(wanting, (node_id_t)ops->source,
                     (struct value_id){ops->job, ops->ops.at[i].op}, ops->ops.at[i].len,
                     ops->ops.at[i].hash);
    } else if (part->as.image_job.jobs.n) {
        const struct wire_job_row *row = &part->as.image_job.jobs.at[0];
        if (slice_equals(row->state, "done") && row->digits && !row->text.len)
            want(wanting, (node_id_t)part->as.image_job.source,
                 (struct value_id){row->job, row->total + 1}, row->digits, row->sha256);
    }
}

/* --- comparing --- */

static const struct member done_op_fields[] = {
    FIELD(done_op, op, bytes),   FIELD(done_op, unit, bytes),    FIELD(done_op, node, bytes),
    FIELD(done_op, len, bytes),  FIELD(done_op, attempt, bytes), FIELD(done_op, value, blob),
    FIELD(done_op, hash, bytes),
};

/* A map has no order that matters. */
static uint64_t digest_live(const void *owner, const struct member *field)
{
    const struct map *live = member_at(owner, field);
    const struct done_op *done;
    uint64_t sum = live->count;
    for (size_t at = 0; (done = map_next(live, &at, NULL));)
        sum += digest_fields(FIELDS_OF(done_op), done);
    return sum;
}

/* All of a plan follows from the kind of job and its argument. */
static uint64_t digest_plan(const void *owner, const struct member *field)
{
    const struct plan *plan = member_at(owner, field);
    const char *kind = plan->kind ? plan->kind->name : "";
    uint64_t sum = digest_block(kind, strlen(kind));
    for (size_t i = 0; i < PLAN_NUMBERS_MAX; i++)
        sum = random_fold(sum, plan->numbers[i]);
    return sum;
}

static uint64_t digest_executors(const void *owner, const struct member *field)
{
    const struct job_executor *executors = ((const struct job *)owner)->executors;
    (void)field;
    return executors ? digest_block(executors, (NODES_MAX + 1) * sizeof *executors) : 0;
}

static const struct member job_loss_fields[] = {
    FIELD(job_loss, node, bytes),
    FIELD(job_loss, values, bytes),
    FIELD(job_loss, operations, bytes),
    FIELD(job_loss, us, bytes),
};

static const struct member job_losses_fields[] = {
    WITHIN(job_losses, at),
    FIELD(job_losses, n, bytes),
};

static uint64_t digest_losses(const void *owner, const struct member *field)
{
    const struct job_losses *losses = member_at(owner, field);
    uint64_t sum = digest_fields(FIELDS_OF(job_losses), losses);
    for (size_t i = 0; i < losses->n; i++)
        sum = random_fold(sum, digest_fields(FIELDS_OF(job_loss), &losses->at[i]));
    return sum;
}

static uint64_t digest_trace(const void *owner, const struct member *field)
{
    const struct job *job = owner;
    (void)field;
    return job->trace ? digest_block(job->trace, job->plan.total * sizeof *job->trace) : 0;
}

static const struct member job_fields[] = {
    OWN(job, row),
    DERIVED(job, older_open),
    DERIVED(job, newer_open),
    OWN(job, keeps),
    FIELD(job, id, bytes),
    FIELD(job, state, bytes),
    FIELD(job, key, text),
    FIELD(job, owner, text),
    DERIVED(job, account),
    FIELD(job, plan, plan),
    FIELD(job, n_inputs, bytes),
    FIELD(job, inputs, bytes),
    FIELD(job, submitted_ms, bytes),
    FIELD(job, finished_ms, bytes),
    FIELD(job, done, bytes),
    FIELD(job, executed, bytes),
    FIELD(job, digits, bytes),
    DERIVED(job, task_bytes),
    FIELD(job, sha256, bytes),
    FIELD(job, text, blob),
    FIELD(job, head, text),
    FIELD(job, tail, text),
    FIELD(job, converter, bytes),
    FIELD(job, reason, text),
    FIELD(job, level, bytes),
    FIELD(job, live, live),
    DERIVED(job, covered),
    FIELD(job, executors, executors),
    FIELD(job, losses, losses),
    FIELD(job, trace, trace),
    FIELD(job, ended, bytes),
    DERIVED(job, rank),
    OWN(job, leaves),
};

static uint64_t digest_row(const struct row *row)
{
    return digest_fields(FIELDS_OF(job), row);
}

static const struct member jobs_fields[] = {
    WITHIN(jobs, at),
    FIELD(jobs, n, bytes),
    OWN(jobs, size),
    FIELD(jobs, open, bytes),
    FIELD(jobs, traces, bytes),
    FIELD(jobs, states, bytes),
    DERIVED(jobs, by_id),
    DERIVED(jobs, by_key),
    OWN(jobs, watch),
    OWN(jobs, released),
    OWN(jobs, room),
    DERIVED(jobs, traceless),
    WITHIN(jobs, finished),
    WITHIN(jobs, owners),
    DERIVED(jobs, oldest_open),
    DERIVED(jobs, newest_open),
};

static const struct member finished_jobs_fields[] = {
    DERIVED(finished_jobs, at),         FIELD(finished_jobs, n, bytes),
    OWN(finished_jobs, size),           OWN(finished_jobs, leaving),
    FIELD(finished_jobs, bytes, bytes), OWN(finished_jobs, leaving_bytes),
};

static const struct member job_owner_fields[] = {
    FIELD(job_owner, name, text),    FIELD(job_owner, jobs, bytes),
    FIELD(job_owner, open, bytes),   FIELD(job_owner, bytes, bytes),
    FIELD(job_owner, values, bytes), FIELD(job_owner, value_bytes, bytes),
};

static const struct member job_owners_fields[] = {
    WITHIN(job_owners, at),
    FIELD(job_owners, n, bytes),
    OWN(job_owners, size),
};

static uint64_t digest(const struct state *state)
{
    const struct job_owners *owners = &state->jobs.owners;
    uint64_t sum = random_fold(digest_fields(FIELDS_OF(jobs), &state->jobs),
                               digest_fields(FIELDS_OF(finished_jobs), &state->jobs.finished));
    sum = random_fold(sum, digest_fields(FIELDS_OF(job_owners), owners));
    for (size_t i = 0; i < owners->n; i++)
        sum = random_fold(sum, digest_fields(FIELDS_OF(job_owner), owners->at[i]));
    return sum;
}

static void compare_live(const struct comparison *to, const struct job *a, const struct job *b)
{
    const struct done_op *done;
    struct map_key op;
    for (size_t at = 0; a && (done = map_next(&a->live, &at, &op));)
        compare_fields(to, FIELDS_OF(done_op), done, b ? map_get(&b->live, op) : NULL);
}

static void compare_losses(const struct comparison *to, const struct job *a, const struct job *b)
{
    compare_fields(to, FIELDS_OF(job_losses), a ? &a->losses : NULL, b ? &b->losses : NULL);
    for (size_t i = 0; a && i < a->losses.n; i++)
        compare_fields(to, FIELDS_OF(job_loss), &a->losses.at[i],
                       b && i < b->losses.n ? &b->losses.at[i] : NULL);
}

static void compare_owners(const struct comparison *to, const struct job_owners *a,
                           const struct job_owners *b)
{
    compare_fields(to, FIELDS_OF(job_owners), a, b);
    for (size_t i = 0; i < a->n || i < b->n; i++)
        compare_fields(to, FIELDS_OF(job_owner), i < a->n ? a->at[i] : NULL,
                       i < b->n ? b->at[i] : NULL);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    const struct jobs *left = &a->jobs, *right = &b->jobs;
    for (size_t i = 0; i < left->n || i < right->n; i++) {
        const struct job *one = i < left->n ? left->at[i] : NULL;
        const struct job *other = i < right->n ? right->at[i] : NULL;
        compare_live(to, one, other);
        compare_losses(to, one, other);
        compare_fields(to, FIELDS_OF(job), one, other);
    }
    compare_fields(to, FIELDS_OF(jobs), left, right);
    compare_fields(to, FIELDS_OF(finished_jobs), &left->finished, &right->finished);
    compare_owners(to, &left->owners, &right->owners);
}

/* --- the table --- */

const struct state_table state_jobs = {
    .name = "jobs",
    .watch = watch,
    .clear = clear,
    .check_invariants = check_invariants,
    .check = jobs_entry_is_valid,
    .apply = apply,
    .save = job_save,
    .group_rows = CHECKPOINT_GROUP_ROWS,
    .next = next,
    .is_open = is_open,
    .save_closed = keys_save_finished,
    .parts = {MESSAGE_IMAGE_JOB, MESSAGE_IMAGE_OPS},
    .load = load,
    .want_values = want_values,
    .digest = digest,
    .digest_row = digest_row,
    .compare = compare,
};
