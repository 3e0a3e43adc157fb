/* Outcomes on their way into the log, with their details: first these go to the disks of a
 * majority, then an entry names both. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/tasks/pulls.h"
#include "shared/base/mutant.h"
#include "shared/base/slice.h"
#include "shared/tasks/bundle.h"

/* Segments of different terms must not have the same name: what a dead coordinator has left on
 * disks is none of ours. The term's last bits tell them apart: as many elections would have to come
 * in the life of a job. */
#define SEGMENT_BITS      20
#define SEGMENT_TERM_MASK (((uint64_t)1 << 19) - 1)

/* --- collecting --- */

static bool is_closed(const struct task_batch *batch)
{
    return batch->done.n >= TASK_RANGES_MAX - 1 || batch->n_exceptions == TASK_EXCEPTIONS_MAX ||
           batch->rows_len >= TASK_ROWS_BYTES || batch->n_bundles == BUNDLES_MAX ||
           batch->n_pieces >= BUNDLES_PIECES_MAX;
}

static uint64_t interval_us(const struct tasks *tasks, const struct task_schedule *of)
{
    uint64_t interval = tasks->step->config.checkpoint_interval_us, n = of->row->n_segments;
    return n <= TASK_SEGMENTS_FEW ? interval : interval / TASK_SEGMENTS_FEW * n;
}

/* The batch that takes the next outcome. */
static struct task_batch *open_batch(struct tasks *tasks, struct task_schedule *of)
{
    if (of->last_batch && !is_closed(of->last_batch))
        return of->last_batch;
    struct task_batch *batch = mem_new(1, sizeof *batch);
    if (!of->last_batch)
        of->write_us = tasks->step->now_us + interval_us(tasks, of);
    *(of->last_batch ? &of->last_batch->next : &of->batch) = batch;
    of->last_batch = batch;
    of->n_batches++;
    hash_begin(&batch->hash);
    return batch;
}

static void add_row(struct task_schedule *of, struct task_batch *batch, const struct task_row *row)
{
    size_t most = batch->rows_len + task_row_room(row);
    if (most > batch->rows_size) {
        batch->rows_size = most > 2 * batch->rows_size ? most : 2 * batch->rows_size;
        batch->rows = mem_grow(batch->rows, batch->rows_size, 1);
    }
    size_t n = task_row_write(batch->rows + batch->rows_len, row);
    hash_add(&batch->hash, batch->rows + batch->rows_len, n);
    batch->rows_len += n;
    of->batch_bytes += n;
    batch->first = !batch->first || row->first < batch->first ? row->first : batch->first;
    batch->last =
        row->first + row->count - 1 > batch->last ? row->first + row->count - 1 : batch->last;
}

static void add_exception(struct task_batch *batch, struct range range,
                          const struct task_exception *exception)
{
    struct task_exception *last =
        batch->n_exceptions ? &batch->exceptions[batch->n_exceptions - 1] : NULL;
    if (last && range_end(last->tasks) == range.first && task_exceptions_alike(last, exception)) {
        last->tasks.count += range.count;
        return;
    }
    if (!batch->exceptions)
        batch->exceptions = mem_new(TASK_EXCEPTIONS_MAX, sizeof *batch->exceptions);
    last = &batch->exceptions[batch->n_exceptions++];
    *last = *exception;
    last->tasks = range;
}

void batch_add(struct tasks *tasks, struct task_schedule *of, struct range range,
               const struct task_exception *exception, const struct task_row *details)
{
    struct task_batch *batch = open_batch(tasks, of);
    ranges_add(&of->taken, range);
    if (exception)
        add_exception(batch, range, exception);
    else
        ranges_add(&batch->done, range);
    if (details)
        add_row(of, batch, details);
    of->failed += exception && exception->state == TASK_FAILED ? range.count : 0;
    of->lost += exception && exception->state == TASK_LOST ? range.count : 0;
    of->cancelled += exception && exception->state == TASK_CANCELLED ? range.count : 0;
}

