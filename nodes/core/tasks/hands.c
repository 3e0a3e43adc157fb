/* What workers have, and who gets what next. */
#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/tasks/failures.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/slots.h"

/* From this time of a task on a worker gets no other one to hide the round trip. */
#define SLOW_TASK_NS (20 * MS_US * 1000)

/* Commands that take less than this on average, as /bin/true with five at a time on two processors
 * does (3 ms), are given so many at a time: 0.6 ms of processor time for a command's messages
 * become 0.3. */
#define SHORT_COMMAND_NS     (8 * MS_US * 1000)
#define SHORT_COMMANDS_BATCH 4

/* Tasks that are passed over when one is looked for: their look costs, and more than these are
 * seldom free again at a time. */
#define TROUBLES_PASSED_MAX 16

/* --- what they have --- */

/* The schedule of operations knows how many slots tasks have. */
static void note_slots(struct tasks *tasks, const struct task_hand *hand, uint64_t count, bool more)
{
    uint64_t each = hand->of->row->options.slots;
    uint64_t slots = task_schedule_is_instant(tasks, hand->of) ? 0 : count * (each ? each : 1);
    uint64_t *at = &tasks->schedule->slots[hand->node].tasks;
    *at = more ? *at + slots : *at > slots ? *at - slots : 0;
}

static void count(struct task_hand *hand, uint64_t tasks, bool more)
{
    uint64_t *at = hand->copy ? &hand->of->copying : &hand->of->handed;
    *at = more ? *at + tasks : *at - tasks;
}

static struct task_hand *add(struct tasks *tasks, struct task_schedule *of, node_id_t node,
                             struct range range, uint64_t number, bool copy)
{
    struct task_slot *slot = &tasks->slots[node];
    struct task_hand *hand = mem_new(1, sizeof *hand);
    *hand = (struct task_hand){.previous = slot->last,
                               .of = of,
                               .number = number,
                               .node = node,
                               .tasks = range,
                               .given_us = tasks->step->now_us,
                               .copy = copy};
    *(slot->last ? &slot->last->next : &slot->first) = hand;
    slot->last = hand;
    slot->outstanding += range.count;
    count(hand, range.count, true);
    note_slots(tasks, hand, range.count, true);
    return hand;
}

struct task_hand *hands_resume(struct tasks *tasks, struct task_schedule *of, node_id_t node,
                               struct range range, uint64_t number, bool copy)
{
    return add(tasks, of, node, range, number, copy);
}

struct task_hand *hands_find(const struct tasks *tasks, node_id_t node, job_id_t job,
                             uint64_t number, uint64_t task)
{
    struct task_hand *hand = tasks->slots[node].first;
    while (hand && (hand->number != number || hand->of->row->id != job ||
                    task < hand->tasks.first || task >= range_end(hand->tasks)))
        hand = hand->next;
    return hand;
}

struct task_hand *hands_other(const struct tasks *tasks, const struct task_schedule *of,
                              uint64_t task, const struct task_hand *than)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        for (struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next)
            if (hand->of == of && hand != than && task >= hand->tasks.first &&
                task < range_end(hand->tasks))
                return hand;
    return NULL;
}

static void remove_hand(struct tasks *tasks, struct task_hand *hand)
{
    struct task_slot *slot = &tasks->slots[hand->node];
    *(hand->previous ? &hand->previous->next : &slot->first) = hand->next;
    *(hand->next ? &hand->next->previous : &slot->last) = hand->previous;
    slot->outstanding -= hand->tasks.count;
    count(hand, hand->tasks.count, false);
    note_slots(tasks, hand, hand->tasks.count, false);
    free(hand);
}

void hands_take(struct tasks *tasks, struct task_hand *hand, struct range range)
{
    struct range before = {hand->tasks.first, range.first - hand->tasks.first};
    struct range after = {range_end(range), range_end(hand->tasks) - range_end(range)};
    if (before.count && after.count) {
        struct task_hand *rest = add(tasks, hand->of, hand->node, after, hand->number, hand->copy);
        rest->given_us = hand->given_us;
        rest->start = hand->start;
        rest->copied = hand->copied;
        after.count = 0;
        range.count = range_end(hand->tasks) - range.first;
    }
    if (!before.count && !after.count) {
        remove_hand(tasks, hand);
        return;
    }
    tasks->slots[hand->node].outstanding -= range.count;
    count(hand, range.count, false);
    note_slots(tasks, hand, range.count, false);
    hand->tasks = before.count ? before : after;
}

