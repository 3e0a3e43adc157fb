/* What must hold of the tasks that this node coordinates. */
#include <assert.h>

#include "nodes/core/tasks/failures.h"

static void check_no_overlap(const struct ranges *a, const struct ranges *b)
{
    struct range found;
    for (size_t i = 0; i < a->n; i++)
        assert(!ranges_next(b, a->at[i], &found));
}

/* Another worker has them, and counts them. */
static void check_copy(const struct tasks *tasks, const struct task_hand *copy)
{
    for (uint64_t task = copy->tasks.first; task < range_end(copy->tasks); task++) {
        const struct task_hand *other = hands_other(tasks, copy->of, task, copy);
        assert(other && !other->copy && other->node != copy->node && other->copied);
    }
}

static void check_job(const struct tasks *tasks, const struct task_schedule *of)
{
    uint64_t handed = 0, copying = 0;
    ranges_check_invariants(&of->free);
    ranges_check_invariants(&of->unsure);
    ranges_check_invariants(&of->taken);
    check_no_overlap(&of->free, &of->taken);
    check_no_overlap(&of->unsure, &of->taken);
    check_no_overlap(&of->free, &of->unsure);
    for (size_t i = 0; i < of->row->decided.n; i++)
        assert(ranges_has_all(&of->taken, of->row->decided.at[i]));
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next) {
            struct range found;
            if (hand->of != of)
                continue;
            *(hand->copy ? &copying : &handed) += hand->tasks.count;
            if (hand->copy)
                check_copy(tasks, hand);
            assert(!ranges_next(&of->free, hand->tasks, &found));
            assert(!ranges_next(&of->taken, hand->tasks, &found));
        }
    assert(handed == of->handed && copying == of->copying &&
           of->troubled.count == of->troubles.count);
    /* Every task is in one place. */
    assert(of->free.count + of->unsure.count + of->taken.count + of->handed + of->delayed ==
           of->row->total);
}

void tasks_check_invariants(const struct tasks *tasks)
{
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        uint64_t outstanding = 0;
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next) {
            assert(hand->tasks.count && hand->node == id);
            assert(hand->next || hand == tasks->slots[id].last);
            outstanding += hand->tasks.count;
        }
        assert(outstanding == tasks->slots[id].outstanding);
    }
    assert(!tasks->n_active || raft_serves(tasks->raft));
    for (size_t i = 0; i < tasks->n_active; i++) {
        assert(!i || tasks->active[i - 1]->row->id < tasks->active[i]->row->id);
        check_job(tasks, tasks->active[i]);
    }
}