void batch_add_bundle(struct tasks *tasks, struct task_schedule *of,
                      const struct wire_task_bundle *bundle)
{
    struct task_batch *batch = open_batch(tasks, of);
    if (!batch->bundles)
        batch->bundles = mem_new(BUNDLES_MAX, sizeof *batch->bundles);
    struct task_values *it = &batch->bundles[batch->n_bundles++];
    *it = (struct task_values){bundle->op, bundle->len, mem_new(1, bundle->hashes.len)};
    slice_copy(it->hashes, bundle->hashes);
    batch->n_pieces += bundle_pieces(bundle->len);
}

bool batch_is_full(const struct task_schedule *of)
{
    return of->batch_bytes >= TASK_BATCHES_BYTES || of->n_batches >= TASK_BATCHES_MAX;
}

/* --- writing --- */

static void free_batch(struct task_batch *batch)
{
    ranges_clear(&batch->done);
    for (size_t i = 0; i < batch->n_bundles; i++)
        free(batch->bundles[i].hashes);
    free(batch->bundles);
    free(batch->exceptions);
    free(batch->rows);
    free(batch);
}

static void write_lists(struct message *message, const struct task_batch *batch)
{
    struct wire_entry_tasks_done *entry = &message->as.entry_tasks_done;
    entry->done.n = batch->done.n;
    entry->done.at = message_room(message, batch->done.n, sizeof *entry->done.at);
    for (size_t i = 0; i < batch->done.n; i++)
        entry->done.at[i] =
            (struct wire_task_range){batch->done.at[i].first, batch->done.at[i].count};
    entry->exceptions.n = batch->n_exceptions;
    entry->exceptions.at = message_room(message, batch->n_exceptions, sizeof *entry->exceptions.at);
    for (size_t i = 0; i < batch->n_exceptions; i++)
        task_exception_write(message, &batch->exceptions[i], &entry->exceptions.at[i]);
    entry->bundles.n = batch->n_bundles;
    entry->bundles.at = message_room(message, batch->n_bundles, sizeof *entry->bundles.at);
    for (size_t i = 0; i < batch->n_bundles; i++) {
        const struct task_values *it = &batch->bundles[i];
        size_t bytes = (size_t)bundle_pieces(it->len) * HASH_BYTES;
        entry->bundles.at[i] =
            (struct wire_task_bundle){it->op, it->len,
                                      message_copy(message, (struct slice){it->hashes, bytes})};
    }
}

/* The details go to disks: here, and at a majority of the voters. */
static void write_rows(struct tasks *tasks, struct task_schedule *of, struct task_batch *batch)
{
    struct task_writing *writing = &of->writing;
    struct wire_entry_tasks_done *entry = &writing->entry->as.entry_tasks_done;
    uint8_t hash[HASH_BYTES];
    hash_end(&batch->hash, hash);
    writing->rows = blob_copy(batch->rows, batch->rows_len);
    blob_set_hash(writing->rows, hash);
    writing->kept = false;
    writing->again_us = UINT64_MAX;
    writing->id =
        (struct value_id){of->row->id,
                          (tasks->step->term & SEGMENT_TERM_MASK) << SEGMENT_BITS | ++of->segments};
    entry->segments.n = 1;
    entry->segments.at = message_room(writing->entry, 1, sizeof *entry->segments.at);
    entry->segments.at[0] =
        (struct wire_task_segment){.op = writing->id.op,
                                   .len = batch->rows_len,
                                   .hash = message_copy(writing->entry,
                                                        (struct slice){hash, HASH_BYTES}),
                                   .first = batch->first,
                                   .last = batch->last};
    offers_make(tasks->raft, writing->id, tasks->step->config.id, batch->rows_len, hash);
    outbox_keep(&tasks->step->out, USER_TASKS, writing->id, writing->rows);
}

