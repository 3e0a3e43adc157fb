#include "nodes/core/tasks/tasks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/tasks/failures.h"
#include "nodes/core/tasks/pulls.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"

/* --- jobs --- */

struct task_schedule *task_schedule_of(const struct tasks *tasks, job_id_t job)
{
    size_t low = 0, high = tasks->n_active;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tasks->active[middle]->row->id < job)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tasks->n_active && tasks->active[low]->row->id == job ? tasks->active[low] : NULL;
}

bool tasks_is_active(const struct tasks *tasks, job_id_t job)
{
    return task_schedule_of(tasks, job) != NULL;
}

/* All that is not decided is free; but what may have been begun, of tasks that are executed at most
 * once, is so at whoever began it. */
static void begin(struct task_schedule *it)
{
    struct range open, all = {1, it->row->total};
    ranges_copy(&it->taken, &it->row->decided);
    while (ranges_gap(&it->taken, all, &open)) {
        ranges_add(&it->free, open);
        all = (struct range){range_end(open), it->row->total + 1 - range_end(open)};
    }
    for (size_t i = 0; i < it->row->n_starts; i++) {
        struct range begun = it->row->starts[i].tasks, part;
        for (; ranges_next(&it->free, begun, &part); ranges_remove(&it->free, part))
            ranges_add(&it->unsure, part);
    }
    it->failed = it->row->counts[TASK_FAILED];
    it->lost = it->row->counts[TASK_LOST];
    it->cancelled = it->row->counts[TASK_CANCELLED];
}

static void ask(struct tasks *tasks, node_id_t worker)
{
    struct message *message = message_new(MESSAGE_TASKS_ASK);
    message->as.tasks_ask.term = tasks->step->term;
    peers_send(tasks->links, worker, message); /* without a channel: when it is met */
}

/* The first job of the term: now it matters what workers have. */
static void ask_all(struct tasks *tasks)
{
    tasks->asked = tasks->waits = true;
    tasks->asked_us = tasks->step->now_us;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        if (step_is_peer(tasks->step, id))
            ask(tasks, id);
}

static void take_up(struct tasks *tasks, const struct job *job)
{
    const struct task_job *row = task_jobs_find(&tasks->state->task_jobs, job->id);
    if (!tasks->asked)
        ask_all(tasks);
    struct task_schedule *it = mem_new(1, sizeof *it);
    it->job = job;
    it->row = row;
    begin(it);
    if (tasks->n_active == tasks->active_size) {
        tasks->active_size = tasks->active_size ? 2 * tasks->active_size : 8;
        tasks->active = mem_grow(tasks->active, tasks->active_size, sizeof(struct task_schedule *));
    }
    tasks->active[tasks->n_active++] = it;
}

static void take_up_all(struct tasks *tasks)
{
    const struct job *job = jobs_open_after(&tasks->state->jobs, tasks->cursor);
    for (; job; job = job->newer_open) {
        tasks->cursor = job->id;
        if (plan_tasks(&job->plan))
            take_up(tasks, job);
    }
}

static void drop(struct tasks *tasks, struct task_schedule *it)
{
    pulls_end(tasks, NODE_NONE, it->row->id);
    hands_end(tasks, it);
    batch_clear(tasks, it);
    failures_clear(it);
    ranges_clear(&it->free);
    ranges_clear(&it->unsure);
    ranges_clear(&it->taken);
    ranges_clear(&it->troubled);
    free(it);
}

void tasks_start(struct tasks *tasks)
{
    tasks->cursor = JOB_NONE;
    tasks->hands = tasks->picks = 0;
    tasks->asked = tasks->waits = false;
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        tasks->slots[id] = (struct task_slot){0};
    take_up_all(tasks);
}

void tasks_stop(struct tasks *tasks)
{
    for (size_t i = 0; i < tasks->n_active; i++)
        drop(tasks, tasks->active[i]);
    tasks->n_active = 0;
    outbox_drop(&tasks->step->out, USER_TASKS, (struct value_id){0});
}

void tasks_job_accepted(struct tasks *tasks, const struct job *job)
{
    char id[JOB_TEXT_MAX];
    struct text name = {0};
    if (!raft_serves(tasks->raft))
        return;
    plan_name(&job->plan, &name);
    step_event(tasks->step, "job_accepted", NODE_NONE, job->id,
               "job %s: %s accepted, %" PRIu64 " tasks", job_id_text(job->id, id), name.at,
               plan_tasks(&job->plan));
    take_up_all(tasks);
}

