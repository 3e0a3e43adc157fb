#include "nodes/core/schedule/remake.h"
#include "nodes/core/schedule/results.h"
#include "nodes/core/schedule/schedule.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/schedule/assign.h"
#include "nodes/core/schedule/completions.h"
#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/schedule/follow.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/link/link.h"
#include "nodes/core/schedule/job_schedule.h"
#include "nodes/core/schedule/job_timing.h"
#include "nodes/core/schedule/retention_set.h"
#include "nodes/core/schedule/suspicion.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* --- taking jobs up and ending them --- */

bool schedule_end_is_pending(const struct schedule *schedule, job_id_t job)
{
    const struct raft *raft = schedule->raft;
    for (log_index_t index = raft->log.applied + 1; index <= raft->log.last; index++) {
        const struct message *entry = raft_log_waiting(raft, index);
        if (entry &&
            ((entry->type == MESSAGE_ENTRY_JOB_DONE && entry->as.entry_job_done.job == job) ||
             (entry->type == MESSAGE_ENTRY_JOB_FAILED && entry->as.entry_job_failed.job == job) ||
             (entry->type == MESSAGE_ENTRY_JOB_CANCELLED &&
              entry->as.entry_job_cancelled.job == job)))
            return true;
    }
    return false;
}

bool schedule_is_worker(const struct schedule *schedule, node_id_t id)
{
    return peers_is_linked(schedule->links, id) && members_is_member(schedule->raft, id);
}

unsigned schedule_count_workers(const struct schedule *schedule)
{
    unsigned workers = 0;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        workers += schedule_is_worker(schedule, id);
    return workers;
}

/* `accepted`: the job that was accepted in this step; JOB_NONE: none was. */
static void take_up_jobs(struct schedule *schedule, job_id_t accepted)
{
    const struct job *job = jobs_open_after(&schedule->state->jobs, schedule->cursor);
    for (; job && schedule->n_active < ACTIVE_JOBS_MAX; job = job->newer_open) {
        bool tasks = plan_tasks(&job->plan) > 0; /* tasks/ has it */
        bool large = !tasks && !follow_fits(job);
        if (large && schedule->n_large == ACTIVE_LARGE_MAX && !MUTANT(large_unbounded))
            return;
        schedule->cursor = job->id;
        if (tasks)
            continue;
        schedule->n_large += large;
        struct job_schedule *job_schedule = completions_resume(schedule, job);
        schedule->active[schedule->n_active++] = job_schedule;
        job_timing_begin(schedule, job_schedule, job->id == accepted);
        if (!job->done)
            continue;
        char id[JOB_TEXT_MAX];
        step_event(schedule->step, "job_resumed", NODE_NONE, job->id,
                   "job %s resumes from its checkpoint: %" PRIu64 " of %" PRIu64
                   " operations are done",
                   job_id_text(job->id, id), job->done, job->plan.total);
    }
}

void schedule_start(struct schedule *schedule)
{
    schedule->cursor = JOB_NONE;
    schedule->retention = 0;
    schedule->began_us = schedule->step->now_us;
    schedule->began_ms = schedule->step->wall_ms;
    schedule->operations = schedule->reassigned = schedule->copied = 0;
    schedule->lost_values = schedule->keep_pace = 0;
    schedule->watch_us = 0;
    schedule->copy_waits = false;
    schedule->paces = (struct paces){0};
    schedule->unlogged = schedule->unlogged_bytes = 0;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        message_drop(&schedule->slots[id].batch);
        schedule->slots[id] =
            (struct worker_slot){.tasks = schedule->slots[id].tasks,
                                 .operations = schedule->state->head.operations[id],
                                 .conversions = schedule->state->head.conversions[id]};
        schedule->operations += schedule->state->head.operations[id];
    }
    take_up_jobs(schedule, JOB_NONE);
}

void schedule_stop(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_active; i++)
        job_schedule_destroy(schedule, &schedule->active[i]);
    schedule->n_active = schedule->n_large = 0;
    outbox_drop(&schedule->step->out, USER_SCHEDULE, (struct value_id){0});
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        message_drop(&schedule->slots[id].batch);
}

void schedule_job_accepted(struct schedule *schedule, const struct job *job)
{
    char id[JOB_TEXT_MAX];
    struct text name = {0};
    if (!raft_serves(schedule->raft))
        return;
    plan_name(&job->plan, &name);
    step_event(schedule->step, "job_accepted", NODE_NONE, job->id,
               "job %s: %s accepted, %" PRIu64 " operations", job_id_text(job->id, id), name.at,
               job->plan.total);
    take_up_jobs(schedule, job->id);
}

static void announce(struct schedule *schedule, const struct job *job)
{
    char id[JOB_TEXT_MAX];
    struct text name = {0}, label = {0};
    job_id_text(job->id, id);
    plan_name(&job->plan, &name);
    plan_label(&job->plan, &label);
    switch (job->state) {
    case JOB_DONE:
        if (job->text) /* the second seed's line: 10!=3628800 */
            step_line(schedule->step, "result", LOG_LINES_PER_S, LOG_INFO, "%s=%.*s", label.at,
                      (int)job->text->len, (const char *)job->text->at);
        else
            step_line(schedule->step, "result", LOG_LINES_PER_S, LOG_INFO,
                      "%s=%s...%s (%" PRIu64 " digits)", label.at, job->head, job->tail,
                      job->digits);
        step_event(schedule->step, "job_done", NODE_NONE, job->id,
                   "job %s: %s done, %" PRIu64 " digits, %" PRIu64 " ms", id, name.at, job->digits,
                   job->finished_ms > job->submitted_ms ? job->finished_ms - job->submitted_ms : 0);
        break;
    case JOB_FAILED:
        step_event(schedule->step, "job_failed", NODE_NONE, job->id, "job %s failed: %s", id,
                   job->reason);
        break;
    default:
        step_event(schedule->step, "job_cancelled", NODE_NONE, job->id, "job %s was cancelled", id);
        break;
    }
}