static void begin_writing(struct tasks *tasks, struct task_schedule *of)
{
    struct task_batch *batch = of->batch;
    struct message *message = message_new(MESSAGE_ENTRY_TASKS_DONE);
    message->as.entry_tasks_done.job = of->row->id;
    message->as.entry_tasks_done.attempts = of->attempts;
    message->as.entry_tasks_done.retries = of->retries;
    message->as.entry_tasks_done.deaths = of->deaths;
    message->as.entry_tasks_done.copies = of->copies;
    of->attempts = of->retries = of->deaths = of->copies = 0;
    write_lists(message, batch);
    of->writing.entry = message;
    if (batch->rows_len)
        write_rows(tasks, of, batch);
    of->batch = batch->next;
    of->n_batches--;
    of->batch_bytes -= batch->rows_len;
    if (!of->batch)
        of->last_batch = NULL;
    free_batch(batch);
    of->write_us = tasks->step->now_us + interval_us(tasks, of);
}

static void end_writing(struct tasks *tasks, struct task_schedule *of)
{
    struct task_writing *writing = &of->writing;
    struct message *entry = writing->entry;
    if (writing->rows && !(writing->kept && offers_is_spread(tasks->raft, writing->id)))
        return;
    if (writing->rows)
        offers_end(tasks->raft, writing->id);
    blob_drop(&writing->rows);
    writing->entry = NULL;
    entry->as.entry_tasks_done.time_ms = tasks->step->wall_ms;
    raft_log_propose(tasks->raft, entry);
}

/* An entry is due: time is over, it is as large as it may be, or no task is left. */
static bool is_due(const struct tasks *tasks, const struct task_schedule *of)
{
    return of->batch && (tasks->step->now_us >= of->write_us || is_closed(of->batch) ||
                         of->taken.count == of->row->total);
}

void batch_pump(struct tasks *tasks, struct task_schedule *of)
{
    struct task_writing *writing = &of->writing;
    if (writing->entry && writing->rows && tasks->step->now_us >= writing->again_us) {
        writing->again_us = UINT64_MAX;
        outbox_keep(&tasks->step->out, USER_TASKS, writing->id, writing->rows);
    }
    if (writing->entry)
        end_writing(tasks, of);
    while (!writing->entry && is_due(tasks, of)) {
        begin_writing(tasks, of);
        end_writing(tasks, of);
    }
}

uint64_t batch_deadline(const struct task_schedule *of)
{
    if (of->writing.entry)
        return of->writing.rows ? of->writing.again_us : 0;
    return of->batch ? of->write_us : UINT64_MAX;
}

/* --- disks --- */

static struct task_schedule *writing_of(const struct tasks *tasks, struct value_id id)
{
    struct task_schedule *of = task_schedule_of(tasks, id.job);
    return of && of->writing.rows && value_id_same(of->writing.id, id) ? of : NULL;
}

void tasks_value_ready(struct tasks *tasks, struct value_id id)
{
    pulls_value_ready(tasks, id);
}

void tasks_value_kept(struct tasks *tasks, struct value_id id)
{
    struct task_schedule *of = pulls_value_kept(tasks, id) ? NULL : writing_of(tasks, id);
    if (!of)
        return;
    of->writing.kept = true;
    offers_held_here(tasks->raft, id);
}

void tasks_value_failed(struct tasks *tasks, struct value_id id)
{
    struct task_schedule *of = pulls_value_failed(tasks, id) ? NULL : writing_of(tasks, id);
    if (of)
        of->writing.again_us = tasks->step->now_us + TASK_WRITE_AGAIN_US;
}

void batch_clear(struct tasks *tasks, struct task_schedule *of)
{
    for (struct task_batch *next, *batch = of->batch; batch; batch = next) {
        next = batch->next;
        free_batch(batch);
    }
    if (of->writing.rows) {
        offers_end(tasks->raft, of->writing.id);
        outbox_drop(&tasks->step->out, USER_TASKS, of->writing.id);
    }
    message_drop(&of->writing.entry);
    blob_drop(&of->writing.rows);
}
