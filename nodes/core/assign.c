#include "nodes/core/assign.h"

#include <inttypes.h>

#include "nodes/core/peers.h"
#include "nodes/core/schedule.h"
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

/* How many units a worker may have: one batch to work on, and one to hide the round trip. */
static uint64_t credit(const struct worker_slot *slot)
{
    if (!slot->unit_us || slot->unit_us >= SLOW_UNIT_US)
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

static node_id_t pick(const struct node *node, const struct item *item)
{
    uint64_t bytes[NODES_MAX + 1] = {0};
    node_id_t best = NODE_NONE;
    weigh(node, item, bytes);
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        const struct worker_slot *slot = &node->peers[id].slot, *champion = &node->peers[best].slot;
        if (!peers_is_worker(node, id) || slot->outstanding >= credit(slot))
            continue;
        bool better = !best || bytes[id] > bytes[best];
        if (best && bytes[id] == bytes[best])
            better = slot->outstanding != champion->outstanding
                         ? slot->outstanding < champion->outstanding
                         : slot->last_pick < champion->last_pick;
        if (better)
            best = id;
    }
    return best;
}

/* --- task messages --- */

static void flush(struct node *node, node_id_t id)
{
    struct worker_slot *slot = &node->peers[id].slot;
    struct message *batch = slot->batch;
    if (!batch)
        return;
    slot->batch = NULL;
    slot->batch_bytes = 0;
    /* Credits are far below what a channel queues: it refuses only when the worker is gone. */
    if (peers_send(node, id, batch))
        schedule_worker_lost(node, id);
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
            out->source = used->node == item->node ? node->config.id : used->node;
            if (!peers_is_worker(node, used->node))
                out->source = node->config.id;
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
    struct worker_slot *slot = &node->peers[item->node].slot;
    size_t bytes = operand_bytes(node, item);
    if (slot->batch && (slot->batch->as.task.ops.n >= batch_units(slot) ||
                        slot->batch_bytes + bytes > TASK_BYTES_MAX))
        flush(node, item->node);
    if (!slot->batch) {
        slot->batch = message_new(MESSAGE_TASK);
        slot->batch->as.task.term = node->election.term;
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
    if (node->config.log_level < LOG_DEBUG)
        return;
    if (!item->operations) {
        outbox_log(&node->out, LOG_DEBUG, "W%u text of R%" PRIu64, item->node,
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
    outbox_log(&node->out, LOG_DEBUG, "%s", line.at);
}

/* --- assigning --- */

static void assign(struct node *node, struct item *item, node_id_t id)
{
    struct run *run = item->job->run;
    struct worker_slot *slot = &node->peers[id].slot;
    list_remove(item->count ? &run->units : &run->combine, item);
    list_push(&run->out, item);
    item->state = ITEM_ASSIGNED;
    item->node = id;
    node->schedule.reassigned += item->attempt++ > 0;
    slot->outstanding++;
    slot->last_pick = ++node->schedule.picks;
    log_assignment(node, item);
    add_task(node, item);
}

/* One operation of one job; false when none is ready, or no worker has credit. */
static bool assign_one(struct node *node, struct job *job)
{
    struct item *item = run_next(&node->schedule, job);
    node_id_t id = item ? pick(node, item) : NODE_NONE;
    if (!id)
        return false;
    assign(node, item, id);
    return true;
}

void assign_all(struct node *node)
{
    struct schedule *schedule = &node->schedule;
    size_t idle = 0;
    while (schedule->n_active && idle < schedule->n_active) {
        schedule->turn = (schedule->turn + 1) % schedule->n_active;
        idle = assign_one(node, schedule->active[schedule->turn]) ? 0 : idle + 1;
    }
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        flush(node, id);
}