void hands_take_from_all(struct tasks *tasks, struct task_schedule *of, struct range range)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes && of->handed + of->copying; id++)
        for (struct task_hand *next, *hand = tasks->slots[id].first; hand; hand = next) {
            uint64_t first = hand->tasks.first > range.first ? hand->tasks.first : range.first;
            uint64_t end = range_end(hand->tasks) < range_end(range) ? range_end(hand->tasks)
                                                                     : range_end(range);
            next = hand->next;
            if (hand->of == of && first < end && !(hand->copy && MUTANT(copy_is_left)))
                hands_take(tasks, hand, (struct range){first, end - first});
        }
}

/* The task is no copy any more. */
static void promote(struct tasks *tasks, struct task_hand *copy, uint64_t task)
{
    struct task_hand was = *copy;
    hands_take(tasks, copy, (struct range){task, 1});
    struct task_hand *hand =
        add(tasks, was.of, was.node, (struct range){task, 1}, was.number, false);
    hand->given_us = was.given_us;
}

bool hands_leave(struct tasks *tasks, struct task_hand *hand, uint64_t task)
{
    struct task_schedule *of = hand->of;
    struct task_hand *other = of->copying ? hands_other(tasks, of, task, hand) : NULL;
    bool copy = hand->copy;
    hands_take(tasks, hand, (struct range){task, 1});
    if (other && !copy)
        promote(tasks, other, task);
    return other != NULL;
}

void hands_end(struct tasks *tasks, const struct task_schedule *of)
{
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        for (struct task_hand *next, *hand = tasks->slots[id].first; hand; hand = next) {
            next = hand->next;
            if (hand->of == of)
                remove_hand(tasks, hand);
        }
}

/* --- who gets more --- */

/* Of commands, what the last ones took says little of the next, and what waits at one worker no
 * other one gets: they go one by one, or a few while they are so short that messages would cost as
 * much. But each of those that may run once is given when nothing is before it: else a worker's
 * death would lose the others, too. */
static uint64_t batch_tasks(const struct task_schedule *of)
{
    uint64_t target_ns = BATCH_TARGET_US * 1000, n = TASK_BATCH_MAX;
    if (!of->measured)
        return 1;
    if (of->job->plan.kind->commands)
        return of->task_ns < SHORT_COMMAND_NS && !of->row->options.at_most_once
                   ? SHORT_COMMANDS_BATCH
                   : 1;
    if (of->task_ns)
        n = target_ns / of->task_ns;
    return n < 1 ? 1 : n > TASK_BATCH_MAX ? TASK_BATCH_MAX : n;
}

uint64_t hands_slots(const struct tasks *tasks, node_id_t id)
{
    const struct message *heartbeat = tasks->links->peers[id].heartbeat;
    uint64_t slots = heartbeat ? heartbeat->as.heartbeat.slots : 0;
    return slots < 1 ? 1 : slots > SLOTS_MAX ? SLOTS_MAX : slots;
}

/* Tasks of the job that it executes at the same time. */
static uint64_t slots_of(const struct tasks *tasks, const struct task_schedule *of, node_id_t id)
{
    uint64_t slots = 1, each = of->row->options.slots;
    if (!task_schedule_is_instant(tasks, of)) {
        uint64_t all = hands_slots(tasks, id),
                 own = schedule_slots_for_tasks(tasks->schedule, id, all);
        if (!own)
            return 0; /* operations have its only slot */
        slots = own / (each ? each : 1);
    }
    return slots ? slots : 1; /* who has fewer than a task takes executes nothing beside it */
}

/* For each slot one batch to work on, and one to hide the round trip. */
static uint64_t credit(const struct tasks *tasks, const struct task_schedule *of, node_id_t id)
{
    uint64_t slots = slots_of(tasks, of, id);
    if (!slots || !of->measured || of->task_ns >= SLOW_TASK_NS)
        return slots;
    return 2 * slots * batch_tasks(of);
}

