/* What holds of a schedule between two steps. Declared in schedule.h. */
#include <assert.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/schedule.h"

static void check_list(const struct run *run, const struct item_list *list)
{
    uint64_t n = 0;
    const struct item *last = NULL;
    for (const struct item *item = list->first; item; last = item, item = item->next, n++)
        assert(item->run == run && item->previous == last);
    assert(list->last == last && list->n == n);
}

static void check_item(const struct schedule *schedule, const struct item *item)
{
    bool listed = item->next || item->previous || item->run->combine.first == item ||
                  item->run->units.first == item || item->run->out.first == item;
    assert((holds_count(item) > 0) == (item->state == ITEM_ASSIGNED));
    assert(listed == (item->state != ITEM_PENDING && item->state != ITEM_DONE));
    assert((item->missing > 0) == (item->state == ITEM_PENDING));
    for (unsigned at = 0; at < HOLDERS_MAX; at++)
        assert(!item->holds[at].node || (item->holds[at].item == item &&
                                         item->holds[at].node <= schedule->step->config.n_nodes));
}

static void check_run(const struct schedule *schedule, const struct run *run)
{
    uint64_t n = 0;
    assert(run_of(schedule, run->job->id) == run && !job_is_finished(run->job));
    assert(run->done <= run->job->plan.total && run->n_unlogged <= run->unlogged_size);
    check_list(run, &run->combine);
    check_list(run, &run->units);
    check_list(run, &run->out);
    for (const struct item *item = run->combine.first; item; item = item->next)
        assert(item->state == ITEM_READY && !item->count);
    for (const struct item *item = run->units.first; item; item = item->next)
        assert(item->state == ITEM_READY && item->count);
    for (const struct item *item = run->out.first; item; item = item->next)
        assert(item->state != ITEM_READY);
    for (const struct item *item = run->newest; item; item = item->older, n++)
        check_item(schedule, item);
    assert(run->n_items == n);
}

/* The queue of a worker, as the coordinator sees it. */
static void check_slot(const struct schedule *schedule, node_id_t id)
{
    const struct worker_slot *slot = &schedule->slots[id];
    const struct assignment *last = NULL;
    uint64_t n = 0;
    for (const struct assignment *hold = slot->first; hold; last = hold, hold = hold->next, n++)
        assert(hold->node == id && hold->previous == last && hold->item->state == ITEM_ASSIGNED);
    assert(slot->last == last && slot->outstanding == n);
    assert(!slot->batch || raft_serves(schedule->raft));
}

void schedule_check_invariants(const struct schedule *schedule)
{
    uint64_t items = 0;
    assert(!schedule->n_active || raft_serves(schedule->raft));
    assert(schedule->n_active <= ACTIVE_JOBS_MAX && schedule->runs.count == schedule->n_active);
    for (size_t i = 0; i < schedule->n_active; i++) {
        check_run(schedule, schedule->active[i]);
        items += schedule->active[i]->n_items;
    }
    assert(items == schedule->items.count);
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        check_slot(schedule, id);
}
