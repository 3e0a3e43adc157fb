#include "nodes/core/schedule/completions.h"

#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/results.h"
#include "nodes/core/schedule/schedule.h"

#include "shared/base/mutant.h"

/* --- noting --- */

void completions_note(struct schedule *schedule, const struct item *item)
{
    struct run *run = item->run;
    if (run->n_unlogged == run->unlogged_size) {
        run->unlogged_size = run->unlogged_size ? 2 * run->unlogged_size : 16;
        run->unlogged = mem_grow(run->unlogged, run->unlogged_size, sizeof *run->unlogged);
    }
    run->unlogged[run->n_unlogged++] = (struct done_mark){.op = item->op,
                                                          .opcode = item->opcode,
                                                          .unit = item->count > 0,
                                                          .node = item->node,
                                                          .attempt = item->won,
                                                          .operations = item->operations};
    if (!schedule->unlogged++)
        schedule->completions_us =
            schedule->step->now_us + schedule->step->config.checkpoint_interval_us;
    schedule->unlogged_bytes += item->len;
}

/* --- writing --- */

static void begin(const struct schedule *schedule, const struct run *run, struct message *entry)
{
    struct wire_done *done = &entry->as.done;
    /* What is noted, and the job's result: few rows in a small job. */
    size_t most = run->n_unlogged + 1;
    if (most > CHECKPOINT_OPS_MAX)
        most = CHECKPOINT_OPS_MAX;
    done->job = run->job->id;
    done->executed = run->executed;
    done->ops.at = message_room(entry, most, sizeof *done->ops.at);
    done->tallies.at =
        message_room(entry, schedule->step->config.n_nodes, sizeof *done->tallies.at);
    done->tallies.n = schedule->step->config.n_nodes;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        done->tallies.at[id - 1].node = id;
    for (size_t i = 0; i < done->tallies.n; i++)
        job_write_executed(run->executors, &done->tallies.at[i]);
}

static void propose(struct schedule *schedule, struct message *entry)
{
    entry->as.done.reassigned = schedule->reassigned;
    schedule->reassigned = 0;
    raft_log_propose(schedule->raft, entry);
}

/* The value goes to disk here first; its operation waits for the next checkpoint. */
static void keep(struct schedule *schedule, struct item *item)
{
    if (item->keeping)
        return;
    item->keeping = item->run->keeps = true;
    outbox_keep(&schedule->step->out, USER_SCHEDULE,
                (struct value_id){item->run->job->id, item->op}, NULL);
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

static void write_row(struct message *entry, const struct done_mark *mark, struct item *item)
{
    struct wire_done *done = &entry->as.done;
    struct done_op op = {.op = mark->op,
                         .unit = mark->unit,
                         .node = mark->node,
                         .attempt = mark->attempt};
    if (item) {
        op.len = item->len;
        op.value = item->value;
        memcpy(op.hash, item->hash, HASH_BYTES);
        item->logged = true;
    }
    job_write_done(entry, &op, &done->ops.at[done->ops.n++]);
}

/* True when what used the operation's result, directly or not, is logged: only then does the log
 * know that the operation is done. */
static bool is_covered(const struct schedule *schedule, const struct job *job, op_id_t op)
{
    while ((op = plan_consumer(&job->plan, op))) {
        const struct item *item = run_find(schedule, job->id, op);
        if (item)
            return item->logged;
    }
    return false;
}

/* Puts one finished operation into the entry; false when it must wait for a later one. */
static bool put(struct schedule *schedule, const struct run *run, const struct done_mark *mark,
                struct message *entry, size_t *bytes)
{
    struct item *item = run_find(schedule, run->job->id, mark->op);
    if (is_conversion(mark))
        return false; /* the job's last entry tells of it */
    if (!item) {
        if (!is_covered(schedule, run->job, mark->op))
            return false;
        if (run->trace)
            write_row(entry, mark, NULL);
        tally(entry, mark);
        return true;
    }
    if (!item->value && !item->kept) {
        keep(schedule, item);
        return false;
    }
    size_t more = item->value ? item->value->len : 0;
    if (*bytes && *bytes + more > CHECKPOINT_ENTRY_BYTES)
        return false;
    *bytes += more;
    write_row(entry, mark, item);
    tally(entry, mark);
    return true;
}

static void remove_logged(struct run *run)
{
    size_t left = 0;
    for (size_t i = 0; i < run->n_unlogged; i++)
        if (!run->unlogged[i].logged)
            run->unlogged[left++] = run->unlogged[i];
    run->n_unlogged = left;
}

/* One entry's worth; false when there is nothing that could be logged now. The latest go first:
 * what used a result must be in the log before the result counts as done without its value. */
static bool log_some(struct schedule *schedule, struct run *run)
{
    struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
    size_t bytes = 0, logged = 0;
    begin(schedule, run, entry);
    entry->as.entry_ops_done.source = schedule->step->config.id;
    for (size_t i = run->n_unlogged; i-- > 0 && entry->as.done.ops.n < CHECKPOINT_OPS_MAX;) {
        run->unlogged[i].logged = put(schedule, run, &run->unlogged[i], entry, &bytes);
        logged += run->unlogged[i].logged;
    }
    remove_logged(run);
    if (logged)
        propose(schedule, entry);
    else
        message_drop(&entry);
    return logged > 0;
}

void completions_finish(struct schedule *schedule, struct run *run, struct message *entry)
{
    size_t at = 0;
    /* Rows of the trace that the last entry has no room for; they count nothing before it does. */
    while (run->trace && run->n_unlogged - at > CHECKPOINT_OPS_MAX - 1) {
        struct message *rows = message_new(MESSAGE_ENTRY_OPS_DONE);
        begin(schedule, run, rows);
        rows->as.entry_ops_done.source = schedule->step->config.id;
        for (size_t i = 0; i < CHECKPOINT_OPS_MAX - 1; i++, at++)
            write_row(rows, &run->unlogged[at], NULL);
        propose(schedule, rows);
    }
    begin(schedule, run, entry);
    for (size_t i = 0; i < run->n_unlogged; i++) {
        tally(entry, &run->unlogged[i]);
        if (run->trace && i >= at && !is_conversion(&run->unlogged[i]))
            write_row(entry, &run->unlogged[i], NULL);
    }
    run->n_unlogged = 0;
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
        struct run *run = schedule->active[i];
        if (!run->n_unlogged || schedule_end_is_pending(schedule, run->job->id))
            continue;
        while (log_some(schedule, run))
            continue;
        schedule->unlogged += run->n_unlogged;
    }
    schedule->completions_us =
        schedule->step->now_us + schedule->step->config.checkpoint_interval_us;
}

uint64_t completions_deadline(const struct schedule *schedule)
{
    return schedule->unlogged ? schedule->completions_us : UINT64_MAX;
}

/* --- going on --- */

struct run *completions_resume(struct schedule *schedule, const struct job *job)
{
    struct done_op *done;
    struct run *run = run_new(schedule, job);
    for (size_t at = 0; (done = map_next(&job->live, &at, NULL));) {
        struct item *item = run_add(schedule, run, done->op);
        item->state = ITEM_DONE;
        item->node = done->node;
        item->attempt = item->won = done->attempt;
        item->len = done->len;
        item->value = blob_ref(done->value);
        item->kept = item->keeping = item->logged = true;
        memcpy(item->hash, done->hash, HASH_BYTES);
        results_supply(schedule, item);
    }
    return run;
}
