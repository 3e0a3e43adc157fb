#include "nodes/core/schedule/assign.h"

#include <assert.h>
#include <inttypes.h>

#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/schedule/follow.h"
#include "nodes/core/schedule/job_timing.h"
#include "nodes/core/link/link.h"
#include "nodes/core/schedule/results.h"
#include "nodes/core/schedule/remake.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/schedule/shares.h"
#include "nodes/core/schedule/suspicion.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* Beside such a subtree a round trip is nothing: no second one waits. */
#define SLOW_OPERATION_US (20 * MS_US)
#define TASK_BYTES_MAX    (MESSAGE_MAX_BYTES / 2) /* of operands in one task message */

/* Operations or subtrees that make up one batch, by the measured pace. */
static uint64_t batch_operations(const struct worker_slot *slot)
{
    uint64_t operations = slot->operation_us ? BATCH_TARGET_US / slot->operation_us : 1;
    return operations < 1 ? 1 : operations > BATCH_OPS_MAX ? BATCH_OPS_MAX : operations;
}

static bool is_pressed(const struct schedule *schedule, node_id_t id)
{
    const struct message *heartbeat = schedule->links->peers[id].heartbeat;
    return heartbeat && heartbeat->as.heartbeat.pressed;
}

/* How many operations or subtrees a worker may have: for each slot one batch to work on, and one to
 * hide the round trip, which is left out beside tasks. A worker short of memory gets one at a time:
 * what it holds goes when it is used. */
static uint64_t credit(const struct schedule *schedule, node_id_t id)
{
    const struct worker_slot *slot = &schedule->slots[id];
    uint64_t slots = shares_of_operations(schedule, id);
    if (is_pressed(schedule, id))
        return slots ? 1 : 0;
    if (!slot->operation_us || slot->operation_us >= SLOW_OPERATION_US)
        return slots;
    return (shares_with_tasks(schedule, id) ? 1 : 2) * slots * batch_operations(slot);
}

/* --- the choice of a worker --- */

/* Adds up, per worker, the bytes of the operation's operands that it made and may still hold. Who
 * had so large an operation lately has the memory for it, ten bytes for each of an operand: to
 * touch them for the first time takes about as long as to fetch that one. */
static void weigh(const struct schedule *schedule, const struct open_op *open,
                  uint64_t bytes[NODES_MAX + 1])
{
    struct open_op *used[OPERANDS_MAX];
    uint64_t all = 0;
    for (size_t i = open_op_used(schedule, open, used); i-- > 0; all += used[i]->len)
        bytes[used[i]->node] += used[i]->value ? 0 : used[i]->len;
    if (all < WARM_BYTES_MIN || MUTANT(warm_is_cold))
        return;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        const struct worker_slot *slot = &schedule->slots[id];
        if (schedule->step->now_us < slot->warm_until_us)
            bytes[id] += slot->warm_bytes < all ? slot->warm_bytes : all;
    }
}

/* True when the worker may get the operation, leaving aside how much it has to do. */
static bool is_suitable(const struct schedule *schedule, node_id_t id, struct open_op *open)
{
    const struct worker_slot *slot = &schedule->slots[id];
    /* Who does not know yet that we coordinate takes nothing in. */
    return schedule_is_worker(schedule, id) && peers_follows(schedule->links, id) && !slot->alone &&
           schedule->step->now_us >= slot->rests_until_us && !deadlines_holds_back(schedule, id) &&
           !assignment_of(open, id) && !suspicion_avoids(schedule, open, id);
}

static bool has_room(const struct schedule *schedule, node_id_t id, const struct open_op *open)
{
    const struct worker_slot *slot = &schedule->slots[id];
    if (open->alone)
        return !slot->outstanding && shares_of_operations(schedule, id);
    return slot->outstanding < credit(schedule, id) &&
           schedule->step->now_us >= slot->reserved_until_us;
}

static bool is_better(const struct schedule *schedule, node_id_t id, node_id_t best,
                      const uint64_t bytes[NODES_MAX + 1])
{
    const struct worker_slot *slot = &schedule->slots[id], *champion = &schedule->slots[best];
    if (!best)
        return true;
    if (is_pressed(schedule, id) != is_pressed(schedule, best))
        return !is_pressed(schedule, id);
    if (bytes[id] != bytes[best])
        return bytes[id] > bytes[best];
    /* Whoever has fewer for each of its slots. */
    uint64_t own = slot->outstanding * shares_slots(schedule, best),
             other = champion->outstanding * shares_slots(schedule, id);
    return own != other ? own < other : slot->last_pick < champion->last_pick;
}

