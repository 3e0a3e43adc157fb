/* What the log says is done of the jobs: their live results, who executed what, and the entries
 * that tell of it. */
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

/* It is used up. */
static void release(struct job *job, struct done_op **done, struct released *released)
{
    if (*done && !(*done)->value)
        released_add(released, (struct value_id){job->id, (*done)->op}, (*done)->len);
    free_done(done);
}

void job_clear_live(struct job *job, struct released *released)
{
    struct done_op *done;
    for (size_t at = 0; (done = map_next(&job->live, &at, NULL));)
        release(job, &done, released);
    map_clear(&job->live);
    op_set_clear(&job->covered);
}

bool job_needs(const struct job *job, op_id_t op)
{
    if (job->state == JOB_DONE)
        return op == job_text_op(job) && job->digits && !job->text;
    return map_get(&job->live, op_key(op)) != NULL;
}

bool job_has_done(const struct job *job, op_id_t op)
{
    return job_covers(job, op) || map_get(&job->live, op_key(op));
}

bool job_covers(const struct job *job, op_id_t op)
{
    if (op > job->plan.total)
        return false;
    if (plan_shares(&job->plan))
        return op_set_has(&job->covered, op);
    while (job->live.count && (op = plan_consumer(&job->plan, op)))
        if (map_get(&job->live, op_key(op)))
            return true;
    return false;
}

static bool is_used_up(const struct job *job, op_id_t op)
{
    op_id_t consumers[CONSUMERS_MAX];
    for (size_t i = plan_consumers(&job->plan, op, consumers); i-- > 0;)
        if (!job_has_done(job, consumers[i]))
            return false;
    return true;
}

/* The same where a result may have several consumers: it goes when all are done. Each operation is
 * covered once, so a job costs its plan; the depth of recursion is that of the plan. */
static void cover_shared(struct job *job, op_id_t op, struct released *released)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(&job->plan, op, operands);
    op_set_open(&job->covered, plan_result(&job->plan));
    for (size_t i = 0; i < n; i++) {
        op_id_t used = operands[i].op;
        if (!used || op_set_has(&job->covered, used) || !is_used_up(job, used))
            continue;
        struct done_op *done = map_remove(&job->live, op_key(used));
        op_set_add(&job->covered, used);
        release(job, &done, released);
        cover_shared(job, used, released);
    }
}

/* Removes what the operation used: its operands, or, where these were used before they were logged,
 * theirs. */
static void cover(struct job *job, op_id_t op, struct released *released)
{
    struct plan_operand operands[OPERANDS_MAX];
    if (plan_shares(&job->plan)) {
        cover_shared(job, op, released);
        return;
    }
    if (plan_node_of(&job->plan, op).level <= job->level)
        return; /* a unit, or below one: used nothing that was logged */
    size_t n = plan_operands(&job->plan, op, operands);
    for (size_t i = 0; i < n; i++) {
        struct done_op *used =
            operands[i].op ? map_remove(&job->live, op_key(operands[i].op)) : NULL;
        if (used)
            release(job, &used, released);
        else if (operands[i].op)
            cover(job, operands[i].op, released);
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
    struct done_op *before = map_put(&job->live, op_key(op->op), done);
    free_done(&before);
}

static void put_and_cover(struct job *job, const struct message *entry,
                          const struct wire_done_op *op, struct released *released)
{
    if (op_set_has(&job->covered, op->op))
        return; /* nobody needs it any more */
    put_done(job, entry, op);
    cover(job, op->op, released);
}

void job_load_done(struct job *job, const struct message *part, const struct wire_done_op *op)
{
    if (plan_shares(&job->plan))
        put_and_cover(job, part, op, NULL);
    else
        put_done(job, part, op);
}

void job_open_trace(struct job *job)
{
    if (!job->trace && job->plan.total && job->plan.total <= TRACE_OPS_MAX)
        job->trace = mem_new(job->plan.total, sizeof *job->trace);
}

void job_mark_trace(const struct job *job, struct trace_mark *trace, op_id_t op, bool unit,
                    struct trace_mark mark)
{
    trace[op - 1] = mark;
    if (plan_shares(&job->plan))
        return; /* no units */
    struct plan_node root = plan_node_of(&job->plan, op);
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

bool job_has_op(const struct job *job, const struct wire_done_op *op)
{
    return op->op >= 1 && op->op <= job->plan.total;
}

/* --- what was executed, repetitions included --- */

static struct job_executor *executor_of(struct job_executor **executors, node_id_t node)
{
    if (!*executors)
        *executors = mem_new(NODES_MAX + 1, sizeof **executors);
    return &(*executors)[node];
}

void job_write_executed(const struct job_executor *executors, struct wire_tally *out)
{
    if (!executors)
        return;
    out->incarnation = executors[out->node].incarnation;
    out->executed = executors[out->node].executed;
}

void job_log_executed(struct job *job, const struct wire_tally *tally)
{
    if (tally->incarnation)
        *executor_of(&job->executors, (node_id_t)tally->node) =
            (struct job_executor){tally->incarnation, tally->executed};
}

/* --- entries --- */

void jobs_apply_ops(struct jobs *jobs, const struct message *entry)
{
    const struct wire_done *done = &entry->as.done;
    struct job *job = jobs_find(jobs, done->job);
    if (!job || job_is_finished(job))
        return;
    row_changes(jobs->watch, TABLE_JOBS, &job->row);
    job_open_trace(job);
    for (size_t i = 0; i < done->ops.n; i++) {
        const struct wire_done_op *op = &done->ops.at[i];
        if (!job_has_op(job, op))
            continue; /* the text: the entry's own fields tell all about it */
        if (op->len)  /* else it tells only who executed it */
            put_and_cover(job, entry, op, jobs->released);
        if (job->trace)
            job_mark_trace(job, job->trace, op->op, op->unit,
                           (struct trace_mark){(uint16_t)op->node, (uint16_t)op->attempt});
    }
    for (size_t i = 0; i < done->tallies.n; i++) {
        const struct wire_tally *tally = &done->tallies.at[i];
        job->done += tally->operations;
        job_log_executed(job, tally);
    }
    if (job->done > job->plan.total)
        job->done = job->plan.total;
    job->executed = done->executed;
    job_losses_read(&job->losses, done->losses.at, done->losses.n);
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
    return job_losses_are_valid(done->losses.at, done->losses.n);
}

bool jobs_entry_is_done(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_OPS_DONE || entry->type == MESSAGE_ENTRY_JOB_DONE;
}

bool jobs_is_open(const struct jobs *jobs, const struct message *entry)
{
    if (!jobs_entry_is_done(entry))
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
