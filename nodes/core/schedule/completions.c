#include "nodes/core/schedule/completions.h"

#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/remake.h"
#include "nodes/core/schedule/results.h"
#include "nodes/core/schedule/schedule.h"

#include "shared/base/mutant.h"

/* --- noting --- */

void completions_note(struct schedule *schedule, const struct open_op *open)
{
    struct job_schedule *job_schedule = open->job_schedule;
    if (job_schedule->n_unlogged == job_schedule->unlogged_size) {
        job_schedule->unlogged_size =
            job_schedule->unlogged_size ? 2 * job_schedule->unlogged_size : 16;
        job_schedule->unlogged = mem_grow(job_schedule->unlogged, job_schedule->unlogged_size,
                                          sizeof *job_schedule->unlogged);
    }
    job_schedule->unlogged[job_schedule->n_unlogged++] =
        (struct done_mark){.op = open->op,
                           .opcode = open->opcode,
                           .unit = open->count > 0,
                           .node = open->node,
                           .attempt = open->won,
                           .operations = open->operations,
                           .us = open->elapsed_us};
    job_schedule->unlogged_us += open->elapsed_us;
    if (!schedule->unlogged++)
        schedule->completions_us =
            schedule->step->now_us + schedule->step->config.checkpoint_interval_us;
    schedule->unlogged_bytes += open->value ? open->len : 0;
}

/* --- writing --- */

static void begin(const struct schedule *schedule, const struct job_schedule *job_schedule,
                  struct message *entry)
{
    struct wire_done *done = &entry->as.done;
    /* What is noted, and the job's result: few rows in a small job. */
    size_t most = job_schedule->n_unlogged + 1;
    if (most > CHECKPOINT_OPS_MAX)
        most = CHECKPOINT_OPS_MAX;
    done->job = job_schedule->job->id;
    done->executed = job_schedule->executed;
    done->losses.n = job_losses_write(&job_schedule->losses, entry, &done->losses.at);
    done->ops.at = message_room(entry, most, sizeof *done->ops.at);
    done->tallies.at =
        message_room(entry, schedule->step->config.n_nodes, sizeof *done->tallies.at);
    done->tallies.n = schedule->step->config.n_nodes;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        done->tallies.at[id - 1].node = id;
    for (size_t i = 0; i < done->tallies.n; i++)
        job_write_executed(job_schedule->executors, &done->tallies.at[i]);
}

static void propose(struct schedule *schedule, struct message *entry)
{
    entry->as.done.reassigned = schedule->reassigned;
    schedule->reassigned = 0;
    raft_log_propose(schedule->raft, entry);
}

/* The value goes to disk here first; its operation waits for the next checkpoint. */
static void keep(struct schedule *schedule, struct open_op *open)
{
    struct value_id id = {open->job_schedule->job->id, open->op};
    if (open->keeping || (!open->here && !remake_pays(schedule, open)))
        return;
    open->keeping = open->job_schedule->keeps = true;
    open->keep_us = schedule->step->now_us;
    offers_make(schedule->raft, id, open->node, open->len, open->hash);
    if (open->here)
        outbox_keep(&schedule->step->out, USER_SCHEDULE, id, NULL);
    else
        outbox_fetch(&schedule->step->out, USER_SCHEDULE, id, open->node, open->len, open->hash, 0);
}

static bool is_conversion(const struct done_mark *mark)
{
    return operator_traits(mark->opcode)->conversion;
}

static void tally(struct message *entry, const struct done_mark *mark)
{
    struct wire_tally *line = &entry->as.done.tallies.at[mark->node - 1];
    line->operations += mark->operations << MUTANT(counted_twice);
    line->conversions += is_conversion(mark);
}

/* The log knows that it is done, or will when it has the entry. */
static void settle(struct job_schedule *job_schedule, op_id_t op)
{
    if (job_schedule->settled.words)
        op_set_add(&job_schedule->settled, op);
}

static void write_row(struct message *entry, const struct done_mark *mark, struct open_op *open)
{
    struct wire_done *done = &entry->as.done;
    struct done_op op = {.op = mark->op,
                         .unit = mark->unit,
                         .node = mark->node,
                         .attempt = mark->attempt};
    if (open) {
        op.len = open->len;
        op.value = open->value;
        memcpy(op.hash, open->hash, HASH_BYTES);
        open->logged = true;
        settle(open->job_schedule, mark->op);
    }
    job_write_done(entry, &op, &done->ops.at[done->ops.n++]);
}

/* True when what used the operation's result, directly or not, is logged: only then does the log
 * know that the operation is done. */
static bool is_covered(const struct schedule *schedule, const struct job_schedule *job_schedule,
                       op_id_t op)
{
    const struct job *job = job_schedule->job;
    if (plan_shares(&job->plan)) {
        op_id_t consumers[CONSUMERS_MAX];
        for (size_t i = plan_consumers(&job->plan, op, consumers); i-- > 0;)
            if (!op_set_has(&job_schedule->settled, consumers[i]))
                return false;
        return true;
    }
    while ((op = plan_consumer(&job->plan, op))) {
        const struct open_op *open = open_op_find(schedule, job->id, op);
        if (open)
            return open->logged;
    }
    return false;
}

