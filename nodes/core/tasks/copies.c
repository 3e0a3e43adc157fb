/* Second copies of tasks that take long, where the job's options allow them: near the end, when
 * none of its tasks waits, a slot that is idle executes the same attempt again. The first that is
 * done counts; the log then tells the other worker that the task has an outcome, and it is
 * cancelled. One that ends otherwise counts only when the other is gone as well: so a copy never
 * spoils a task that would have been done. */
#include "nodes/core/tasks/failures.h"

void copies_note(struct task_schedule *of, const struct wire_task_outcome *outcome)
{
    uint64_t us = outcome->wall_us;
    of->done += outcome->count;
    of->done_us += us < TASK_TIME_MAX_MS * MS_US ? us : TASK_TIME_MAX_MS * MS_US;
}

/* A task that is at a worker for longer is slow. */
static uint64_t slow_us(const struct task_schedule *of)
{
    if (!of->done)
        return of->row->decided.count > of->row->inherited ? TASK_COPY_BLIND_US : UINT64_MAX;
    uint64_t us = TASK_COPY_TIMES * (of->done_us / of->done);
    return us > TASK_COPY_MIN_US ? us : TASK_COPY_MIN_US;
}

static bool may_copy(const struct tasks *tasks, const struct task_schedule *of)
{
    return of->row->options.speculate && of->handed && !of->free.count && !of->stopping &&
           !task_schedule_is_instant(tasks, of);
}

/* Of a task of which a worker died, another death would tell nothing. */
static bool is_candidate(const struct task_schedule *of, const struct task_hand *hand)
{
    const struct task_trouble *trouble = failures_of(of, hand->tasks.first);
    return hand->of == of && !hand->copy && !hand->copied && !(trouble && trouble->alone);
}

static node_id_t pick(const struct tasks *tasks, const struct task_schedule *of,
                      const struct task_hand *slow)
{
    const struct task_trouble *trouble = failures_of(of, slow->tasks.first);
    node_id_t best = NODE_NONE;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++) {
        const struct task_slot *slot = &tasks->slots[id], *champion = &tasks->slots[best];
        if (id == slow->node || (trouble && trouble->last_failed_on == id) ||
            !hands_has_idle_slot(tasks, of, id))
            continue;
        if (!best || slot->outstanding < champion->outstanding ||
            (slot->outstanding == champion->outstanding && slot->last_pick < champion->last_pick))
            best = id;
    }
    return best;
}

struct task_hand *copies_next(struct tasks *tasks, struct task_schedule *of, node_id_t *to)
{
    uint64_t slow = may_copy(tasks, of) ? slow_us(of) : UINT64_MAX;
    if (slow == UINT64_MAX)
        return NULL;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        for (struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next)
            if (is_candidate(of, hand) && tasks->step->now_us >= hand->given_us + slow &&
                (*to = pick(tasks, of, hand)))
                return hand;
    return NULL;
}

/* Those that are slow already wait for a slot, not for a time. */
uint64_t copies_deadline(const struct tasks *tasks, const struct task_schedule *of)
{
    uint64_t at = UINT64_MAX, slow = may_copy(tasks, of) ? slow_us(of) : UINT64_MAX;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes && slow < UINT64_MAX; id++)
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next)
            if (is_candidate(of, hand) && hand->given_us + slow > tasks->step->now_us)
                at = earlier_us(at, hand->given_us + slow);
    return at;
}

void copies_resume(struct tasks *tasks, struct task_schedule *of, node_id_t from,
                   const struct wire_task_hand *told)
{
    if (!of->row->options.speculate || told->count > TASK_BATCH_MAX)
        return;
    for (uint64_t task = told->first; task < told->first + told->count; task++) {
        struct task_hand *hand = hands_other(tasks, of, task, NULL);
        if (!hand || hand->node == from || hands_other(tasks, of, task, hand))
            continue;
        hand->copied = true;
        hands_resume(tasks, of, from, (struct range){task, 1}, told->hand, true);
    }
}