/* An operation that goes alone waits for an idle worker: the one with least to do becomes it. */
static void reserve(struct schedule *schedule, struct open_op *open)
{
    struct worker_slot *best = NULL;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        struct worker_slot *slot = &schedule->slots[id];
        if (is_suitable(schedule, id, open) && (!best || slot->outstanding < best->outstanding))
            best = slot;
    }
    if (best)
        best->reserved_until_us = schedule->step->now_us + RESERVED_US;
}

static node_id_t pick(struct schedule *schedule, struct open_op *open)
{
    uint64_t bytes[NODES_MAX + 1] = {0};
    node_id_t best = NODE_NONE;
    weigh(schedule, open, bytes);
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        if (is_suitable(schedule, id, open) && has_room(schedule, id, open) &&
            is_better(schedule, id, best, bytes))
            best = id;
    }
    if (!best && open->alone)
        reserve(schedule, open);
    return best;
}

/* --- task messages --- */

static void flush(struct schedule *schedule, node_id_t id)
{
    struct worker_slot *slot = &schedule->slots[id];
    struct message *batch = slot->batch;
    if (!batch)
        return;
    slot->batch = NULL;
    slot->batch_bytes = 0;
    /* Credits are far below what a channel queues: it refuses only when the worker is gone. */
    if (peers_send(schedule->links, id, batch))
        schedule_worker_lost(schedule, id, false);
}

/* A voter that lives and is not the worker itself, another one for each segment: all of them have
 * it on disk, but for those that fetch it just now. */
static node_id_t source_of(const struct schedule *schedule, node_id_t worker, uint64_t segment)
{
    uint32_t voters = schedule->step->config.n_voters;
    for (uint32_t i = 0; i < voters; i++) {
        node_id_t id = (node_id_t)((segment + i) % voters) + 1;
        bool here = id == schedule->step->config.id;
        if (id != worker && (here || schedule->links->peers[id].alive))
            return id;
    }
    return schedule->step->config.id;
}

/* A segment of a stored value, which is there while the job is. */
static void add_input(struct schedule *schedule, const struct open_op *open,
                      const struct plan_operand *operand, struct message *message,
                      struct wire_operand *out)
{
    const struct job *job = open->job_schedule->job;
    const struct stored_value *value =
        operand->input <= job->n_inputs
            ? stored_values_find(&schedule->state->stored, job->inputs[operand->input - 1])
            : NULL;
    if (!value || !operand->literal || operand->literal > value->n_segments)
        return; /* the worker refuses it: the kind has checked its segments */
    const struct stored_segment *segment = &value->segments[operand->literal - 1];
    out->literal = 0;
    out->value = value->id;
    out->op = segment->op;
    out->len = segment->len;
    out->source = source_of(schedule, open->node, operand->literal);
    out->hash = message_copy(message, (struct slice){segment->sha256, HASH_BYTES});
}

/* What a user's program executes is that of the job's last input, whatever was added since. */
static void add_program(struct schedule *schedule, const struct open_op *open,
                        struct message *message, struct wire_task_op *task)
{
    struct plan_operand program = {.literal = 1, .input = open->job_schedule->job->n_inputs};
    task->program.at = message_room(message, 1, sizeof *task->program.at);
    task->program.n = 1;
    add_input(schedule, open, &program, message, &task->program.at[0]);
}

