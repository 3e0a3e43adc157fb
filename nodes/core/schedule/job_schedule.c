#include "nodes/core/schedule/job_schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/schedule/follow.h"

void list_push(struct open_op_list *list, struct open_op *open)
{
    open->previous = list->last;
    open->next = NULL;
    *(list->last ? &list->last->next : &list->first) = open;
    list->last = open;
    list->n++;
}

static void push_front(struct open_op_list *list, struct open_op *open)
{
    open->previous = NULL;
    open->next = list->first;
    *(list->first ? &list->first->previous : &list->last) = open;
    list->first = open;
    list->n++;
}

void list_remove(struct open_op_list *list, struct open_op *open)
{
    *(open->previous ? &open->previous->next : &list->first) = open->next;
    *(open->next ? &open->next->previous : &list->last) = open->previous;
    open->next = open->previous = NULL;
    list->n--;
}

static struct map_key open_op_key(job_id_t job, op_id_t op)
{
    return (struct map_key){job, op};
}

/* From what the log says is done. */
static void open_sets(struct job_schedule *job_schedule)
{
    const struct job *job = job_schedule->job;
    op_set_open(&job_schedule->finished, plan_result(&job->plan));
    op_set_open(&job_schedule->settled, plan_result(&job->plan));
    for (op_id_t op = 1; op <= job->plan.total; op++)
        if (job_has_done(job, op)) {
            op_set_add(&job_schedule->finished, op);
            op_set_add(&job_schedule->settled, op);
        }
}

struct job_schedule *job_schedule_new(struct schedule *schedule, const struct job *job)
{
    struct job_schedule *job_schedule = mem_new(1, sizeof *job_schedule);
    job_schedule->job = job;
    job_schedule->level = job->level;
    job_schedule->small = follow_fits(job);
    job_schedule->done = job->done;
    job_schedule->executed = job->executed;
    job_losses_copy(&job_schedule->losses, &job->losses);
    if (job->executors)
        memcpy(job_schedule->executors, job->executors, sizeof job_schedule->executors);
    if (job->plan.total <= TRACE_OPS_MAX)
        job_schedule->trace = mem_new(job->plan.total, sizeof *job_schedule->trace);
    if (job->trace)
        memcpy(job_schedule->trace, job->trace, job->plan.total * sizeof *job_schedule->trace);
    if (plan_shares(&job->plan))
        open_sets(job_schedule);
    map_put(&schedule->job_schedules, open_op_key(job->id, 0), job_schedule);
    return job_schedule;
}

struct job_schedule *job_schedule_of(const struct schedule *schedule, job_id_t job)
{
    return map_get(&schedule->job_schedules, open_op_key(job, 0));
}

void job_schedule_note_executed(struct job_schedule *job_schedule, node_id_t node,
                                incarnation_t incarnation, uint64_t executed)
{
    struct job_executor *it = &job_schedule->executors[node];
    if (it->incarnation != incarnation)
        *it = (struct job_executor){.incarnation = incarnation};
    if (executed <= it->executed)
        return;
    job_schedule->executed += executed - it->executed;
    it->executed = executed;
}

void job_schedule_note_done(struct job_schedule *job_schedule, const struct open_op *open)
{
    job_schedule->done += open->operations;
    if (job_schedule->finished.words)
        op_set_add(&job_schedule->finished, open->op);
    if (job_schedule->trace && !open_op_traits(open)->conversion)
        job_mark_trace(job_schedule->job, job_schedule->trace, open->op, open->count > 0,
                       (struct trace_mark){(uint16_t)open->node, (uint16_t)open->won});
}

struct open_op *open_op_find(const struct schedule *schedule, job_id_t job, op_id_t op)
{
    return map_get(&schedule->open_ops, open_op_key(job, op));
}

size_t open_op_used(const struct schedule *schedule, const struct open_op *open,
                    struct open_op *used[OPERANDS_MAX])
{
    struct plan_operand operands[OPERANDS_MAX];
    const struct job *job = open->job_schedule->job;
    size_t found = 0, n = open->count ? 0 : plan_operands(&job->plan, open->op, operands);
    for (size_t i = 0; i < n; i++) {
        used[found] = operands[i].op ? open_op_find(schedule, job->id, operands[i].op) : NULL;
        found += used[found] != NULL;
    }
    return found;
}

bool open_op_is_used_up(const struct schedule *schedule, const struct open_op *open)
{
    const struct job_schedule *job_schedule = open->job_schedule;
    op_id_t consumers[CONSUMERS_MAX];
    size_t n = plan_consumers(&job_schedule->job->plan, open->op, consumers);
    for (size_t i = 0; i < n; i++) {
        const struct open_op *consumer =
            open_op_find(schedule, job_schedule->job->id, consumers[i]);
        if (consumer ? consumer->state != OP_DONE
                     : !op_set_has(&job_schedule->finished, consumers[i]))
            return false;
    }
    return true;
}

