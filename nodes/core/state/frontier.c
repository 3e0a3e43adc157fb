/* What the log says is done of the jobs: their frontiers, the snaps that keys have taken, and the
 * parts of a full checkpoint. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/jobs_internal.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

static struct map_key op_key(op_id_t op)
{
    return (struct map_key){op, 0};
}

static void free_done(struct done_op **done)
{
    if (*done)
        blob_drop(&(*done)->value);
    free(*done);
    *done = NULL;
}

void job_clear_frontier(struct job *job)
{
    struct done_op *done;
    for (size_t at = 0; (done = map_next(&job->frontier, &at, NULL));)
        free_done(&done);
    map_clear(&job->frontier);
}

bool job_needs(const struct job *job, op_id_t op)
{
    if (job->state == JOB_DONE)
        return op == job_text_op(job) && job->digits > TEXT_INLINE_DIGITS;
    return map_get(&job->frontier, op_key(op)) != NULL;
}

/* Removes what the operation used: its operands, or, where these were used before they were logged,
 * theirs. */
static void cover(struct job *job, op_id_t op)
{
    struct plan_operand operands[OPERANDS_MAX];
    if (plan_node_of(&job->plan, op).level <= job->level)
        return; /* a unit, or below one: used nothing that was logged */
    size_t n = plan_operands(&job->plan, op, operands);
    for (size_t i = 0; i < n; i++) {
        struct done_op *used =
            operands[i].op ? map_remove(&job->frontier, op_key(operands[i].op)) : NULL;
        if (used)
            free_done(&used);
        else if (operands[i].op)
            cover(job, operands[i].op);
    }
}

static void put_done(struct job *job, const struct message *message, const struct wire_done_op *op)
{
    struct done_op *done = mem_new(1, sizeof *done);
    *done = (struct done_op){.op = op->op,
                             .unit = op->unit,
                             .node = (node_id_t)op->node,
                             .attempt = op->attempt,
                             .len = op->len,
                             .value = blob_ref(message_frame(message, op->frame))};
    job->keeps = job->keeps || !done->value;
    if (op->hash.len == HASH_BYTES)
        memcpy(done->hash, op->hash.at, HASH_BYTES);
    struct done_op *before = map_put(&job->frontier, op_key(op->op), done);
    free_done(&before);
}

/* Makes room for the trace of a job that is short enough for one. Not before something is done of
 * it: ten thousand jobs that wait would take 150 MB. */
static void open_trace(struct job *job)
{
    if (!job->trace && job->plan.total && job->plan.total <= TRACE_OPS_MAX)
        job->trace = mem_new(job->plan.total, sizeof *job->trace);
}

void job_mark_trace(const struct job *job, struct trace_mark *trace, op_id_t op, bool unit,
                    struct trace_mark mark)
{
    struct plan_node root = plan_node_of(&job->plan, op);
    trace[op - 1] = mark;
    for (unsigned level = 0; unit && level < root.level; level++) {
        uint64_t width = (uint64_t)1 << 2 * (root.level - level);
        uint64_t at = root.at * width, end = at + width;
        for (; at < end && at < job->plan.nodes[level]; at++) {
            op_id_t below = plan_op_at(&job->plan, (struct plan_node){level, at});
            if (below)
                trace[below - 1] = mark;
        }
    }
}

static bool is_op_of(const struct job *job, const struct wire_done_op *op)
{
    return op->op >= 1 && op->op <= job->plan.total;
}

/* --- what was executed, repetitions included --- */

static struct executor *executor_of(struct executor **executors, node_id_t node)
{
    if (!*executors)
        *executors = mem_new(NODES_MAX + 1, sizeof **executors);
    return &(*executors)[node];
}

void job_write_executed(const struct executor *executors, struct wire_tally *out)
{
    if (!executors)
        return;
    out->incarnation = executors[out->node].incarnation;
    out->executed = executors[out->node].executed;
}

static void log_executed(struct job *job, const struct wire_tally *tally)
{
    if (tally->incarnation)
        *executor_of(&job->executors, (node_id_t)tally->node) =
            (struct executor){tally->incarnation, tally->executed};
}

/* --- entries --- */

void jobs_apply_ops(struct jobs *jobs, const struct message *entry)
{
    const struct wire_done *done = &entry->as.done;
    struct job *job = jobs_find(jobs, done->job);
    jobs->reassigned += done->reassigned;
    if (!job || job_is_finished(job))
        return;
    row_changes(jobs->watch, TABLE_JOBS, &job->row);
    open_trace(job);
    for (size_t i = 0; i < done->ops.n; i++) {
        const struct wire_done_op *op = &done->ops.at[i];
        if (!is_op_of(job, op))
            continue;  /* the text: the entry's own fields tell all about it */
        if (op->len) { /* else it tells only who executed it */
            put_done(job, entry, op);
            cover(job, op->op);
        }
        if (job->trace)
            job_mark_trace(job, job->trace, op->op, op->unit,
                           (struct trace_mark){(uint16_t)op->node, (uint16_t)op->attempt});
    }
    for (size_t i = 0; i < done->tallies.n; i++) {
        const struct wire_tally *tally = &done->tallies.at[i];
        jobs->operations[tally->node] += tally->operations;
        jobs->conversions[tally->node] += tally->conversions;
        job->done += tally->operations;
        log_executed(job, tally);
    }
    if (job->done > job->plan.total)
        job->done = job->plan.total;
    job->executed = done->executed;
}