/* It takes in no entries, so it would hear of no new job, and has no room for what tasks leave. */
static bool is_full(const struct tasks *tasks, node_id_t id)
{
    return id == tasks->step->config.id ? tasks->raft->full : space_peer_is_full(tasks->raft, id);
}

bool hands_is_suitable(const struct tasks *tasks, const struct task_schedule *of, node_id_t id)
{
    return tasks->slots[id].told && schedule_is_worker(tasks->schedule, id) &&
           peers_follows(tasks->links, id) && !failures_rests(tasks, of, id) && !is_full(tasks, id);
}

static bool has_room(const struct tasks *tasks, const struct task_schedule *of, node_id_t id,
                     const struct task_trouble *trouble)
{
    const struct task_slot *slot = &tasks->slots[id];
    if (trouble && trouble->alone)
        return !slot->outstanding && credit(tasks, of, id);
    return slot->outstanding < credit(tasks, of, id) && !failures_are_alone(slot);
}

bool hands_has_idle_slot(const struct tasks *tasks, const struct task_schedule *of, node_id_t id)
{
    const struct task_slot *slot = &tasks->slots[id];
    return hands_is_suitable(tasks, of, id) && slot->outstanding < slots_of(tasks, of, id) &&
           !failures_are_alone(slot);
}

static node_id_t pick(struct tasks *tasks, const struct task_schedule *of,
                      const struct task_trouble *trouble)
{
    node_id_t best = NODE_NONE;
    bool others = trouble && failures_has_others(tasks, of, trouble);
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++) {
        const struct task_slot *slot = &tasks->slots[id], *champion = &tasks->slots[best];
        if (!hands_is_suitable(tasks, of, id) || !has_room(tasks, of, id, trouble) ||
            (others && trouble->last_failed_on == id))
            continue;
        if (!best || slot->outstanding < champion->outstanding ||
            (slot->outstanding == champion->outstanding && slot->last_pick < champion->last_pick))
            best = id;
    }
    return best;
}

/* --- handing out --- */

/* A message to one worker on tasks of one job. */
struct giving {
    const struct task_schedule *of;
    struct message *message; /* NULL: none is begun */
};

static void flush(struct tasks *tasks, struct giving *giving, node_id_t id)
{
    struct message *message = giving->message;
    giving->message = NULL;
    if (message && peers_send(tasks->links, id, message))
        tasks_worker_lost(tasks, id, false);
}

static void add_to(struct tasks *tasks, struct giving *giving, const struct task_hand *hand)
{
    const struct task_schedule *of = hand->of;
    if (giving->message &&
        (giving->of != of || giving->message->as.tasks_given.hands.n == TASK_HANDS_MAX))
        flush(tasks, giving, hand->node);
    if (!giving->message) {
        giving->of = of;
        giving->message = message_new(MESSAGE_TASKS_GIVEN);
        struct wire_tasks_given *given = &giving->message->as.tasks_given;
        given->term = tasks->step->term;
        given->kind = message_text(giving->message, of->job->plan.kind->name);
        given->time_limit_ms = of->row->options.time_limit_ms;
        given->slots = of->row->options.slots;
        given->bundles = of->row->options.bundles;
        given->hands.at = message_room(giving->message, TASK_HANDS_MAX, sizeof *given->hands.at);
    }
    const struct task_trouble *trouble = failures_of(of, hand->tasks.first);
    struct wire_tasks_given *given = &giving->message->as.tasks_given;
    given->hands.at[given->hands.n++] =
        (struct wire_task_hand){.job = of->row->id,
                                .hand = hand->number,
                                .first = hand->tasks.first,
                                .count = hand->tasks.count,
                                .attempt = 1 + (trouble ? trouble->failures : 0),
                                .copy = hand->copy};
}

/* The first tasks from that one on that are free and alike; false: none are. */
static bool next_free(const struct task_schedule *of, uint64_t from, struct range *range)
{
    struct range troubled;
    if (of->stopping || batch_is_full(of) || from > of->row->total ||
        !ranges_next(&of->free, (struct range){from, of->row->total + 1 - from}, range))
        return false;
    if (!ranges_next(&of->troubled, *range, &troubled))
        return true;
    range->count = troubled.first == range->first ? 1 : troubled.first - range->first;
    return true;
}

