#include "nodes/core/schedule/assign.h"

#include <inttypes.h>

#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/link/peers.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/schedule/suspicion.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

#define SLOW_UNIT_US \
    (20 * MS_US) /* beside such a unit a round trip is nothing: no second one waits */
#define TASK_BYTES_MAX (MESSAGE_MAX_BYTES / 2) /* of operands in one task message */

/* Units of the measured pace that make up one batch. */
static uint64_t batch_units(const struct worker_slot *slot)
{
    uint64_t units = slot->unit_us ? BATCH_TARGET_US / slot->unit_us : 1;
    return units < 1 ? 1 : units > BATCH_OPS_MAX ? BATCH_OPS_MAX : units;
}

static bool is_pressed(const struct node *node, node_id_t id)
{
    const struct message *heartbeat = node->links.peers[id].heartbeat;
    return heartbeat && heartbeat->as.heartbeat.pressed;
}

/* How many units a worker may have: one batch to work on, and one to hide the round trip. One that
 * is short of memory gets one at a time: what it holds goes when it is used. */
static uint64_t credit(const struct node *node, node_id_t id)
{
    const struct worker_slot *slot = &node->schedule.slots[id];
    if (!slot->unit_us || slot->unit_us >= SLOW_UNIT_US || is_pressed(node, id))
        return 1;
    return 2 * batch_units(slot);
}

/* --- the choice of a worker --- */

static size_t operands_of(const struct item *item, struct plan_operand out[OPERANDS_MAX])
{
    if (item->operations)
        return plan_operands(&item->job->plan, item->op, out);
    out[0] = (struct plan_operand){.op = item->job->plan.total};
    return 1;
}

/* Adds up, per worker, the bytes of the item's operands that it made and may still hold. */
static void weigh(const struct node *node, const struct item *item, uint64_t bytes[NODES_MAX + 1])
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = item->count ? 0 : operands_of(item, operands);
    for (size_t i = 0; i < n; i++) {
        struct item *used =
            operands[i].op ? run_find(&node->schedule, item->job->id, operands[i].op) : NULL;
        if (used && !used->value)
            bytes[used->node] += used->len;
    }
}

/* True when the worker may get the item, leaving aside how much it has to do. */
static bool is_suitable(const struct node *node, node_id_t id, struct item *item)
{
    const struct worker_slot *slot = &node->schedule.slots[id];
    return schedule_is_worker(node, id) && !slot->alone &&
           node->step.now_us >= slot->rests_until_us && !deadlines_holds_back(node, id) &&
           !hold_of(item, id) && !suspicion_avoids(node, item, id);
}

static bool has_room(const struct node *node, node_id_t id, const struct item *item)
{
    const struct worker_slot *slot = &node->schedule.slots[id];
    if (item->alone)
        return !slot->outstanding;
    return slot->outstanding < credit(node, id) && node->step.now_us >= slot->reserved_until_us;
}

static bool is_better(const struct node *node, node_id_t id, node_id_t best,
                      const uint64_t bytes[NODES_MAX + 1])
{
    const struct worker_slot *slot = &node->schedule.slots[id],
                             *champion = &node->schedule.slots[best];
    if (!best)
        return true;
    if (is_pressed(node, id) != is_pressed(node, best))
        return !is_pressed(node, id);
    if (bytes[id] != bytes[best])
        return bytes[id] > bytes[best];
    return slot->outstanding != champion->outstanding ? slot->outstanding < champion->outstanding
                                                      : slot->last_pick < champion->last_pick;
}

/* An operation that goes alone waits for an idle worker: the one with least to do becomes it. */
static void reserve(struct node *node, struct item *item)
{
    struct worker_slot *best = NULL;
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++) {
        struct worker_slot *slot = &node->schedule.slots[id];
        if (is_suitable(node, id, item) && (!best || slot->outstanding < best->outstanding))
            best = slot;
    }
    if (best)
        best->reserved_until_us = node->step.now_us + RESERVED_US;
}

static node_id_t pick(struct node *node, struct item *item)
{
    uint64_t bytes[NODES_MAX + 1] = {0};
    node_id_t best = NODE_NONE;
    weigh(node, item, bytes);
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++) {
        if (is_suitable(node, id, item) && has_room(node, id, item) &&
            is_better(node, id, best, bytes))
            best = id;
    }
    if (!best && item->alone)
        reserve(node, item);
    return best;
}

/* --- task messages --- */

static void flush(struct node *node, node_id_t id)
{
    struct worker_slot *slot = &node->schedule.slots[id];
    struct message *batch = slot->batch;
    if (!batch)
        return;
    slot->batch = NULL;
    slot->batch_bytes = 0;
    /* Credits are far below what a channel queues: it refuses only when the worker is gone. */
    if (peers_send(&node->links, id, batch))
        schedule_worker_lost(node, id, false);
}

static void add_operands(struct node *node, const struct item *item, struct message *message,
                         struct wire_task_op *task)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = operands_of(item, operands);
    task->operands.at = message_room(message, n, sizeof *task->operands.at);
    task->operands.n = n;
    for (size_t i = 0; i < n; i++) {
        struct wire_operand *out = &task->operands.at[i];
        out->op = operands[i].op;
        out->literal = operands[i].literal;
        if (!out->op)
            continue;
        struct item *used = run_find(&node->schedule, item->job->id, out->op);
        if (used->value) {
            out->frame = message_add_frame(message, used->value);
        } else {
            out->len = used->len;
            out->source = used->node == item->node ? node->step.config.id : used->node;
            if (!schedule_is_worker(node, used->node))
                out->source = node->step.config.id;
            out->hash = message_copy(message, (struct slice){used->hash, HASH_BYTES});
        }
    }
}