static void add_operands(struct schedule *schedule, const struct open_op *open,
                         struct message *message, struct wire_task_op *task)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(&open->job_schedule->job->plan, open->op, operands);
    task->operands.at = message_room(message, n, sizeof *task->operands.at);
    task->operands.n = n;
    for (size_t i = 0; i < n; i++) {
        struct wire_operand *out = &task->operands.at[i];
        out->op = operands[i].op;
        out->literal = operands[i].literal;
        if (operands[i].input)
            add_input(schedule, open, &operands[i], message, out);
        if (!operands[i].op)
            continue;
        struct open_op *used = open_op_find(schedule, open->job_schedule->job->id, out->op);
        assert(used); /* it stays while there is a consumer that is not done */
        if (used->state != OP_DONE) {
            out->follows = true;
        } else if (used->value) {
            out->frame = message_add_frame(message, used->value);
        } else {
            out->len = used->len;
            out->stays = used->node == open->node && plan_shares(&open->job_schedule->job->plan);
            out->source = used->node == open->node ? schedule->step->config.id : used->node;
            if (!schedule_is_worker(schedule, used->node))
                out->source = schedule->step->config.id;
            out->hash = message_copy(message, (struct slice){used->hash, HASH_BYTES});
        }
    }
    if (open_op_traits(open)->program && n > 1 && MUTANT(parts_swapped)) {
        struct wire_operand last = task->operands.at[n - 1];
        task->operands.at[n - 1] = task->operands.at[n - 2];
        task->operands.at[n - 2] = last;
    }
    if (open_op_traits(open)->program && n > 1)
        add_program(schedule, open, message, task);
}

static size_t operand_bytes(const struct schedule *schedule, const struct open_op *open)
{
    struct open_op *used[OPERANDS_MAX];
    size_t bytes = 0;
    for (size_t i = open_op_used(schedule, open, used); i-- > 0;)
        bytes += used[i]->value ? used[i]->value->len : 0;
    return bytes;
}

/* `along`: with what is in the message, which has room. */
static void add_task(struct schedule *schedule, const struct open_op *open, bool along)
{
    struct worker_slot *slot = &schedule->slots[open->node];
    size_t bytes = operand_bytes(schedule, open);
    if (slot->batch && !along &&
        (slot->batch->as.task.ops.n >= batch_operations(slot) ||
         slot->batch_bytes + bytes > TASK_BYTES_MAX))
        flush(schedule, open->node);
    if (!slot->batch) {
        slot->batches++;
        slot->batch = message_new(MESSAGE_TASK);
        slot->batch->as.task.term = schedule->step->term;
        slot->batch->as.task.ops.at =
            message_room(slot->batch, BATCH_OPS_MAX, sizeof(struct wire_task_op));
    }
    struct wire_task_op *task = &slot->batch->as.task.ops.at[slot->batch->as.task.ops.n++];
    task->job = open->job_schedule->job->id;
    task->op = open->op;
    task->attempt = open->attempt;
    task->opcode = message_text(slot->batch, open_op_traits(open)->name);
    task->first = open->first;
    task->count = open->count;
    slot->batch_bytes += bytes;
    if (!open->count)
        add_operands(schedule, open, slot->batch, task);
}

/* --- the log line: W2 R1=10*9*8*7 --- */

static void log_assignment(struct schedule *schedule, const struct open_op *open)
{
    struct text line = {0};
    if (schedule->step->config.log_level < LOG_DEBUG)
        return;
    text_add(&line, "W%u ", open->node);
    if (open_op_traits(open)->conversion)
        text_add(&line, "%s of ", open_op_traits(open)->name);
    else
        text_add(&line, "R%" PRIu64 "=", open->op);
    if (open->count > OPERANDS_MAX) {
        text_add(&line, "%" PRIu64 "*...*%" PRIu64 " (%" PRIu64 " operations)", open->first,
                 open->first - open->count + 1, open->operations);
    } else {
        struct plan_operand operands[OPERANDS_MAX];
        size_t n = plan_operands(&open->job_schedule->job->plan, open->op, operands);
        if (open->cut && !open->count)
            text_add(&line, "%s ", open_op_traits(open)->name);
        for (size_t i = 0; i < n; i++)
            text_add(&line, "%s%s%" PRIu64, i ? open_op_traits(open)->sign : "",
                     operands[i].op ? "R" : "",
                     operands[i].op ? operands[i].op : operands[i].literal);
    }
    outbox_log(&schedule->step->out, LOG_DEBUG, "%s", line.at);
}

/* --- assigning --- */

static void give(struct schedule *schedule, struct open_op *open, node_id_t id, bool along)
{
    struct worker_slot *slot = &schedule->slots[id];
    open->node = id;
    schedule->reassigned += open->attempt++ > 0;
    if (open->attempt > open->job_schedule->attempts)
        open->job_schedule->attempts = open->attempt;
    assignment_begin(schedule, open, id);
    job_timing_given(schedule, assignment_of(open, id));
    slot->alone = open->alone;
    slot->last_pick = ++schedule->picks;
    slot->tasks_last = false;
    log_assignment(schedule, open);
    add_task(schedule, open, along);
    struct assignment *assignment = assignment_of(open, id);
    if (assignment) /* else the worker was lost with the message before */
        assignment->batch = slot->batches;
}

