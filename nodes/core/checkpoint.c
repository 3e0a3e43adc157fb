#include "nodes/core/checkpoint.h"

#include <string.h>

#include "nodes/core/journal.h"
#include "nodes/core/schedule.h"

/* --- noting --- */

void checkpoint_note(struct node *node, const struct item *item)
{
    struct run *run = item->job->run;
    if (run->n_done == run->done_size) {
        run->done_size = run->done_size ? 2 * run->done_size : 16;
        run->done = mem_grow(run->done, run->done_size, sizeof *run->done);
    }
    run->done[run->n_done++] = (struct done_mark){.op = item->op,
                                                  .unit = item->count > 0,
                                                  .node = item->node,
                                                  .attempt = item->attempt,
                                                  .operations = item->operations};
    if (!node->schedule.unlogged++)
        node->schedule.checkpoint_us = node->now_us + node->config.checkpoint_interval_us;
    node->schedule.unlogged_bytes += item->len;
}

/* --- writing --- */

static void begin(const struct node *node, const struct job *job, struct message *entry)
{
    struct wire_done *done = &entry->as.done;
    done->job = job->id;
    done->executed = job->executed;
    done->ops.at = message_room(entry, CHECKPOINT_OPS_MAX, sizeof *done->ops.at);
    done->tallies.at = message_room(entry, node->config.n_nodes, sizeof *done->tallies.at);
    done->tallies.n = node->config.n_nodes;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        done->tallies.at[id - 1].node = id;
}

/* The value goes to disk here first; its operation waits for the next checkpoint. */
static void keep(struct node *node, struct item *item)
{
    if (item->keeping)
        return;
    item->keeping = true;
    outbox_add(&node->out, OUTPUT_KEEP)->keep.id = (struct value_id){item->job->id, item->op};
}

static void tally(struct message *entry, const struct done_mark *mark)
{
    struct wire_tally *line = &entry->as.done.tallies.at[mark->node - 1];
    line->operations += mark->operations;
    line->conversions += !mark->operations;
}

/* Puts one finished operation into the entry; false when it must wait. */
static bool put(struct node *node, struct job *job, const struct done_mark *mark,
                struct message *entry)
{
    struct item *item = run_find(&node->schedule, job->id, mark->op);
    struct wire_done *done = &entry->as.done;
    bool needed = item && item->state == ITEM_DONE && mark->operations;
    if (needed && !item->value && !item->kept) {
        keep(node, item);
        return false;
    }
    tally(entry, mark);
    if (!needed && (!job->trace || !mark->operations))
        return true;
    struct done_op op = {.op = mark->op,
                         .unit = mark->unit,
                         .node = mark->node,
                         .attempt = mark->attempt};
    if (needed) {
        op.len = item->len;
        op.value = item->value;
        memcpy(op.hash, item->hash, HASH_BYTES);
        item->logged = true;
    }
    job_write_done(entry, &op, &done->ops.at[done->ops.n++]);
    return true;
}

static size_t value_bytes(const struct node *node, const struct job *job,
                          const struct done_mark *mark)
{
    struct item *item = run_find(&node->schedule, job->id, mark->op);
    return item && item->value ? item->value->len : 0;
}

/* Fills the entry from the marks, from *at on; leaves those that must wait. Returns how many wait.
 */
static void fill(struct node *node, struct job *job, size_t *at, size_t *waiting,
                 struct message *entry)
{
    struct run *run = job->run;
    size_t bytes = 0;
    begin(node, job, entry);
    while (*at < run->n_done && entry->as.done.ops.n < CHECKPOINT_OPS_MAX) {
        struct done_mark mark = run->done[*at];
        bytes += value_bytes(node, job, &mark);
        if (bytes > CHECKPOINT_ENTRY_BYTES && entry->as.done.ops.n)
            break;
        (*at)++;
        if (!put(node, job, &mark, entry))
            run->done[(*waiting)++] = mark;
    }
}

static bool is_empty(const struct message *entry)
{
    bool empty = !entry->as.done.ops.n;
    for (size_t i = 0; i < entry->as.done.tallies.n; i++) {
        const struct wire_tally *line = &entry->as.done.tallies.at[i];
        empty = empty && !line->operations && !line->conversions;
    }
    return empty;
}

static void log_job(struct node *node, struct job *job)
{
    size_t at = 0, waiting = 0;
    while (at < job->run->n_done) {
        struct message *entry = message_new(MESSAGE_ENTRY_OPS_DONE);
        fill(node, job, &at, &waiting, entry);
        entry->as.entry_ops_done.source = node->config.id;
        if (is_empty(entry))
            message_drop(&entry);
        else
            journal_propose(node, entry);
    }
    job->run->n_done = waiting;
}

void checkpoint_finish(struct node *node, struct job *job, struct message *entry)
{
    size_t at = 0, waiting = 0;
    while (job->run->n_done > CHECKPOINT_OPS_MAX - 1) {
        log_job(node, job);
        if (job->run->n_done)
            break; /* cannot be: all values but the text's are used up */
    }
    fill(node, job, &at, &waiting, entry);
    job->run->n_done = 0;
}

void checkpoint_pump(struct node *node)
{
    struct schedule *schedule = &node->schedule;
    bool due = schedule->unlogged && (node->now_us >= schedule->checkpoint_us ||
                                      schedule->unlogged_bytes >= node->config.checkpoint_bytes);
    if (!due)
        return;
    schedule->unlogged = schedule->unlogged_bytes = 0;
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct job *job = schedule->active[i];
        if (!job->run->n_done || journal_pending_end(node, job->id))
            continue;
        log_job(node, job);
        schedule->unlogged += job->run->n_done;
    }
    schedule->checkpoint_us = node->now_us + node->config.checkpoint_interval_us;
}

uint64_t checkpoint_deadline(const struct node *node)
{
    return node->schedule.unlogged ? node->schedule.checkpoint_us : UINT64_MAX;
}

/* --- going on --- */

bool checkpoint_resume(struct node *node, struct job *job)
{
    struct done_op *done;
    job->done = job->logged;
    job->executed = job->logged_executed;
    if (job->trace)
        memcpy(job->trace, job->logged_trace, job->plan.total * sizeof *job->trace);
    job->run = run_new(job);
    for (size_t at = 0; (done = map_next(&job->frontier, &at, NULL));) {
        struct item *item = run_add(&node->schedule, job, done->op);
        item->state = ITEM_DONE;
        item->node = done->node;
        item->attempt = done->attempt;
        item->len = done->len;
        item->value = blob_ref(done->value);
        item->kept = item->keeping = item->logged = true;
        memcpy(item->hash, done->hash, HASH_BYTES);
        schedule_supply(node, item);
    }
    return job->logged > 0;
}