static size_t operand_bytes(const struct node *node, const struct item *item)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = item->count ? 0 : operands_of(item, operands), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct item *used =
            operands[i].op ? run_find(&node->schedule, item->job->id, operands[i].op) : NULL;
        bytes += used && used->value ? used->value->len : 0;
    }
    return bytes;
}

static void add_task(struct node *node, const struct item *item)
{
    struct worker_slot *slot = &node->schedule.slots[item->node];
    size_t bytes = operand_bytes(node, item);
    if (slot->batch && (slot->batch->as.task.ops.n >= batch_units(slot) ||
                        slot->batch_bytes + bytes > TASK_BYTES_MAX))
        flush(node, item->node);
    if (!slot->batch) {
        slot->batch = message_new(MESSAGE_TASK);
        slot->batch->as.task.term = node->step.term;
        slot->batch->as.task.ops.at =
            message_room(slot->batch, BATCH_OPS_MAX, sizeof(struct wire_task_op));
    }
    struct wire_task_op *task = &slot->batch->as.task.ops.at[slot->batch->as.task.ops.n++];
    task->job = item->job->id;
    task->op = item->op;
    task->attempt = item->attempt;
    task->operator= message_text(slot->batch, item->operations ? "multiply" : "text");
    task->first = item->first;
    task->count = item->count;
    slot->batch_bytes += bytes;
    if (!item->count)
        add_operands(node, item, slot->batch, task);
}

/* --- the log line: W2 R1=10*9*8*7 --- */

static void log_assignment(struct node *node, const struct item *item)
{
    struct text line = {0};
    if (node->step.config.log_level < LOG_DEBUG)
        return;
    if (!item->operations) {
        outbox_log(&node->step.out, LOG_DEBUG, "W%u text of R%" PRIu64, item->node,
                   item->job->plan.total);
        return;
    }
    text_add(&line, "W%u R%" PRIu64 "=", item->node, item->op);
    if (item->count > OPERANDS_MAX) {
        text_add(&line, "%" PRIu64 "*...*%" PRIu64 " (%" PRIu64 " operations)", item->first,
                 item->first - item->count + 1, item->operations);
    } else {
        struct plan_operand operands[OPERANDS_MAX];
        size_t n = plan_operands(&item->job->plan, item->op, operands);
        for (size_t i = 0; i < n; i++)
            text_add(&line, "%s%s%" PRIu64, i ? "*" : "", operands[i].op ? "R" : "",
                     operands[i].op ? operands[i].op : operands[i].literal);
    }
    outbox_log(&node->step.out, LOG_DEBUG, "%s", line.at);
}

/* --- assigning --- */

static void give(struct node *node, struct item *item, node_id_t id)
{
    struct worker_slot *slot = &node->schedule.slots[id];
    item->node = id;
    node->schedule.reassigned += item->attempt++ > 0;
    hold_begin(node, item, id);
    slot->alone = item->alone;
    slot->last_pick = ++node->schedule.picks;
    log_assignment(node, item);
    add_task(node, item);
}

static void assign(struct node *node, struct item *item, node_id_t id)
{
    struct run *run = item->job->run;
    list_remove(item->count ? &run->units : &run->combine, item);
    list_push(&run->out, item);
    item->state = ITEM_ASSIGNED;
    give(node, item, id);
}

/* One operation of one job; false when none is ready, or no worker has credit. */
static bool assign_one(struct node *node, struct job *job)
{
    if (job->run->failing)
        return false;
    struct item *item = run_next(&node->schedule, job);
    node_id_t id = item ? pick(node, item) : NODE_NONE;
    if (!id)
        return false;
    assign(node, item, id);
    return true;
}

static bool is_anything_ready(struct node *node)
{
    for (size_t i = 0; i < node->schedule.n_active; i++)
        if (!node->schedule.active[i]->run->failing &&
            run_next(&node->schedule, node->schedule.active[i]))
            return true;
    return false;
}

static bool is_anybody_idle(const struct node *node)
{
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        if (schedule_is_worker(node, id) && !node->schedule.slots[id].outstanding &&
            !deadlines_holds_back(node, id))
            return true;
    return false;
}

/* Looks at deadlines, and gives copies of what takes too long to others. */
static void watch(struct node *node)
{
    struct item *item;
    if (!node->schedule.n_active || node->step.now_us < node->schedule.watch_us)
        return;
    node->schedule.watch_us = node->step.now_us + WATCH_US;
    schedule_watch_values(node);
    while ((item = deadlines_watch(node, is_anybody_idle(node) && !is_anything_ready(node)))) {
        node_id_t slow = item->node, id = pick(node, item);
        struct text name = {0};
        if (!id)
            return;
        item_name(item, &name);
        give(node, item, id);
        node->schedule.copied++;
        step_event(&node->step, "overtaking", slow, item->job->id,
                   "node %u takes long over %s: node %u executes it, too", slow, name.at, id);
    }
}

void assign_all(struct node *node)
{
    watch(node);
    struct schedule *schedule = &node->schedule;
    size_t idle = 0;
    while (schedule->n_active && idle < schedule->n_active) {
        schedule->turn = (schedule->turn + 1) % schedule->n_active;
        idle = assign_one(node, schedule->active[schedule->turn]) ? 0 : idle + 1;
    }
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        flush(node, id);
}