/* Puts one finished operation into the entry; false when it must wait for a later one. */
static bool put(struct schedule *schedule, struct job_schedule *job_schedule,
                const struct done_mark *mark, struct message *entry, size_t *bytes)
{
    struct open_op *open = open_op_find(schedule, job_schedule->job->id, mark->op);
    if (is_conversion(mark))
        return false; /* the job's last entry tells of it */
    if (!open) {
        if (!is_covered(schedule, job_schedule, mark->op))
            return false;
        settle(job_schedule, mark->op);
        if (job_schedule->trace)
            write_row(entry, mark, NULL);
        tally(entry, mark);
        return true;
    }
    if (open->state != OP_DONE || open->lost)
        return false; /* it is being made again */
    if (!open->value && !open->kept && !MUTANT(held_is_logged)) {
        keep(schedule, open);
        return false;
    }
    if (open->value && !remake_pays(schedule, open))
        return false;
    struct value_id id = {job_schedule->job->id, open->op};
    if (!open->value && !offers_is_spread(schedule->raft, id))
        return false; /* a majority of the disks will have it soon */
    if (!open->value)
        offers_end(schedule->raft, id);
    size_t more = open->value ? open->value->len : 0;
    if (*bytes && *bytes + more > CHECKPOINT_ENTRY_BYTES)
        return false;
    *bytes += more;
    write_row(entry, mark, open);
    tally(entry, mark);
    return true;
}

static void remove_logged(struct job_schedule *job_schedule)
{
    size_t left = 0;
    job_schedule->unlogged_us = 0;
    for (size_t i = 0; i < job_schedule->n_unlogged; i++)
        if (!job_schedule->unlogged[i].logged) {
            job_schedule->unlogged_us += job_schedule->unlogged[i].us;
            job_schedule->unlogged[left++] = job_schedule->unlogged[i];
        }
    job_schedule->n_unlogged = left;
}

/* One entry's worth; false when there is nothing that could be logged now. The latest go first:
 * what used a result must be in the log before the result counts as done without its value. */
static bool log_some(struct schedule *schedule, struct job_schedule *job_schedule)
{
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    size_t bytes = 0, logged = 0;
    begin(schedule, job_schedule, entry);
    entry->as.entry_ops_done.source = schedule->step->config.id;
    for (size_t i = job_schedule->n_unlogged;
         i-- > 0 && entry->as.done.ops.n < CHECKPOINT_OPS_MAX;) {
        job_schedule->unlogged[i].logged =
            put(schedule, job_schedule, &job_schedule->unlogged[i], entry, &bytes);
        logged += job_schedule->unlogged[i].logged;
    }
    remove_logged(job_schedule);
    if (logged)
        propose(schedule, entry);
    else
        message_drop(&entry);
    return logged > 0;
}

void completions_finish(struct schedule *schedule, struct job_schedule *job_schedule,
                        struct message *entry)
{
    size_t at = 0;
    /* Rows of the trace that the last entry has no room for; they count nothing before it does. */
    while (job_schedule->trace && job_schedule->n_unlogged - at > CHECKPOINT_OPS_MAX - 1) {
        struct message *rows = message_new(MESSAGE_ENTRY_OPS_DONE);
        begin(schedule, job_schedule, rows);
        rows->as.entry_ops_done.source = schedule->step->config.id;
        for (size_t i = 0; i < CHECKPOINT_OPS_MAX - 1; i++, at++)
            write_row(rows, &job_schedule->unlogged[at], NULL);
        propose(schedule, rows);
    }
    begin(schedule, job_schedule, entry);
    for (size_t i = 0; i < job_schedule->n_unlogged; i++) {
        tally(entry, &job_schedule->unlogged[i]);
        if (job_schedule->trace && i >= at && !is_conversion(&job_schedule->unlogged[i]))
            write_row(entry, &job_schedule->unlogged[i], NULL);
    }
    job_schedule->n_unlogged = 0;
    entry->as.done.reassigned = schedule->reassigned;
    schedule->reassigned = 0;
}

void completions_pump(struct schedule *schedule)
{
    bool due =
        schedule->unlogged && (schedule->step->now_us >= schedule->completions_us ||
                               schedule->unlogged_bytes >= schedule->step->config.checkpoint_bytes);
    if (!due)
        return;
    schedule->unlogged = schedule->unlogged_bytes = 0;
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct job_schedule *job_schedule = schedule->active[i];
        if (!job_schedule->n_unlogged || schedule_end_is_pending(schedule, job_schedule->job->id))
            continue;
        while (log_some(schedule, job_schedule))
            continue;
        schedule->unlogged += job_schedule->n_unlogged;
    }
    schedule->completions_us =
        schedule->step->now_us + schedule->step->config.checkpoint_interval_us;
}

uint64_t completions_deadline(const struct schedule *schedule)
{
    return schedule->unlogged ? schedule->completions_us : UINT64_MAX;
}

/* --- going on --- */

struct open_op *completions_take_up(struct schedule *schedule, struct job_schedule *job_schedule,
                                    const struct done_op *done)
{
    struct open_op *open = open_op_add(schedule, job_schedule, done->op);
    open->state = OP_DONE;
    open->node = done->node;
    open->attempt = open->won = done->attempt;
    open->len = done->len;
    open->value = blob_ref(done->value);
    open->kept = open->keeping = open->logged = open->counted = true;
    memcpy(open->hash, done->hash, HASH_BYTES);
    return open;
}

struct job_schedule *completions_resume(struct schedule *schedule, const struct job *job)
{
    const struct done_op *done;
    struct job_schedule *job_schedule = job_schedule_new(schedule, job);
    for (size_t at = 0; (done = map_next(&job->live, &at, NULL));)
        results_supply(schedule, completions_take_up(schedule, job_schedule, done));
    return job_schedule;
}