static uint64_t at_most(uint64_t n, uint64_t most)
{
    return n < most ? n : most;
}

/* The next tasks, and who gets them; NODE_NONE: nobody can get any. Tasks that wait for another
 * worker than the one that has room are passed over; but not one that is executed alone, for which
 * somebody must become idle. */
static node_id_t next_pair(struct tasks *tasks, const struct task_schedule *of, struct range *range)
{
    uint64_t from = 1;
    for (unsigned passed = 0; passed <= TROUBLES_PASSED_MAX && next_free(of, from, range);
         passed++) {
        const struct task_trouble *trouble = failures_of(of, range->first);
        node_id_t id = pick(tasks, of, trouble);
        if (id || !trouble || trouble->alone)
            return id;
        from = range_end(*range);
    }
    return NODE_NONE;
}

static struct task_hand *hand_to(struct tasks *tasks, struct task_schedule *of, node_id_t id,
                                 struct range range, bool copy)
{
    uint64_t number = tasks->step->term << 32 | ++tasks->hands;
    tasks->slots[id].last_pick = ++tasks->picks;
    tasks->schedule->slots[id].tasks_last = true;
    return add(tasks, of, id, range, number, copy);
}

static bool give_one(struct tasks *tasks, struct task_schedule *of, struct giving *givings)
{
    struct range range;
    node_id_t id = next_pair(tasks, of, &range);
    if (!id)
        return false;
    /* At the end each worker gets a share of what is left. */
    uint64_t share = 1 + of->free.count / (2 * schedule_count_workers(tasks->schedule) + 1);
    range.count = at_most(range.count, at_most(batch_tasks(of), share));
    struct task_hand *hand = hand_to(tasks, of, id, range, false);
    ranges_remove(&of->free, range);
    if (of->row->options.at_most_once)
        failures_begin(tasks, hand);
    if (!hand->start || MUTANT(started_unlogged))
        add_to(tasks, &givings[id], hand);
    return true;
}

/* To slots that nothing else can use now. */
static void give_copies(struct tasks *tasks, struct task_schedule *of, struct giving *givings)
{
    node_id_t id;
    for (struct task_hand *slow; (slow = copies_next(tasks, of, &id));) {
        char job[JOB_TEXT_MAX];
        slow->copied = true;
        of->copies += slow->tasks.count;
        step_event(tasks->step, "overtaking", slow->node, of->row->id,
                   "node %u takes long over task %" PRIu64 " of job %s: node %u executes it, too",
                   slow->node, slow->tasks.first, job_id_text(of->row->id, job), id);
        add_to(tasks, &givings[id], hand_to(tasks, of, id, slow->tasks, true));
    }
}

/* What was to be logged first, and is. */
static void give_logged(struct tasks *tasks, struct giving *givings)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        for (struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next)
            if (hand->start && hand->start <= tasks->raft->log.applied) {
                hand->start = 0;
                if (!MUTANT(started_unlogged))
                    add_to(tasks, &givings[id], hand);
            }
}

/* What the schedule of operations has to know: who else wants slots. */
static void note_wants(struct tasks *tasks, size_t n)
{
    struct range range;
    tasks->schedule->task_jobs = 0;
    tasks->schedule->tasks_want = false;
    for (size_t i = 0; i < n; i++) {
        if (task_schedule_is_instant(tasks, tasks->active[i]))
            continue;
        tasks->schedule->task_jobs++;
        if (next_free(tasks->active[i], 1, &range))
            tasks->schedule->tasks_want = true;
    }
}

void hands_out(struct tasks *tasks)
{
    struct giving givings[NODES_MAX + 1] = {{0}};
    size_t idle = 0, n = at_most(tasks->n_active, ACTIVE_TASK_JOBS_MAX);
    note_wants(tasks, n);
    if (!n)
        return;
    give_logged(tasks, givings);
    while (idle < n) {
        tasks->turn = (tasks->turn + 1) % n;
        idle = give_one(tasks, tasks->active[tasks->turn], givings) ? 0 : idle + 1;
    }
    for (size_t i = 0; i < n; i++)
        give_copies(tasks, tasks->active[i], givings);
    note_wants(tasks, n);
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        flush(tasks, &givings[id], id);
}
