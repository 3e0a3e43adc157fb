#include "nodes/core/schedule/results.h"

#include <string.h>

#include "nodes/core/schedule/completions.h"
#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/schedule/remake.h"
#include "nodes/core/schedule/job_timing.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/schedule/suspicion.h"

#include "shared/base/mutant.h"

/* Takes the operation out of the list that its state keeps it in, and out of its worker's account.
 */
static void unlist(struct schedule *schedule, struct open_op *open)
{
    struct job_schedule *job_schedule = open->job_schedule;
    switch (open->state) {
    case OP_READY:
        list_remove(open_op_list(open), open);
        break;
    case OP_ASSIGNED:
        assignments_end(schedule, open);
        list_remove(&job_schedule->out, open);
        break;
    case OP_FETCHING:
    case OP_KEEPING:
        list_remove(&job_schedule->out, open);
        break;
    case OP_PENDING:
    case OP_DONE:
        break;
    }
}

static struct value_id id_of(const struct open_op *open)
{
    return (struct value_id){open->job_schedule->job->id, open->op};
}

static void hand_back(struct schedule *schedule, struct open_op *open)
{
    if (open->job_schedule->spreading == open)
        open->job_schedule->spreading = NULL;
    offers_end(schedule->raft, id_of(open));
    unlist(schedule, open);
    open_op_return(schedule, open);
}

/* A short text goes into the log; of a program's bytes, which may be any, only what is a text. */
static bool is_inline(const struct open_op *open)
{
    return open->value && open->len <= TEXT_INLINE_DIGITS &&
           text_is_utf8((struct slice){open->value->at, open->value->len});
}