/* Others have nothing of it: what an earlier term gave them they dropped when this one began. To
 * tell all of each small job would be most of the messages between nodes. */
static void release_at_workers(struct schedule *schedule, const struct job_schedule *job_schedule)
{
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        if (step_is_peer(schedule->step, id) && job_schedule->given[id] && !MUTANT(release_nobody))
            assignment_cancel(schedule, id, job_schedule->job->id, 0);
    }
}

void schedule_job_finished(struct schedule *schedule, const struct job *job)
{
    struct job_schedule *job_schedule = job_schedule_of(schedule, job->id);
    if (raft_serves(schedule->raft))
        job_timing_end(schedule, job);
    if (!job_schedule)
        return;
    for (const struct open_op *open = job_schedule->out.first; open; open = open->next)
        for (unsigned i = 0; i < HOLDERS_MAX; i++)
            if (open->assignments[i].node)
                deadlines_stray(schedule, &open->assignments[i]);
    size_t at = 0;
    while (schedule->active[at] != job_schedule)
        at++;
    schedule->active[at] = schedule->active[--schedule->n_active];
    schedule->n_large -= !job_schedule->small;
    release_at_workers(schedule, job_schedule);
    job_schedule_destroy(schedule, &job_schedule);
    outbox_drop(&schedule->step->out, USER_SCHEDULE, (struct value_id){job->id, 0});
    announce(schedule, job);
    take_up_jobs(schedule, JOB_NONE);
}

/* --- losing a worker --- */

/* Values that were on their way from the worker. */
static uint64_t lose_values(struct schedule *schedule, node_id_t worker)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct open_op_list *out = &schedule->active[i]->out;
        for (struct open_op *next, *open = out->first; open; open = next) {
            next = open->next;
            if (open->node != worker || open->state != OP_FETCHING)
                continue;
            outbox_drop(&schedule->step->out, USER_SCHEDULE,
                        (struct value_id){open->job_schedule->job->id, open->op});
            list_remove(out, open);
            open_op_make_ready(open, true);
            lost++;
        }
    }
    return lost;
}

void schedule_worker_lost(struct schedule *schedule, node_id_t worker, bool died)
{
    struct worker_slot *slot = &schedule->slots[worker];
    uint64_t lost = 0;
    if (died)
        suspicion_blame(schedule, worker);
    for (; slot->last; lost++)
        assignment_take_back(schedule, slot->last, true);
    lost += lose_values(schedule, worker);
    uint64_t values = remake_lose(schedule, worker);
    slot->operation_us = 0;
    slot->paces = (struct paces){0};
    slot->warm_bytes = 0;
    message_drop(&slot->batch);
    slot->batch_bytes = 0;
    if (lost)
        step_event(schedule->step, "reassigned", worker, JOB_NONE,
                   "%" PRIu64 " assignments of node %u go to others", lost, worker);
    if (values)
        step_event(schedule->step, "values_lost", worker, JOB_NONE,
                   "%" PRIu64 " values that node %u alone held are made again", values, worker);
}

void schedule_worker_lives(struct schedule *schedule, node_id_t worker, bool again)
{
    struct worker_slot *slot = &schedule->slots[worker];
    if (again) {
        suspicion_absolve(schedule, worker);
        return;
    }
    slot->blamed = (struct value_id){0};
    slot->errors = slot->stray = 0;
    slot->rests_until_us = slot->reserved_until_us = 0;
}

/* --- the room --- */

void schedule_clear(struct schedule *schedule)
{
    schedule_stop(schedule);
    map_clear(&schedule->open_ops);
    map_clear(&schedule->job_schedules);
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        message_drop(&schedule->slots[id].batch);
}

void schedule_pump(struct schedule *schedule)
{
    /* What cannot be logged need not be done. */
    if (raft_serves(schedule->raft) && space_suffices(schedule->raft, NULL)) {
        results_propose_spread(schedule);
        assign_all(schedule);
        completions_pump(schedule);
        retention_pump(schedule);
    }
    job_timing_look(schedule);
}

uint64_t schedule_deadline(const struct schedule *schedule)
{
    if (!raft_serves(schedule->raft) || !space_suffices(schedule->raft, NULL))
        return UINT64_MAX; /* it goes on when a heartbeat, or our disk, says that there is room */
    uint64_t at = completions_deadline(schedule);
    if (schedule->n_active && schedule->watch_us < at)
        at = schedule->watch_us;
    return at;
}

unsigned schedule_subtree_level(const struct schedule *schedule, const struct plan *plan)
{
    bool known = members_know_entries(schedule->raft, ENTRY_LEVEL_UNITS, NULL);
    if (plan->ranges)
        return 0; /* each operation of its flat stage by itself */
    return plan_subtree_level(plan, schedule_count_workers(schedule),
                              known ? SUBTREE_LEAVES_MAX : SUBTREE_LEAVES_OLD);
}