bool jobs_done_is_valid(const struct message *entry)
{
    const struct wire_done *done = &entry->as.done;
    for (size_t i = 0; i < done->ops.n; i++) {
        const struct wire_done_op *op = &done->ops.at[i];
        const struct blob *value = message_frame(entry, op->frame);
        if (!op->op || !op->node || (op->frame && (!value || value->len != op->len)) ||
            (op->len && !op->frame && op->hash.len != HASH_BYTES))
            return false;
    }
    for (size_t i = 0; i < done->tallies.n; i++)
        if (!done->tallies.at[i].node)
            return false;
    return true;
}

bool jobs_is_open(const struct jobs *jobs, const struct message *entry)
{
    if (entry->type != MESSAGE_ENTRY_OPS_DONE && entry->type != MESSAGE_ENTRY_JOB_DONE)
        return true;
    struct job *job = jobs_find(jobs, entry->as.done.job);
    return job && !job_is_finished(job);
}

void job_write_done(struct message *message, const struct done_op *done, struct wire_done_op *out)
{
    *out = (struct wire_done_op){.op = done->op,
                                 .unit = done->unit,
                                 .node = done->node,
                                 .attempt = done->attempt,
                                 .len = done->len};
    if (done->value)
        out->frame = message_add_frame(message, done->value);
    else if (done->len)
        out->hash = message_copy(message, (struct slice){done->hash, HASH_BYTES});
}

/* --- snaps that keys have taken --- */

bool jobs_find_snap(const struct jobs *jobs, struct slice key, uint64_t *snapshot)
{
    for (size_t i = jobs->n_snaps; i-- > 0;) {
        if (!slice_equals(key, jobs->snaps[i].key))
            continue;
        if (snapshot)
            *snapshot = jobs->snaps[i].snapshot;
        return true;
    }
    return false;
}

void jobs_add_snap(struct jobs *jobs, struct slice key, uint64_t snapshot)
{
    if (!jobs->snaps)
        jobs->snaps = mem_new(SNAP_KEYS_MAX + 1, sizeof *jobs->snaps);
    if (jobs->n_snaps > SNAP_KEYS_MAX)
        return; /* a checkpoint has more than it may have */
    struct snap_key *snap = &jobs->snaps[jobs->n_snaps++];
    snap->snapshot = snapshot;
    text_copy(snap->key, sizeof snap->key, key);
}

bool jobs_forget_snap(struct jobs *jobs, size_t kept, struct snap_key *out)
{
    if (jobs->n_snaps <= kept)
        return false;
    *out = jobs->snaps[0];
    memmove(jobs->snaps, jobs->snaps + 1, --jobs->n_snaps * sizeof *jobs->snaps);
    return true;
}

/* --- parts of a full checkpoint --- */

static int parse_state(struct slice name, enum job_state *state)
{
    for (int i = 0; i < JOB_STATES; i++) {
        if (slice_equals(name, job_state_name((enum job_state)i))) {
            *state = (enum job_state)i;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

static void load_trace(struct jobs *jobs, struct job *job, struct slice bytes)
{
    if (bytes.len == 4 * job->plan.total)
        open_trace(job);
    for (uint64_t i = 0; job->trace && i < job->plan.total; i++) {
        const uint8_t *at = bytes.at + 4 * i;
        job->trace[i] =
            (struct trace_mark){(uint16_t)(at[0] | at[1] << 8), (uint16_t)(at[2] | at[3] << 8)};
    }
    jobs->traces += job->trace && job_is_finished(job);
}

int jobs_load_job(struct jobs *jobs, const struct wire_image_job *part)
{
    const struct wire_job_row *row = part->jobs.n ? &part->jobs.at[0] : NULL;
    enum job_state state;
    struct plan plan;
    if (!row || parse_state(row->state, &state) || plan_parse(&plan, row->kind, row->spec, NULL) ||
        !row->key.len || jobs_find(jobs, row->job) || jobs_find_key(jobs, row->key) ||
        jobs_key_collides(jobs, row->key) || part->level >= PLAN_LEVELS_MAX ||
        (state == JOB_DONE && row->sha256.len != HASH_BYTES))
        return ERR_MALFORMED;
    struct job *job = jobs_insert(jobs, row->job, row->key, &plan, (unsigned)part->level);
    job->submitted_ms = row->submitted_ms;
    job->finished_ms = row->finished_ms;
    job->done = row->done <= job->plan.total ? row->done : job->plan.total;
    job->executed = row->executed;
    for (size_t i = 0; i < part->tallies.n; i++)
        if (part->tallies.at[i].node)
            log_executed(job, &part->tallies.at[i]);
    job->digits = row->digits;
    job->converter = (node_id_t)row->converter;
    if (row->sha256.len == HASH_BYTES)
        memcpy(job->sha256, row->sha256.at, HASH_BYTES);
    text_copy(job->head, sizeof job->head, row->head);
    text_copy(job->tail, sizeof job->tail, row->tail);
    text_copy(job->reason, sizeof job->reason, row->error);
    if (row->text.len)
        job->text = blob_copy(row->text.at, row->text.len);
    jobs_set_state(jobs, job, state);
    jobs->open -= job_is_finished(job);
    load_trace(jobs, job, part->trace);
    return OK;
}

int jobs_load_ops(struct jobs *jobs, const struct message *part)
{
    const struct wire_image_ops *ops = &part->as.image_ops;
    struct job *job = jobs_find(jobs, ops->job);
    if (!job || job_is_finished(job))
        return ERR_MALFORMED;
    for (size_t i = 0; i < ops->ops.n; i++) {
        const struct wire_done_op *op = &ops->ops.at[i];
        const struct blob *value = message_frame(part, op->frame);
        if (!is_op_of(job, op) || !op->len || (op->frame && (!value || value->len != op->len)) ||
            (!op->frame && op->hash.len != HASH_BYTES))
            return ERR_MALFORMED;
        put_done(job, part, op);
    }
    return OK;
}
