/* What holds of a schedule between two steps. Declared in schedule.h. */
#include <assert.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/schedule.h"
#include "shared/base/mutant.h"

static void check_list(const struct job_schedule *job_schedule, const struct open_op_list *list)
{
    uint64_t n = 0;
    const struct open_op *last = NULL;
    for (const struct open_op *open = list->first; open; last = open, open = open->next, n++)
        assert(open->job_schedule == job_schedule && open->previous == last);
    assert(list->last == last && list->n == n);
}

/* No value is dropped while an operation that is not done needs it. */
static void check_operands(const struct schedule *schedule, const struct open_op *open)
{
    struct plan_operand operands[OPERANDS_MAX];
    const struct job *job = open->job_schedule->job;
    if (open->count || open->missing || open->state == OP_DONE || open->state == OP_FETCHING ||
        open->state == OP_KEEPING)
        return;
    for (size_t i = plan_operands(&job->plan, open->op, operands); i-- > 0;)
        assert(!operands[i].op || open_op_find(schedule, job->id, operands[i].op));
}

static void check_open_op(const struct schedule *schedule, const struct open_op *open)
{
    bool listed = open->next || open->previous || open->job_schedule->combine.first == open ||
                  open->job_schedule->cuts.first == open || open->job_schedule->out.first == open;
    assert((assignments_count(open) > 0) == (open->state == OP_ASSIGNED));
    assert(listed == (open->state != OP_PENDING && open->state != OP_DONE));
    assert((open->missing > 0) == (open->state == OP_PENDING));
    assert(open->state != OP_PENDING || open->missing == open_op_count_missing(schedule, open));
    check_operands(schedule, open);
    for (unsigned at = 0; at < HOLDERS_MAX; at++)
        assert(!open->assignments[at].node ||
               (open->assignments[at].open == open &&
                open->assignments[at].node <= schedule->step->config.n_nodes));
}

static void check_run(const struct schedule *schedule, const struct job_schedule *job_schedule)
{
    uint64_t n = 0, again = 0;
    assert(job_schedule_of(schedule, job_schedule->job->id) == job_schedule &&
           !job_is_finished(job_schedule->job));
    assert(job_schedule->done <= job_schedule->job->plan.total &&
           job_schedule->n_unlogged <= job_schedule->unlogged_size);
    check_list(job_schedule, &job_schedule->combine);
    check_list(job_schedule, &job_schedule->cuts);
    check_list(job_schedule, &job_schedule->out);
    for (const struct open_op *open = job_schedule->combine.first; open; open = open->next)
        assert(open->state == OP_READY && !open->cut && !open->count);
    for (const struct open_op *open = job_schedule->cuts.first; open; open = open->next)
        assert(open->state == OP_READY && open->cut);
    for (const struct open_op *open = job_schedule->out.first; open; open = open->next)
        assert(open->state != OP_READY);
    for (const struct open_op *open = job_schedule->newest; open; open = open->older, n++) {
        check_open_op(schedule, open);
        again += open->counted && open->state != OP_DONE ? open->operations : 0;
    }
    assert(job_schedule->again == again && again <= job_schedule->done);
    assert(job_schedule->n_open_ops == n);
}

/* The queue of a worker, as the coordinator sees it. */
static void check_slot(const struct schedule *schedule, node_id_t id)
{
    const struct worker_slot *slot = &schedule->slots[id];
    const struct assignment *last = NULL;
    uint64_t n = 0;
    for (const struct assignment *assignment = slot->first; assignment;
         last = assignment, assignment = assignment->next, n++)
        assert(assignment->node == id && assignment->previous == last &&
               assignment->open->state == OP_ASSIGNED);
    assert(slot->last == last && slot->outstanding == n);
    assert(!slot->batch || raft_serves(schedule->raft));
}

void schedule_check_invariants(const struct schedule *schedule)
{
    uint64_t open_ops = 0;
    size_t large = 0;
    assert(!schedule->n_active || raft_serves(schedule->raft));
    assert(schedule->n_active <= ACTIVE_JOBS_MAX &&
           schedule->job_schedules.count == schedule->n_active);
    for (size_t i = 0; i < schedule->n_active; i++) {
        check_run(schedule, schedule->active[i]);
        open_ops += schedule->active[i]->n_open_ops;
        large += !schedule->active[i]->small;
    }
    assert(open_ops == schedule->open_ops.count);
    assert(large == schedule->n_large && (large <= ACTIVE_LARGE_MAX || MUTANT(large_unbounded)));
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        check_slot(schedule, id);
}
