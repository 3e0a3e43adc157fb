#include "nodes/core/schedule/results.h"

#include <string.h>

#include "nodes/core/schedule/completions.h"
#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/schedule/suspicion.h"

#include "shared/base/mutant.h"

/* Takes the item out of the list that its state keeps it in, and out of its worker's account. */
static void unlist(struct schedule *schedule, struct item *item)
{
    struct run *run = item->run;
    switch (item->state) {
    case ITEM_READY:
        list_remove(item->count ? &run->units : &run->combine, item);
        break;
    case ITEM_ASSIGNED:
        holds_end(schedule, item);
        list_remove(&run->out, item);
        break;
    case ITEM_FETCHING:
    case ITEM_KEEPING:
        list_remove(&run->out, item);
        break;
    case ITEM_PENDING:
    case ITEM_DONE:
        break;
    }
}

static struct value_id id_of(const struct item *item)
{
    return (struct value_id){item->run->job->id, item->op};
}

static void hand_back(struct schedule *schedule, struct item *item)
{
    unlist(schedule, item);
    run_make_ready(item, true);
}

static void propose_done(struct schedule *schedule, const struct item *item)
{
    if (schedule_end_is_pending(schedule, item->run->job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    bool kept = !item->value || item->len > TEXT_INLINE_DIGITS;
    completions_finish(schedule, item->run, entry);
    if (kept) {
        struct done_op text = {.op = item->op,
                               .node = item->node,
                               .attempt = item->won,
                               .len = item->len};
        memcpy(text.hash, item->hash, HASH_BYTES);
        job_write_done(entry, &text, &done->ops.at[done->ops.n++]);
    }
    done->source = schedule->step->config.id;
    done->time_ms = schedule->step->wall_ms;
    done->digits = item->len;
    done->sha256 = message_copy(entry, (struct slice){item->hash, HASH_BYTES});
    done->converter = item->node;
    if (item->value && item->len <= TEXT_INLINE_DIGITS)
        done->text = message_copy(entry, (struct slice){item->value->at, item->value->len});
    done->head = message_text(entry, item->head);
    done->tail = message_text(entry, item->tail);
    raft_log_propose(schedule->raft, entry);
}

/* The text is here: a short one goes into the log, a longer one to disk first. */
static void finish_result(struct schedule *schedule, struct item *item)
{
    if (item->value && item->len <= TEXT_INLINE_DIGITS) {
        propose_done(schedule, item);
        return;
    }
    item->state = ITEM_KEEPING;
    item->value_deadline_us = schedule->step->now_us + value_wait_us(item->len);
    list_push(&item->run->out, item);
    outbox_keep(&schedule->step->out, USER_SCHEDULE, id_of(item), item->value);
}

void schedule_value_kept(struct schedule *schedule, struct value_id id)
{
    struct item *item = run_find(schedule, id.job, id.op);
    if (!item)
        return;
    item->kept = true;
    if (item->state != ITEM_KEEPING)
        return;
    unlist(schedule, item);
    item->state = ITEM_DONE;
    propose_done(schedule, item);
}

/* The values that the operation used are of no use any more. */
static void drop_operands(struct schedule *schedule, const struct item *item)
{
    const struct job *job = item->run->job;
    struct plan_operand operands[OPERANDS_MAX];
    if (item->count)
        return;
    size_t n = plan_operands(&job->plan, item->op, operands);
    for (size_t i = 0; i < n; i++) {
        struct item *used = operands[i].op ? run_find(schedule, job->id, operands[i].op) : NULL;
        if (!used)
            continue;
        if (!used->value)
            outbox_drop(&schedule->step->out, USER_SCHEDULE, id_of(used));
        run_remove(schedule, used);
    }
}

static struct item *consumer_of(struct schedule *schedule, const struct item *item)
{
    struct run *run = item->run;
    const struct job *job = run->job;
    op_id_t op = plan_consumer(&job->plan, item->op);
    struct item *consumer = run_find(schedule, job->id, op);
    if (consumer)
        return consumer;
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(&job->plan, op, operands);
    consumer = run_add(schedule, run, op);
    for (size_t i = 0; i < n; i++)
        consumer->missing += operands[i].op != 0;
    return consumer;
}

/* The item's value is in the coordinator's hands: it counts, once. */
static void complete(struct schedule *schedule, struct item *item)
{
    struct worker_slot *slot = &schedule->slots[item->node];
    item->state = ITEM_DONE;
    slot->operations += item->operations;
    slot->conversions += item_traits(item)->conversion;
    schedule->operations += item->operations;
    run_note_done(item->run, item);
    completions_note(schedule, item);
    drop_operands(schedule, item);
    if (item->op == plan_result(&item->run->job->plan)) {
        finish_result(schedule, item);
        return;
    }
    results_supply(schedule, item);
}

void results_supply(struct schedule *schedule, const struct item *item)
{
    struct item *consumer = consumer_of(schedule, item);
    if (--consumer->missing == 0)
        run_make_ready(consumer, false);
}

static void begin_fetch(struct schedule *schedule, struct item *item)
{
    item->state = ITEM_FETCHING;
    item->value_deadline_us = schedule->step->now_us + value_wait_us(item->len);
    list_push(&item->run->out, item);
    outbox_fetch(&schedule->step->out, USER_SCHEDULE, id_of(item), item->node, item->len,
                 item->hash, 0);
}

static void copy_edge(char *at, struct slice edge)
{
    size_t len = edge.len < TEXT_EDGE_DIGITS ? edge.len : TEXT_EDGE_DIGITS;
    if (len)
        memcpy(at, edge.at, len);
    at[len] = '\0';
}

/* True when the result carries what its kind needs. */
static bool is_usable(const struct schedule *schedule, const struct message *message,
                      const struct item *item, const struct wire_result_op *result)
{
    struct blob *value = message_frame(message, result->frame);
    bool text = item_traits(item)->conversion;
    if (result->frame && (!value || value->len != result->len || !value->len))
        return false;
    if (!result->frame &&
        (!result->len || result->len > 4 * schedule->step->config.result_max_bytes))
        return false;
    return (result->frame && !text) || result->hash.len == HASH_BYTES;
}

/* The first result wins. */
static void cancel_others(struct schedule *schedule, const struct item *item, node_id_t winner)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (item->holds[i].node && item->holds[i].node != winner) {
            deadlines_stray(schedule, &item->holds[i]);
            hold_cancel(schedule, item->holds[i].node, item->run->job->id, item->op);
        }
}

static void take_result(struct schedule *schedule, node_id_t from, const struct message *message,
                        struct item *item, const struct wire_result_op *result)
{
    schedule->slots[from].errors = 0;
    if (item->state == ITEM_ASSIGNED && assignment_of(item, from))
        deadlines_note(schedule, from, item, result->elapsed_us);
    cancel_others(schedule, item, from);
    unlist(schedule, item);
    item->node = from;
    item->won = result->attempt;
    item->len = result->len;
    item->value = blob_ref(message_frame(message, result->frame));
    if (result->hash.len == HASH_BYTES)
        memcpy(item->hash, result->hash.at, HASH_BYTES);
    copy_edge(item->head, result->head);
    copy_edge(item->tail, result->tail);
    if (item->value)
        complete(schedule, item);
    else
        begin_fetch(schedule, item);
}

/* A result that nobody waits for: its value is of no use. */
static void discard(struct schedule *schedule, node_id_t from, const struct item *item,
                    const struct wire_result_op *result)
{
    if (!result->error.len && !result->frame && (!item || item->node != from))
        hold_cancel(schedule, from, result->job, result->op);
}

static void take_error(struct schedule *schedule, node_id_t from, struct item *item,
                       const struct wire_result_op *result)
{
    struct assignment *hold =
        item && item->state == ITEM_ASSIGNED ? assignment_of(item, from) : NULL;
    if (!hold || hold->attempt != result->attempt)
        return; /* it was taken back, or cancelled */
    struct slice error = result->error;
    if (!error.len)
        error = slice_of("its result lacks a value");
    suspicion_error(schedule, from, item, error, result->again && result->error.len);
    hold_take_back(schedule, hold, false);
}

static void accept_result(struct schedule *schedule, node_id_t from, const struct message *message,
                          const struct wire_result_op *result)
{
    struct run *run = run_of(schedule, result->job);
    if (!run)
        return;
    run_note_executed(run, from, schedule->links->peers[from].incarnation, result->executed);
    struct item *item = run_find(schedule, result->job, result->op);
    deadlines_returned(schedule, from);
    bool open = item && (item->state == ITEM_ASSIGNED || item->state == ITEM_READY);
    if (open && !result->error.len && !is_usable(schedule, message, item, result)) {
        step_reject(schedule->step, from, "its result lacks a value");
        take_error(schedule, from, item, result);
    } else if (result->error.len) {
        take_error(schedule, from, item, result);
    } else if (open) {
        /* Only an open operation takes a result, whoever returns it and however late. */
        take_result(schedule, from, message, item, result);
    } else {
        if (MUTANT(late_result_counts) && item && item->state == ITEM_DONE &&
            !item_traits(item)->conversion)
            completions_note(schedule, item);
        discard(schedule, from, item, result);
    }
}

void schedule_results(struct schedule *schedule, node_id_t from, const struct message *message)
{
    if (!raft_serves(schedule->raft))
        return;
    for (size_t i = 0; i < message->as.result.ops.n; i++)
        accept_result(schedule, from, message, &message->as.result.ops.at[i]);
}

void schedule_value_ready(struct schedule *schedule, struct value_id id)
{
    struct item *item = run_find(schedule, id.job, id.op);
    if (!item || item->state != ITEM_FETCHING)
        return;
    unlist(schedule, item);
    complete(schedule, item);
}

void schedule_value_failed(struct schedule *schedule, struct value_id id)
{
    struct item *item = run_find(schedule, id.job, id.op);
    if (!item)
        return;
    if (item->state == ITEM_FETCHING || item->state == ITEM_KEEPING)
        hand_back(schedule, item);
    else if (!item->kept)
        item->keeping = false; /* the next checkpoint asks again */
}

void results_watch_values(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_active; i++) {
        for (struct item *next, *item = schedule->active[i]->out.first; item; item = next) {
            next = item->next;
            bool waits = item->state == ITEM_FETCHING || item->state == ITEM_KEEPING;
            if (!waits || schedule->step->now_us < item->value_deadline_us)
                continue;
            if (item->state == ITEM_FETCHING) {
                outbox_drop(&schedule->step->out, USER_SCHEDULE, id_of(item));
                hand_back(schedule, item);
            } else {
                item->value_deadline_us = schedule->step->now_us + value_wait_us(item->len);
                outbox_keep(&schedule->step->out, USER_SCHEDULE, id_of(item), item->value);
            }
        }
    }
}