static void announce(struct tasks *tasks, const struct job *job)
{
    const struct task_job *row = task_jobs_find(&tasks->state->task_jobs, job->id);
    char id[JOB_TEXT_MAX];
    struct text name = {0};
    job_id_text(job->id, id);
    plan_name(&job->plan, &name);
    if (job->state == JOB_DONE)
        step_event(tasks->step, "job_done", NODE_NONE, job->id,
                   "job %s: %s done, %" PRIu64 " tasks, %" PRIu64 " ms", id, name.at, row->total,
                   job->finished_ms > job->submitted_ms ? job->finished_ms - job->submitted_ms : 0);
    else if (job->state == JOB_FAILED)
        step_event(tasks->step, "job_failed", NODE_NONE, job->id,
                   "job %s failed: %s of %" PRIu64 " tasks", id, job->reason, row->total);
    else
        step_event(tasks->step, "job_cancelled", NODE_NONE, job->id, "job %s was cancelled", id);
}

void tasks_job_finished(struct tasks *tasks, const struct job *job)
{
    size_t at = 0;
    if (!raft_serves(tasks->raft))
        return;
    announce(tasks, job);
    while (at < tasks->n_active && tasks->active[at]->row->id != job->id)
        at++;
    if (at == tasks->n_active)
        return;
    drop(tasks, tasks->active[at]);
    memmove(&tasks->active[at], &tasks->active[at + 1],
            (--tasks->n_active - at) * sizeof(struct task_schedule *));
}

/* --- workers --- */

void tasks_worker_met(struct tasks *tasks, node_id_t worker)
{
    tasks->slots[worker].told = false;
    if (raft_serves(tasks->raft) && tasks->asked)
        ask(tasks, worker);
}

/* Everybody who is there has told; or has been given the time. */
static bool all_told(const struct tasks *tasks)
{
    if (tasks->step->now_us >= tasks->asked_us + TASK_REPORTS_US)
        return true;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        if (!tasks->slots[id].told && step_is_peer(tasks->step, id) &&
            tasks->links->peers[id].alive)
            return false;
    return true;
}

/* --- the room --- */

void tasks_pump(struct tasks *tasks)
{
    if (!raft_serves(tasks->raft) || !space_suffices(tasks->raft, NULL))
        return;
    if (tasks->waits && all_told(tasks)) {
        tasks->waits = false;
        for (size_t i = 0; i < tasks->n_active; i++)
            failures_lose_unsure(tasks, tasks->active[i]);
    }
    for (size_t i = 0; i < tasks->n_active; i++)
        failures_look(tasks, tasks->active[i]);
    pulls_pump(tasks);
    if (!tasks->waits)
        hands_out(tasks);
    for (size_t i = 0; i < tasks->n_active; i++)
        batch_pump(tasks, tasks->active[i]);
}

uint64_t tasks_deadline(const struct tasks *tasks)
{
    uint64_t at = UINT64_MAX;
    if (!raft_serves(tasks->raft) || !space_suffices(tasks->raft, NULL) || !tasks->n_active)
        return at;
    if (tasks->waits)
        at = tasks->asked_us + TASK_REPORTS_US;
    at = earlier_us(at, pulls_deadline(tasks));
    for (size_t i = 0; i < tasks->n_active; i++) {
        at = earlier_us(at, batch_deadline(tasks->active[i]));
        at = earlier_us(at, failures_deadline(tasks, tasks->active[i]));
        at = earlier_us(at, copies_deadline(tasks, tasks->active[i]));
    }
    return at;
}

void tasks_count(const struct tasks *tasks, const struct task_job *row,
                 struct wire_task_counts *counts)
{
    const struct task_schedule *it = task_schedule_of(tasks, row->id);
    *counts = (struct wire_task_counts){.total = row->total,
                                        .queued = task_job_count(row, TASK_OPEN),
                                        .done = task_job_count(row, TASK_DONE),
                                        .failed = task_job_count(row, TASK_FAILED),
                                        .lost = task_job_count(row, TASK_LOST),
                                        .cancelled = task_job_count(row, TASK_CANCELLED),
                                        .inherited = row->inherited,
                                        .attempts = row->attempts,
                                        .retries = row->retries,
                                        .deaths = row->deaths,
                                        .copies = row->copies};
    if (it) {
        counts->copies += it->copies;
        counts->running = it->handed < counts->queued ? it->handed : counts->queued;
        counts->queued -= counts->running;
    }
}

void tasks_clear(struct tasks *tasks)
{
    tasks_stop(tasks);
    free(tasks->active);
}
