#include "nodes/core/schedule/assignments.h"

void assignment_begin(struct schedule *schedule, struct item *item, node_id_t worker)
{
    struct worker_slot *slot = &schedule->slots[worker];
    struct assignment *hold = item->holds[0].node ? &item->holds[1] : &item->holds[0];
    *hold = (struct assignment){.item = item,
                                .node = worker,
                                .attempt = item->attempt,
                                .given_us = schedule->step->now_us,
                                .previous = slot->last};
    *(slot->last ? &slot->last->next : &slot->first) = hold;
    slot->last = hold;
    if (!slot->outstanding++)
        slot->busy_us = schedule->step->now_us;
}

void assignment_end(struct schedule *schedule, struct assignment *hold)
{
    struct worker_slot *slot = &schedule->slots[hold->node];
    *(hold->previous ? &hold->previous->next : &slot->first) = hold->next;
    *(hold->next ? &hold->next->previous : &slot->last) = hold->previous;
    if (!--slot->outstanding)
        slot->alone = slot->overdue = slot->slow = false;
    *hold = (struct assignment){0};
}

void holds_end(struct schedule *schedule, struct item *item)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (item->holds[i].node)
            assignment_end(schedule, &item->holds[i]);
}

struct assignment *assignment_of(struct item *item, node_id_t worker)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (item->holds[i].node == worker)
            return &item->holds[i];
    return NULL;
}

unsigned holds_count(const struct item *item)
{
    unsigned n = 0;
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        n += item->holds[i].node != NODE_NONE;
    return n;
}

void hold_cancel(struct schedule *schedule, node_id_t worker, job_id_t job, op_id_t op)
{
    if (!schedule->links->peers[worker].channel.peer)
        return;
    struct message *message = message_new(MESSAGE_RELEASE);
    message->as.release.term = schedule->step->term;
    message->as.release.job = job;
    message->as.release.op = op;
    peers_send(schedule->links, worker, message);
}

void hold_take_back(struct schedule *schedule, struct assignment *hold, bool cancel)
{
    struct item *item = hold->item;
    if (cancel)
        hold_cancel(schedule, hold->node, item->run->job->id, item->op);
    assignment_end(schedule, hold);
    if (holds_count(item)) {
        item->node = item->holds[0].node ? item->holds[0].node : item->holds[1].node;
        return; /* its copy goes on */
    }
    list_remove(&item->run->out, item);
    run_make_ready(item, true);
}

struct assignment *assignment_executing(const struct schedule *schedule, node_id_t worker)
{
    const struct peer *peer = &schedule->links->peers[worker];
    if (peer->heartbeat && peer->heartbeat->as.heartbeat.executing_op) {
        const struct wire_heartbeat *heartbeat = &peer->heartbeat->as.heartbeat;
        struct item *item = run_find(schedule, heartbeat->executing_job, heartbeat->executing_op);
        struct assignment *hold = item ? assignment_of(item, worker) : NULL;
        if (hold)
            return hold;
    }
    return schedule->slots[worker].first;
}