static void propose_done(struct schedule *schedule, const struct open_op *open)
{
    if (schedule_end_is_pending(schedule, open->job_schedule->job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    bool kept = !is_inline(open);
    completions_finish(schedule, open->job_schedule, entry);
    if (kept) {
        struct done_op text = {.op = open->op,
                               .node = open->node,
                               .attempt = open->won,
                               .len = open->len};
        memcpy(text.hash, open->hash, HASH_BYTES);
        job_write_done(entry, &text, &done->ops.at[done->ops.n++]);
    }
    done->source = schedule->step->config.id;
    done->time_ms = schedule->step->wall_ms;
    done->digits = open->len;
    done->sha256 = message_copy(entry, (struct slice){open->hash, HASH_BYTES});
    done->converter = open->node;
    if (!kept)
        done->text = message_copy(entry, (struct slice){open->value->at, open->value->len});
    done->head = message_text(entry, open->head);
    done->tail = message_text(entry, open->tail);
    raft_log_propose(schedule->raft, entry);
}

/* The text is here: a short one goes into the log, a longer one to disk first. */
static void finish_result(struct schedule *schedule, struct open_op *open)
{
    if (is_inline(open)) {
        propose_done(schedule, open);
        return;
    }
    open->state = OP_KEEPING;
    open->value_deadline_us = schedule->step->now_us + value_wait_us(open->len);
    list_push(&open->job_schedule->out, open);
    outbox_keep(&schedule->step->out, USER_SCHEDULE, id_of(open), open->value);
}

void schedule_value_kept(struct schedule *schedule, struct value_id id)
{
    struct open_op *open = open_op_find(schedule, id.job, id.op);
    if (!open)
        return;
    if (open->state != OP_KEEPING && !(open->state == OP_DONE && open->keeping))
        return;
    open->kept = true;
    remake_note_kept(schedule, open);
    offers_held_here(schedule->raft, id);
    if (open->state == OP_KEEPING)
        open->job_schedule->spreading = open;
    else
        outbox_drop(&schedule->step->out, USER_SCHEDULE, id); /* whoever asks is served from disk */
    results_propose_spread(schedule);
}

void results_propose_spread(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct open_op *open = schedule->active[i]->spreading;
        if (!open || !offers_is_spread(schedule->raft, id_of(open)))
            continue;
        schedule->active[i]->spreading = NULL;
        offers_end(schedule->raft, id_of(open));
        unlist(schedule, open);
        open->state = OP_DONE;
        propose_done(schedule, open);
    }
}

/* A value is of no use any more, here and at its maker; whoever has used it has let go. */
static void drop_value(struct schedule *schedule, const struct open_op *used, node_id_t user)
{
    outbox_drop(&schedule->step->out, USER_SCHEDULE, id_of(used));
    offers_end(schedule->raft, id_of(used));
    if (used->node != user && !used->lost && step_is_peer(schedule->step, used->node))
        assignment_cancel(schedule, used->node, used->job_schedule->job->id, used->op);
}

/* The values that the operation used are of no use any more, unless others use them, too. Who made
 * such a value has kept it, though he may have used it last. */
static void drop_operands(struct schedule *schedule, const struct open_op *open)
{
    struct open_op *used[OPERANDS_MAX];
    size_t n = open_op_used(schedule, open, used);
    bool shares = plan_shares(&open->job_schedule->job->plan);
    for (size_t i = 0; i < n; i++) {
        if (used[i]->state != OP_DONE ||
            (!open_op_is_used_up(schedule, used[i]) && !MUTANT(one_consumer)))
            continue;
        if (!used[i]->value)
            drop_value(schedule, used[i], shares ? NODE_NONE : open->node);
        open_op_remove(schedule, used[i]);
    }
}

/* One operand more is there for an operation. One that is done, or at a worker, has had it. */
static void supply(struct schedule *schedule, struct job_schedule *job_schedule, op_id_t op)
{
    struct open_op *consumer = open_op_find(schedule, job_schedule->job->id, op);
    if (!consumer && op_set_has(&job_schedule->finished, op))
        return;
    if (!consumer) {
        consumer = open_op_add(schedule, job_schedule, op);
        consumer->missing = open_op_count_missing(schedule, consumer) + 1;
    }
    if (consumer->state == OP_PENDING && --consumer->missing == 0)
        open_op_make_ready(consumer, false);
}

static void count(struct schedule *schedule, struct open_op *open)
{
    struct worker_slot *slot = &schedule->slots[open->node];
    slot->operations += open->operations;
    slot->conversions += open_op_traits(open)->conversion;
    schedule->operations += open->operations;
    job_schedule_note_done(open->job_schedule, open);
    completions_note(schedule, open);
    open->counted = true;
}

/* The operation's value is there, with us or with its maker: it counts, once. */
static void complete(struct schedule *schedule, struct open_op *open)
{
    open->state = OP_DONE;
    if (open->counted) {
        open->job_schedule->again -= open->operations;
        remake_note_done(open);
    } else {
        count(schedule, open);
    }
    drop_operands(schedule, open);
    if (open->op == plan_result(&open->job_schedule->job->plan)) {
        finish_result(schedule, open);
        return;
    }
    results_supply(schedule, open);
}

void results_supply(struct schedule *schedule, const struct open_op *open)
{
    op_id_t consumers[CONSUMERS_MAX];
    size_t n = plan_consumers(&open->job_schedule->job->plan, open->op, consumers);
    for (size_t i = 0; i < n; i++)
        supply(schedule, open->job_schedule, consumers[i]);
    if (MUTANT(held_goes_early) && remake_is_held(open))
        drop_value(schedule, open, NODE_NONE);
}

static void begin_fetch(struct schedule *schedule, struct open_op *open)
{
    open->state = OP_FETCHING;
    offers_make(schedule->raft, id_of(open), open->node, open->len, open->hash);
    open->value_deadline_us = schedule->step->now_us + value_wait_us(open->len);
    list_push(&open->job_schedule->out, open);
    outbox_fetch(&schedule->step->out, USER_SCHEDULE, id_of(open), open->node, open->len,
                 open->hash, 0);
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
                      const struct open_op *open, const struct wire_result_op *result)
{
    struct blob *value = message_frame(message, result->frame);
    bool text = open_op_traits(open)->conversion;
    if (result->frame && (!value || value->len != result->len || (!value->len && !text)))
        return false;
    /* The results of its operands come before its own. */
    if (open->job_schedule->small && open->state == OP_ASSIGNED &&
        open_op_count_missing(schedule, open) && !MUTANT(follower_overtakes))
        return false;
    if (!result->frame &&
        (!result->len || result->len > 4 * schedule->step->config.result_max_bytes))
        return false;
    return (result->frame && !text) || result->hash.len == HASH_BYTES;
}

/* The first result wins. */
static void cancel_others(struct schedule *schedule, const struct open_op *open, node_id_t winner)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (open->assignments[i].node && open->assignments[i].node != winner) {
            deadlines_stray(schedule, &open->assignments[i]);
            assignment_cancel(schedule, open->assignments[i].node, open->job_schedule->job->id,
                              open->op);
        }
}

/* What a program makes of the same values must be the same: another result than the one that counts
 * fails the job, for what was made of either is as good as the other. */
static void compare(struct schedule *schedule, node_id_t from, struct open_op *open,
                    const struct wire_result_op *result)
{
    struct text why = {0};
    if (!open || !open_op_traits(open)->program || !open->hashed ||
        result->hash.len != HASH_BYTES || MUTANT(differences_pass) ||
        !memcmp(open->hash, result->hash.at, HASH_BYTES))
        return;
    text_add(&why,
             "two runs of the program on the same values gave two results, on nodes %u and %u",
             open->node, from);
    suspicion_final(schedule, open, slice_of(why.at));
}