unsigned open_op_count_missing(const struct schedule *schedule, const struct open_op *open)
{
    struct plan_operand operands[OPERANDS_MAX];
    const struct job *job = open->job_schedule->job;
    size_t n = open->count ? 0 : plan_operands(&job->plan, open->op, operands);
    unsigned missing = 0;
    for (size_t i = 0; i < n; i++) {
        const struct open_op *used =
            operands[i].op ? open_op_find(schedule, job->id, operands[i].op) : NULL;
        missing += operands[i].op && !(used && used->state == OP_DONE);
    }
    return missing;
}

struct open_op *open_op_add(struct schedule *schedule, struct job_schedule *job_schedule,
                            op_id_t op)
{
    struct open_op *open = mem_new(1, sizeof *open);
    open->job_schedule = job_schedule;
    open->op = op;
    open->opcode = plan_opcode(&job_schedule->job->plan, op);
    open->operations = !open_op_traits(open)->conversion;
    open->older = job_schedule->newest;
    if (job_schedule->newest)
        job_schedule->newest->newer = open;
    job_schedule->newest = open;
    job_schedule->n_open_ops++;
    map_put(&schedule->open_ops, open_op_key(job_schedule->job->id, op), open);
    return open;
}

void open_op_remove(struct schedule *schedule, struct open_op *open)
{
    struct job_schedule *job_schedule = open->job_schedule;
    map_remove(&schedule->open_ops, open_op_key(open->job_schedule->job->id, open->op));
    *(open->newer ? &open->newer->older : &job_schedule->newest) = open->older;
    if (open->older)
        open->older->newer = open->newer;
    job_schedule->n_open_ops--;
    blob_drop(&open->value);
    free(open);
}

void job_schedule_destroy(struct schedule *schedule, struct job_schedule **job_schedule)
{
    struct job_schedule *it = *job_schedule;
    *job_schedule = NULL;
    offers_end(schedule->raft, (struct value_id){it->job->id, 0});
    while (it->newest) {
        assignments_end(schedule, it->newest);
        open_op_remove(schedule, it->newest);
    }
    map_remove(&schedule->job_schedules, open_op_key(it->job->id, 0));
    free(it->unlogged);
    job_losses_clear(&it->losses);
    op_set_clear(&it->finished);
    op_set_clear(&it->settled);
    free(it->trace);
    free(it);
}

struct open_op_list *open_op_list(const struct open_op *open)
{
    return open->cut ? &open->job_schedule->cuts : &open->job_schedule->combine;
}

void open_op_cut(struct open_op *open)
{
    const struct plan *plan = &open->job_schedule->job->plan;
    open->cut = true;
    if (plan_is_flat(plan, open->op))
        return; /* one operation */
    plan_leaves(plan, plan_node_of(plan, open->op), &open->first, &open->count);
    open->operations = plan_subtree_ops(open->count);
}

void open_op_make_ready(struct open_op *open, bool again)
{
    struct open_op_list *list = open_op_list(open);
    open->state = OP_READY;
    if (again)
        push_front(list, open);
    else
        list_push(list, open);
}

void open_op_return(struct schedule *schedule, struct open_op *open)
{
    open->missing = open_op_count_missing(schedule, open);
    if (open->missing)
        open->state = OP_PENDING;
    else
        open_op_make_ready(open, true);
}

/* Cuts the next subtree, or operation of a flat stage, off the plan; NULL when all are cut. */
static struct open_op *cut(struct schedule *schedule, struct job_schedule *job_schedule)
{
    const struct job *job = job_schedule->job;
    while (job_schedule->next_cut < plan_cuts(&job->plan, job_schedule->level)) {
        op_id_t op = plan_cut_at(&job->plan, job_schedule->level, job_schedule->next_cut++);
        if (!op)
            continue; /* a promoted leaf: an operand, no operation */
        if (job_has_done(job, op))
            continue; /* done under an earlier coordinator */
        struct open_op *open = open_op_add(schedule, job_schedule, op);
        open_op_cut(open);
        open_op_make_ready(open, false);
        return open;
    }
    return NULL;
}

struct open_op *job_schedule_next(struct schedule *schedule, struct job_schedule *job_schedule)
{
    if (job_schedule->combine.first)
        return job_schedule->combine.first;
    if (job_schedule->cuts.first)
        return job_schedule->cuts.first;
    return cut(schedule, job_schedule);
}

/* --- an operation --- */

const struct operator_traits *open_op_traits(const struct open_op *open)
{
    return operator_traits(open->opcode);
}

void open_op_name(const struct open_op *open, struct text *out)
{
    if (open_op_traits(open)->label)
        text_add(out, "%s", open_op_traits(open)->label);
    else
        text_add(out, "R%" PRIu64, open->op);
}
