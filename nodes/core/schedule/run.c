#include "nodes/core/schedule/run.h"

#include <assert.h>
#include <stdlib.h>

void list_push(struct item_list *list, struct item *item)
{
    item->previous = list->last;
    item->next = NULL;
    *(list->last ? &list->last->next : &list->first) = item;
    list->last = item;
    list->n++;
}

void list_push_front(struct item_list *list, struct item *item)
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

struct run *run_new(const struct job *job)
{
    struct run *run = mem_new(1, sizeof *run);
    run->level = job->level;
    return run;
}

struct item *run_find(const struct schedule *schedule, job_id_t job, op_id_t op)
{
    return map_get(&schedule->items, item_key(job, op));
}

struct item *run_add(struct schedule *schedule, struct job *job, op_id_t op)
{
    struct run *run = job->run;
    struct item *item = mem_new(1, sizeof *item);
    item->job = job;
    item->op = op;
    item->operations = 1;
    item->older = run->newest;
    if (run->newest)
        run->newest->newer = item;
    run->newest = item;
    run->n_items++;
    map_put(&schedule->items, item_key(job->id, op), item);
    return item;
}

void run_remove(struct schedule *schedule, struct item *item)
{
    struct run *run = item->job->run;
    map_remove(&schedule->items, item_key(item->job->id, item->op));
    *(item->newer ? &item->newer->older : &run->newest) = item->older;
    if (item->older)
        item->older->newer = item->newer;
    run->n_items--;
    blob_drop(&item->value);
    free(item);
}

void run_destroy(struct schedule *schedule, struct job *job)
{
    if (!job->run)
        return;
    while (job->run->newest) {
        holds_end(schedule, job->run->newest);
        run_remove(schedule, job->run->newest);
    }
    free(job->run->done);
    free(job->run);
    job->run = NULL;
}

void run_make_ready(struct item *item, bool again)
{
    struct run *run = item->job->run;
    struct item_list *list = item->count ? &run->units : &run->combine;
    item->state = ITEM_READY;
    if (again)
        list_push_front(list, item);
    else
        list_push(list, item);
}

/* True when the log says that the operation is done: it, or what used its result. */
static bool is_covered(const struct job *job, op_id_t op)
{
    for (; job->frontier.count && op; op = plan_consumer(&job->plan, op))
        if (map_get(&job->frontier, (struct map_key){op, 0}))
            return true;
    return false;
}

/* Cuts the next unit off the plan; NULL when all are cut. */
static struct item *cut(struct schedule *schedule, struct job *job)
{
    struct run *run = job->run;
    while (run->next_cut < job->plan.nodes[run->level]) {
        struct plan_node node = {run->level, run->next_cut++};
        op_id_t op = plan_op_at(&job->plan, node);
        if (!op)
            continue; /* a promoted leaf: an operand, no operation */
        if (is_covered(job, op))
            continue; /* done under an earlier coordinator */
        struct item *item = run_add(schedule, job, op);
        plan_leaves(&job->plan, node, &item->first, &item->count);
        item->operations = plan_subtree_ops(item->count);
        run_make_ready(item, false);
        return item;
    }
    return NULL;
}

struct item *run_next(struct schedule *schedule, struct job *job)
{
    struct run *run = job->run;
    if (run->combine.first)
        return run->combine.first;
    if (run->units.first)
        return run->units.first;
    return cut(schedule, job);
}
