#include "nodes/core/schedule/suspicion.h"

#include <inttypes.h>

#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/link/link.h"

/* Proposes that the job has failed; nothing more of it is handed out. */
static void fail_job(struct schedule *schedule, struct job_schedule *job_schedule,
                     struct slice reason)
{
    if (job_schedule->failing || schedule_end_is_pending(schedule, job_schedule->job->id))
        return;
    job_schedule->failing = true;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_FAILED);
    if (reason.len > JOB_REASON_MAX)
        reason.len = JOB_REASON_MAX;
    entry->as.entry_job_failed =
        (struct wire_entry_job_failed){.job = job_schedule->job->id,
                                       .time_ms = schedule->step->wall_ms,
                                       .reason = message_copy(entry, reason)};
    raft_log_propose(schedule->raft, entry);
}

static void add_nodes(struct text *out, const node_id_t *nodes, unsigned n)
{
    text_add(out, n == 1 ? "node " : "nodes ");
    for (unsigned i = 0; i < n; i++)
        text_add(out, "%s%u", i ? ", " : "", nodes[i]);
}

/* --- poison --- */

static void check_poison(struct schedule *schedule, struct open_op *open)
{
    struct text reason = {0};
    if (!schedule->step->config.poison_deaths ||
        open->deaths < schedule->step->config.poison_deaths)
        return;
    open_op_name(open, &reason);
    text_add(&reason, " killed its worker %u times (", open->deaths);
    add_nodes(&reason, open->killed,
              open->deaths < POISON_DEATHS ? open->deaths : (unsigned)POISON_DEATHS);
    text_add(&reason, ")");
    fail_job(schedule, open->job_schedule, slice_of(reason.at));
}

void suspicion_blame(struct schedule *schedule, node_id_t worker)
{
    struct peer *peer = &schedule->links->peers[worker];
    struct assignment *assignment = assignment_executing(schedule, worker);
    struct text name = {0};
    if (peer->excused || !assignment)
        return;
    struct open_op *open = assignment->open;
    struct assignment *executing[COMPUTE_IN_FLIGHT];
    for (struct assignment *other = schedule->slots[worker].first; other; other = other->next)
        other->open->alone = true;
    if (assignments_executing(schedule, worker, executing) > 1)
        return; /* which of them it was shows when each is executed alone */
    if (open->deaths < POISON_DEATHS)
        open->killed[open->deaths] = worker;
    open->deaths++;
    schedule->slots[worker].blamed = (struct value_id){open->job_schedule->job->id, open->op};
    open_op_name(open, &name);
    step_event(schedule->step, "operation_suspected", worker, open->job_schedule->job->id,
               "node %u died while it executed %s: death %u, %" PRIu64 " fail the job", worker,
               name.at, open->deaths, schedule->step->config.poison_deaths);
    check_poison(schedule, open);
}

void suspicion_absolve(struct schedule *schedule, node_id_t worker)
{
    struct worker_slot *slot = &schedule->slots[worker];
    struct open_op *open =
        slot->blamed.op ? open_op_find(schedule, slot->blamed.job, slot->blamed.op) : NULL;
    slot->blamed = (struct value_id){0};
    if (!open || !open->deaths)
        return;
    /* It is the last of the list, unless another death came in between. */
    unsigned n = open->deaths < POISON_DEATHS ? open->deaths : (unsigned)POISON_DEATHS, at = n;
    while (at && open->killed[at - 1] != worker)
        at--;
    for (; at && at < n; at++)
        open->killed[at - 1] = open->killed[at];
    open->deaths--;
}

/* --- errors --- */

static bool has_refused(const struct open_op *open, node_id_t worker)
{
    for (unsigned i = 0; i < open->errors && i < ERRORS_MAX; i++)
        if (open->refused_by[i] == worker)
            return true;
    return false;
}

bool suspicion_avoids(const struct schedule *schedule, const struct open_op *open, node_id_t worker)
{
    if (!has_refused(open, worker))
        return false;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        if (schedule_is_worker(schedule, id) && !has_refused(open, id))
            return true;
    return false; /* nobody else is there: it may do better later */
}

static void rest(struct schedule *schedule, node_id_t worker)
{
    struct worker_slot *slot = &schedule->slots[worker];
    if (schedule->step->now_us < slot->rests_until_us)
        return; /* of the same batch: one failure */
    slot->rests_until_us = schedule->step->now_us + error_pause_us(slot->errors++);
}

void suspicion_final(struct schedule *schedule, struct open_op *open, struct slice error)
{
    struct text reason = {0};
    open_op_name(open, &reason);
    text_add(&reason, ": %.*s", (int)error.len, (const char *)error.at);
    fail_job(schedule, open->job_schedule, slice_of(reason.at));
}

void suspicion_error(struct schedule *schedule, node_id_t worker, struct open_op *open,
                     struct slice error, bool again)
{
    struct text reason = {0};
    rest(schedule, worker);
    if (again)
        return;
    if (open->errors < ERRORS_MAX)
        open->refused_by[open->errors] = worker;
    if (++open->errors < ERRORS_MAX)
        return;
    open_op_name(open, &reason);
    text_add(&reason, ": %.*s (refused by ", (int)error.len, (const char *)error.at);
    add_nodes(&reason, open->refused_by, ERRORS_MAX);
    text_add(&reason, ")");
    fail_job(schedule, open->job_schedule, slice_of(reason.at));
}