static void take_result(struct schedule *schedule, node_id_t from, const struct message *message,
                        struct open_op *open, const struct wire_result_op *result)
{
    schedule->slots[from].errors = 0;
    const struct assignment *assignment = assignment_of(open, from);
    if (open->state == OP_ASSIGNED && assignment) {
        job_timing_returned(schedule, assignment, result->elapsed_us);
        deadlines_note(schedule, from, open, result);
    }
    compare(schedule, from, open, result); /* it may have been done before, and lost */
    cancel_others(schedule, open, from);
    unlist(schedule, open);
    open->node = from;
    open->won = result->attempt;
    open->len = result->len;
    open->value = blob_ref(message_frame(message, result->frame));
    open->hashed = result->hash.len == HASH_BYTES;
    if (open->hashed)
        memcpy(open->hash, result->hash.at, HASH_BYTES);
    copy_edge(open->head, result->head);
    copy_edge(open->tail, result->tail);
    /* A stranger clock's must not overflow a sum. */
    uint64_t us = result->elapsed_us < UNLOGGED_US_MAX ? result->elapsed_us : UNLOGGED_US_MAX;
    open->elapsed_us = us - (result->starved_us < us ? result->starved_us : us);
    open->remake_us = remake_cost_us(schedule, open, open->elapsed_us);
    if (open->value || open->op != plan_result(&open->job_schedule->job->plan))
        complete(schedule, open);
    else
        begin_fetch(schedule, open);
}

/* A result that nobody waits for: its value is of no use. */
static void discard(struct schedule *schedule, node_id_t from, const struct open_op *open,
                    const struct wire_result_op *result)
{
    if (!result->error.len && !result->frame && (!open || open->node != from))
        assignment_cancel(schedule, from, result->job, result->op);
}

static void take_error(struct schedule *schedule, node_id_t from, struct open_op *open,
                       const struct wire_result_op *result)
{
    struct assignment *assignment =
        open && open->state == OP_ASSIGNED ? assignment_of(open, from) : NULL;
    if (!assignment || assignment->attempt != result->attempt)
        return; /* it was taken back, or cancelled */
    struct slice error = result->error;
    if (!error.len)
        error = slice_of("its result lacks a value");
    /* What makes its operand has failed there, or was taken back: that is not its fault. */
    bool stranded = assignment->follows && result->lacks && result->again;
    if (result->final && result->error.len)
        suspicion_final(schedule, open, error);
    else if (!stranded)
        suspicion_error(schedule, from, open, error, result->again && result->error.len);
    assignment_take_back(schedule, assignment, false);
    if (result->lacks)
        remake_missing(schedule, (struct value_id){result->job, result->lacks});
}

static void accept_result(struct schedule *schedule, node_id_t from, const struct message *message,
                          const struct wire_result_op *result)
{
    struct job_schedule *job_schedule = job_schedule_of(schedule, result->job);
    if (!job_schedule)
        return;
    job_schedule_note_executed(job_schedule, from, schedule->links->peers[from].incarnation,
                               result->executed);
    struct open_op *open = open_op_find(schedule, result->job, result->op);
    deadlines_returned(schedule, from);
    bool is_open = open && (open->state == OP_ASSIGNED || open->state == OP_READY ||
                            (open->state == OP_PENDING && MUTANT(lost_follower_counts)));
    if (is_open && !result->error.len && !is_usable(schedule, message, open, result)) {
        step_reject(schedule->step, from, "its result lacks a value");
        take_error(schedule, from, open, result);
    } else if (result->error.len) {
        take_error(schedule, from, open, result);
    } else if (is_open) {
        /* Only an open operation takes a result, whoever returns it and however late. */
        take_result(schedule, from, message, open, result);
    } else {
        if (!result->error.len)
            compare(schedule, from, open, result);
        if (MUTANT(late_result_counts) && open && open->state == OP_DONE &&
            !open_op_traits(open)->conversion)
            completions_note(schedule, open);
        discard(schedule, from, open, result);
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
    struct open_op *open = open_op_find(schedule, id.job, id.op);
    if (!open || (open->state != OP_FETCHING && !(open->state == OP_DONE && open->keeping)))
        return;
    open->here = true;
    if (open->state == OP_DONE) {
        outbox_keep(&schedule->step->out, USER_SCHEDULE, id, NULL);
        return;
    }
    unlist(schedule, open);
    complete(schedule, open);
}

void schedule_value_failed(struct schedule *schedule, struct value_id id)
{
    struct open_op *open = open_op_find(schedule, id.job, id.op);
    if (!open)
        return;
    if (open->state == OP_FETCHING || open->state == OP_KEEPING)
        hand_back(schedule, open);
    else if (!open->kept)
        open->keeping = false; /* the next checkpoint asks again */
}

void results_watch_values(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_active; i++) {
        for (struct open_op *next, *open = schedule->active[i]->out.first; open; open = next) {
            next = open->next;
            bool waits = open->state == OP_FETCHING || open->state == OP_KEEPING;
            if (!waits || schedule->step->now_us < open->value_deadline_us)
                continue;
            if (open->state == OP_FETCHING) {
                outbox_drop(&schedule->step->out, USER_SCHEDULE, id_of(open));
                hand_back(schedule, open);
            } else {
                open->value_deadline_us = schedule->step->now_us + value_wait_us(open->len);
                outbox_keep(&schedule->step->out, USER_SCHEDULE, id_of(open), open->value);
            }
        }
    }
}