/* What uses its result goes along, as far as that is possible. */
static void give_followers(struct schedule *schedule, const struct open_op *open, node_id_t id)
{
    struct open_op *next;
    while ((next = follow_next(schedule, open, id))) {
        list_push(&next->job_schedule->out, next);
        next->state = OP_ASSIGNED;
        next->missing = 0;
        next->operations *= !MUTANT(follower_uncounted);
        give(schedule, next, id, true);
        assignment_of(next, id)->follows = true;
        open = next;
    }
}

static void assign(struct schedule *schedule, struct open_op *open, node_id_t id, bool along)
{
    struct job_schedule *job_schedule = open->job_schedule;
    list_remove(open_op_list(open), open);
    list_push(&job_schedule->out, open);
    open->state = OP_ASSIGNED;
    give(schedule, open, id, along);
    give_followers(schedule, open, id);
}

/* All operations of the job go in one message; `open` is the first of them. */
static void assign_whole(struct schedule *schedule, struct open_op *open, node_id_t id)
{
    const struct worker_slot *slot = &schedule->slots[id];
    struct job_schedule *job_schedule = open->job_schedule;
    if (slot->batch &&
        slot->batch->as.task.ops.n + plan_result(&job_schedule->job->plan) > BATCH_OPS_MAX)
        flush(schedule, id);
    do {
        assign(schedule, open, id, slot->batch != NULL);
        open = job_schedule_next(schedule, job_schedule);
    } while (open && slot->batch && slot->batch->as.task.ops.n < BATCH_OPS_MAX);
}

/* One operation of one job, or all of them; false when none is ready, or no worker has credit. */
static bool assign_one(struct schedule *schedule, struct job_schedule *job_schedule)
{
    if (job_schedule->failing)
        return false;
    struct open_op *open = job_schedule_next(schedule, job_schedule);
    if (open && remake_operands(schedule, open))
        return true;
    node_id_t id = open ? pick(schedule, open) : NODE_NONE;
    if (!id)
        return false;
    if (follow_is_known(schedule, id) && follow_whole(schedule, job_schedule))
        assign_whole(schedule, open, id);
    else
        assign(schedule, open, id, false);
    return true;
}

static bool is_anything_ready(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_active; i++)
        if (!schedule->active[i]->failing && job_schedule_next(schedule, schedule->active[i]))
            return true;
    return false;
}

/* Looks at deadlines, and gives copies of what takes too long to others. A copy that waits for room
 * is looked at in every step: whoever has room in this one is given it before anything else. */
static void watch(struct schedule *schedule)
{
    struct open_op *open;
    bool due = schedule->step->now_us >= schedule->watch_us;
    if (!schedule->n_active || (!due && !schedule->copy_waits))
        return;
    if (due) {
        schedule->watch_us = schedule->step->now_us + WATCH_US;
        results_watch_values(schedule);
    }
    schedule->copy_waits = false;
    while ((open = deadlines_watch(schedule, deadlines_anybody_is_idle(schedule) &&
                                                 !is_anything_ready(schedule)))) {
        node_id_t slow = open->node, id = pick(schedule, open);
        struct text name = {0};
        if (!id) {
            schedule->copy_waits = true;
            return;
        }
        open_op_name(open, &name);
        give(schedule, open, id, false);
        schedule->copied++;
        step_event(schedule->step, "overtaking", slow, open->job_schedule->job->id,
                   "node %u takes long over %s: node %u executes it, too", slow, name.at, id);
    }
}

void assign_all(struct schedule *schedule)
{
    watch(schedule);
    size_t idle = 0;
    while (schedule->n_active && idle < schedule->n_active) {
        schedule->turn = (schedule->turn + 1) % schedule->n_active;
        idle = assign_one(schedule, schedule->active[schedule->turn]) ? 0 : idle + 1;
    }
    schedule->wants = schedule->task_jobs && is_anything_ready(schedule);
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        flush(schedule, id);
}
