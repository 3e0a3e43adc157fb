#include "nodes/core/schedule/assignments.h"

#include "nodes/core/schedule/shares.h"

/* It executes them in order, so many at a time. */
static void note_begun(struct schedule *schedule, node_id_t worker)
{
    uint64_t left = shares_slots(schedule, worker);
    struct assignment *it = schedule->slots[worker].first;
    for (; it && left; it = it->next, left--)
        if (!it->begun_us)
            it->begun_us = schedule->step->now_us;
}

void assignment_begin(struct schedule *schedule, struct open_op *open, node_id_t worker)
{
    struct worker_slot *slot = &schedule->slots[worker];
    struct assignment *assignment =
        open->assignments[0].node ? &open->assignments[1] : &open->assignments[0];
    *assignment = (struct assignment){.open = open,
                                      .node = worker,
                                      .attempt = open->attempt,
                                      .given_us = schedule->step->now_us,
                                      .previous = slot->last};
    *(slot->last ? &slot->last->next : &slot->first) = assignment;
    slot->last = assignment;
    open->job_schedule->given[worker] = true;
    if (!slot->outstanding++)
        slot->busy_us = schedule->step->now_us;
    note_begun(schedule, worker);
}

void assignment_end(struct schedule *schedule, struct assignment *assignment)
{
    struct worker_slot *slot = &schedule->slots[assignment->node];
    *(assignment->previous ? &assignment->previous->next : &slot->first) = assignment->next;
    *(assignment->next ? &assignment->next->previous : &slot->last) = assignment->previous;
    if (!--slot->outstanding)
        slot->alone = slot->overdue = slot->slow = false;
    node_id_t worker = assignment->node;
    *assignment = (struct assignment){0};
    note_begun(schedule, worker);
}

void assignments_end(struct schedule *schedule, struct open_op *open)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (open->assignments[i].node)
            assignment_end(schedule, &open->assignments[i]);
}

struct assignment *assignment_of(struct open_op *open, node_id_t worker)
{
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        if (open->assignments[i].node == worker)
            return &open->assignments[i];
    return NULL;
}

unsigned assignments_count(const struct open_op *open)
{
    unsigned n = 0;
    for (unsigned i = 0; i < HOLDERS_MAX; i++)
        n += open->assignments[i].node != NODE_NONE;
    return n;
}

void assignment_cancel(struct schedule *schedule, node_id_t worker, job_id_t job, op_id_t op)
{
    if (!schedule->links->peers[worker].channel.peer)
        return;
    struct message *message = message_new(MESSAGE_RELEASE);
    message->as.release.term = schedule->step->term;
    message->as.release.job = job;
    message->as.release.op = op;
    peers_send(schedule->links, worker, message);
}

void assignment_take_back(struct schedule *schedule, struct assignment *assignment, bool cancel)
{
    struct open_op *open = assignment->open;
    if (cancel)
        assignment_cancel(schedule, assignment->node, open->job_schedule->job->id, open->op);
    assignment_end(schedule, assignment);
    if (assignments_count(open)) {
        open->node =
            open->assignments[0].node ? open->assignments[0].node : open->assignments[1].node;
        return; /* its copy goes on */
    }
    list_remove(&open->job_schedule->out, open);
    open_op_return(schedule, open);
}

struct assignment *assignment_executing(const struct schedule *schedule, node_id_t worker)
{
    const struct peer *peer = &schedule->links->peers[worker];
    if (peer->heartbeat && peer->heartbeat->as.heartbeat.executing_op) {
        const struct wire_heartbeat *heartbeat = &peer->heartbeat->as.heartbeat;
        struct open_op *open =
            open_op_find(schedule, heartbeat->executing_job, heartbeat->executing_op);
        struct assignment *assignment = open ? assignment_of(open, worker) : NULL;
        if (assignment)
            return assignment;
    }
    return schedule->slots[worker].first;
}

size_t assignments_executing(const struct schedule *schedule, node_id_t worker,
                             struct assignment *out[COMPUTE_IN_FLIGHT])
{
    uint64_t slots = shares_slots(schedule, worker);
    size_t n = 0;
    if (slots == 1 && schedule->slots[worker].first)
        out[n++] = assignment_executing(schedule, worker);
    for (struct assignment *it = schedule->slots[worker].first; slots > 1 && it && n < slots;
         it = it->next)
        out[n++] = it;
    return n;
}

uint64_t assignment_busy_us(const struct schedule *schedule, const struct assignment *assignment)
{
    const struct worker_slot *slot = &schedule->slots[assignment->node];
    if (shares_slots(schedule, assignment->node) == 1)
        return slot->busy_us;
    return assignment->begun_us > slot->forgiven_us ? assignment->begun_us : slot->forgiven_us;
}
