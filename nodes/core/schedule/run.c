#include "nodes/core/schedule/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/schedule/assignments.h"

void list_push(struct item_list *list, struct item *item)
{
    item->previous = list->last;
    item->next = NULL;
    *(list->last ? &list->last->next : &list->first) = item;
    list->last = item;
    list->n++;
}

static void push_front(struct item_list *list, struct item *item)
{
    item->previous = NULL;
    item->next = list->first;
    *(list->first ? &list->first->previous : &list->last) = item;
    list->first = item;
    list->n++;
}

void list_remove(struct item_list *list, struct item *item)
{
    *(item->previous ? &item->previous->next : &list->first) = item->next;
    *(item->next ? &item->next->previous : &list->last) = item->previous;
    item->next = item->previous = NULL;
    list->n--;
}

static struct map_key item_key(job_id_t job, op_id_t op)
{
    return (struct map_key){job, op};
}

struct run *run_new(struct schedule *schedule, const struct job *job)
{
    struct run *run = mem_new(1, sizeof *run);
    run->job = job;
    run->level = job->level;
    run->done = job->done;
    run->executed = job->executed;
    if (job->executors)
        memcpy(run->executors, job->executors, sizeof run->executors);
    if (job->plan.total <= TRACE_OPS_MAX)
        run->trace = mem_new(job->plan.total, sizeof *run->trace);
    if (job->trace)
        memcpy(run->trace, job->trace, job->plan.total * sizeof *run->trace);
    map_put(&schedule->runs, item_key(job->id, 0), run);
    return run;
}

struct run *run_of(const struct schedule *schedule, job_id_t job)
{
    return map_get(&schedule->runs, item_key(job, 0));
}

void run_note_executed(struct run *run, node_id_t node, incarnation_t incarnation,
                       uint64_t executed)
{
    struct job_executor *it = &run->executors[node];
    if (it->incarnation != incarnation)
        *it = (struct job_executor){.incarnation = incarnation};
    if (executed <= it->executed)
        return;
    run->executed += executed - it->executed;
    it->executed = executed;
}

void run_note_done(struct run *run, const struct item *item)
{
    run->done += item->operations;
    if (run->trace && !item_traits(item)->conversion)
        job_mark_trace(run->job, run->trace, item->op, item->count > 0,
                       (struct trace_mark){(uint16_t)item->node, (uint16_t)item->won});
}

struct item *run_find(const struct schedule *schedule, job_id_t job, op_id_t op)
{
    return map_get(&schedule->items, item_key(job, op));
}

struct item *run_add(struct schedule *schedule, struct run *run, op_id_t op)
{
    struct item *item = mem_new(1, sizeof *item);
    item->run = run;
    item->op = op;
    item->opcode = plan_opcode(&run->job->plan, op);
    item->operations = !item_traits(item)->conversion;
    item->older = run->newest;
    if (run->newest)
        run->newest->newer = item;
    run->newest = item;
    run->n_items++;
    map_put(&schedule->items, item_key(run->job->id, op), item);
    return item;
}

void run_remove(struct schedule *schedule, struct item *item)
{
    struct run *run = item->run;
    map_remove(&schedule->items, item_key(item->run->job->id, item->op));
    *(item->newer ? &item->newer->older : &run->newest) = item->older;
    if (item->older)
        item->older->newer = item->newer;
    run->n_items--;
    blob_drop(&item->value);
    free(item);
}

void run_destroy(struct schedule *schedule, struct run **run)
{
    struct run *it = *run;
    *run = NULL;
    while (it->newest) {
        holds_end(schedule, it->newest);
        run_remove(schedule, it->newest);
    }
    map_remove(&schedule->runs, item_key(it->job->id, 0));
    free(it->unlogged);
    free(it->trace);
    free(it);
}

void run_make_ready(struct item *item, bool again)
{
    struct run *run = item->run;
    struct item_list *list = item->count ? &run->units : &run->combine;
    item->state = ITEM_READY;
    if (again)
        push_front(list, item);
    else
        list_push(list, item);
}

/* True when the log says that the operation is done: it, or what used its result. */
static bool is_covered(const struct job *job, op_id_t op)
{
    for (; job->live.count && op; op = plan_consumer(&job->plan, op))
        if (map_get(&job->live, (struct map_key){op, 0}))
            return true;
    return false;
}

/* Cuts the next subtree off the plan; NULL when all are cut. */
static struct item *cut(struct schedule *schedule, struct run *run)
{
    const struct job *job = run->job;
    while (run->next_cut < job->plan.nodes[run->level]) {
        struct plan_node node = {run->level, run->next_cut++};
        op_id_t op = plan_op_at(&job->plan, node);
        if (!op)
            continue; /* a promoted leaf: an operand, no operation */
        if (is_covered(job, op))
            continue; /* done under an earlier coordinator */
        struct item *item = run_add(schedule, run, op);
        plan_leaves(&job->plan, node, &item->first, &item->count);
        item->operations = plan_subtree_ops(item->count);
        run_make_ready(item, false);
        return item;
    }
    return NULL;
}

struct item *run_next(struct schedule *schedule, struct run *run)
{
    if (run->combine.first)
        return run->combine.first;
    if (run->units.first)
        return run->units.first;
    return cut(schedule, run);
}

/* --- an item --- */

size_t item_pace(const struct item *item)
{
    return item->count ? PACE_OF_UNITS : (size_t)item->opcode;
}

const struct operator_traits *item_traits(const struct item *item)
{
    return operator_traits(item->opcode);
}

void item_name(const struct item *item, struct text *out)
{
    if (item_traits(item)->label)
        text_add(out, "%s", item_traits(item)->label);
    else
        text_add(out, "R%" PRIu64, item->op);
}
