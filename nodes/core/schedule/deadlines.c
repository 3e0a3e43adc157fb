#include "nodes/core/schedule/deadlines.h"

#include <inttypes.h>

#include "nodes/core/schedule/remake.h"
#include "nodes/core/schedule/job_timing.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/schedule/shares.h"
#include "shared/base/bits.h"
#include "shared/base/heartbeat.h"
#include "shared/base/mutant.h"

/* A result may overtake the heartbeat that names its operation; two such heartbeats in a row do not
 * happen. */
#define STRAY_BEATS 2

/* --- what an operation costs, and how long it should take --- */

static uint64_t operand_bytes(const struct schedule *schedule, const struct open_op *open)
{
    struct plan_operand operands[OPERANDS_MAX];
    uint64_t bytes = 0;
    const struct plan *plan = &open->job_schedule->job->plan;
    if (open->count)
        return open->count * bits_of(open->first) / 8;
    if (open->cut)
        return plan_flat_bytes(plan, open->op);
    size_t n = plan_operands(plan, open->op, operands);
    for (size_t i = 0; i < n; i++) {
        const struct open_op *used =
            operands[i].op ? open_op_find(schedule, open->job_schedule->job->id, operands[i].op)
                           : NULL;
        bytes += used ? used->len : sizeof(uint64_t);
    }
    return bytes;
}

static uint64_t delay_of(const struct schedule *schedule, node_id_t worker)
{
    const struct message *heartbeat = schedule->links->peers[worker].heartbeat;
    return heartbeat ? heartbeat->as.heartbeat.delay_us : 0;
}

static struct pace_of pace_of(const struct schedule *schedule, const struct open_op *open)
{
    return (struct pace_of){.class = open->count ? PACE_OF_SUBTREES : (size_t)open->opcode,
                            .opcode = open->opcode,
                            .bytes = operand_bytes(schedule, open)};
}

/* Its memory for numbers is touched, and its transforms are prepared, up to this size. */
static void note_warm(const struct schedule *schedule, struct worker_slot *slot, uint64_t bytes)
{
    if (schedule->step->now_us >= slot->warm_until_us || slot->warm_bytes < bytes)
        slot->warm_bytes = bytes;
    slot->warm_until_us = schedule->step->now_us + WARM_US;
}

void deadlines_note(struct schedule *schedule, node_id_t worker, const struct open_op *open,
                    const struct wire_result_op *result)
{
    struct worker_slot *slot = &schedule->slots[worker];
    struct pace_of what = pace_of(schedule, open);
    uint64_t elapsed_us = result->elapsed_us;
    uint64_t other_us = delay_of(schedule, worker) + result->starved_us;
    uint64_t work_us = elapsed_us > other_us ? elapsed_us - other_us : 0;
    if (elapsed_us > PACE_MAX_US)
        return; /* no clock of ours */
    note_warm(schedule, slot, what.bytes);
    pace_average(&slot->operation_us, elapsed_us);
    pace_note(&slot->paces, what, work_us);
    pace_note(&schedule->paces, what, work_us);
}

/* What it should take, `fetch_us` for its operands and the worker's delay left aside. */
static struct pace_estimate expected_of(const struct schedule *schedule,
                                        const struct assignment *assignment, uint64_t *fetch_us)
{
    const struct worker_slot *slot = &schedule->slots[assignment->node];
    struct pace_of what = pace_of(schedule, assignment->open);
    *fetch_us = what.bytes / TRANSFER_BYTES_PER_US;
    return pace_estimate(&slot->paces, &schedule->paces, what);
}

static uint64_t allowed_us(const struct schedule *schedule, const struct assignment *assignment,
                           uint64_t factor, uint64_t least_us)
{
    uint64_t fetch_us, delay_us = delay_of(schedule, assignment->node) * 3 / 2;
    struct pace_estimate expected = expected_of(schedule, assignment, &fetch_us);
    return delay_us + least_us + factor * (expected.us + fetch_us) +
           (expected.known ? 0 : DEADLINE_UNKNOWN_US);
}

/* --- who takes too long --- */

/* A worker that had nothing to tell beats less often, until it is given something to do. */
static bool is_quiet(const struct schedule *schedule, node_id_t worker)
{
    const struct node_config *config = &schedule->step->config;
    const struct worker_slot *slot = &schedule->slots[worker];
    uint64_t since_us = schedule->links->peers[worker].heard_us, period_us = config->heartbeat_us;
    uint64_t next_us = heartbeat_idle_us(period_us, config->election_timeout_us, false);
    if (slot->outstanding) {
        since_us = slot->busy_us > since_us ? slot->busy_us : since_us;
        next_us = period_us;
    }
    return schedule->step->now_us >= since_us + QUIET_BEATS * period_us + next_us;
}

void deadlines_returned(struct schedule *schedule, node_id_t worker)
{
    struct worker_slot *slot = &schedule->slots[worker];
    slot->busy_us = schedule->step->now_us;
    slot->slow = slot->overdue = false;
    slot->stray = 0;
}

void deadlines_stray(struct schedule *schedule, const struct assignment *assignment)
{
    if (assignment_executing(schedule, assignment->node) == assignment)
        schedule->slots[assignment->node].stray = STRAY_BEATS;
}

void schedule_heartbeat(struct schedule *schedule, node_id_t worker)
{
    const struct wire_heartbeat *heartbeat =
        &schedule->links->peers[worker].heartbeat->as.heartbeat;
    struct worker_slot *slot = &schedule->slots[worker];
    struct open_op *open =
        open_op_find(schedule, heartbeat->executing_job, heartbeat->executing_op);
    bool stray = heartbeat->executing_op && !(open && assignment_of(open, worker));
    job_timing_heartbeat(schedule, worker);
    slot->stray = !stray ? 0 : slot->stray < STRAY_BEATS ? slot->stray + 1 : STRAY_BEATS;
}

bool deadlines_holds_back(const struct schedule *schedule, node_id_t worker)
{
    const struct worker_slot *slot = &schedule->slots[worker];
    return slot->slow || slot->overdue || slot->stray >= STRAY_BEATS || is_quiet(schedule, worker);
}

bool deadlines_anybody_is_idle(const struct schedule *schedule)
{
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        if (schedule_is_worker(schedule, id) &&
            schedule->slots[id].outstanding < shares_slots(schedule, id) &&
            !deadlines_holds_back(schedule, id))
            return true;
    return false;
}

/* How long the worker has been at it. Who waits for a processor does not stand still, and others on
 * a machine that is busy do not get on better: that time counts for a part. */
static uint64_t charged_us(const struct schedule *schedule, const struct assignment *assignment)
{
    uint64_t taken_us = schedule->step->now_us - assignment_busy_us(schedule, assignment);
    const struct message *message = schedule->links->peers[assignment->node].heartbeat;
    const struct wire_heartbeat *heartbeat = message ? &message->as.heartbeat : NULL;
    const struct open_op *open = assignment->open;
    if (!heartbeat || heartbeat->executing_op != open->op ||
        heartbeat->executing_job != open->job_schedule->job->id || MUTANT(starved_is_slow))
        return taken_us;
    uint64_t starved_us = heartbeat->executing_starved_us;
    starved_us = starved_us < taken_us ? starved_us : taken_us;
    return taken_us - starved_us + starved_us / STARVED_PART;
}

/* Its worker may be stopped. A copy of what takes longer than the verdict on that is of no use. */
static bool may_be_stopped(const struct schedule *schedule, const struct assignment *assignment)
{
    uint64_t fetch_us, delay_us = delay_of(schedule, assignment->node);
    return is_quiet(schedule, assignment->node) &&
           expected_of(schedule, assignment, &fetch_us).us + fetch_us + delay_us <=
               schedule->step->config.election_timeout_us;
}

static bool is_slow(const struct schedule *schedule, const struct assignment *assignment)
{
    return may_be_stopped(schedule, assignment) ||
           charged_us(schedule, assignment) >
               allowed_us(schedule, assignment, SLOW_FACTOR, SLOW_MIN_US);
}

/* True when it is overdue. Of a single slot it stays so until something returns. */
static bool check_deadline(struct schedule *schedule, const struct assignment *assignment)
{
    struct worker_slot *slot = &schedule->slots[assignment->node];
    uint64_t taken_us = schedule->step->now_us - assignment_busy_us(schedule, assignment);
    bool one = shares_slots(schedule, assignment->node) == 1;
    struct text name = {0};
    if (one && slot->overdue)
        return true;
    if (charged_us(schedule, assignment) <=
        allowed_us(schedule, assignment, DEADLINE_FACTOR, DEADLINE_MIN_US))
        return false;
    if (slot->overdue)
        return true;
    slot->overdue = true;
    open_op_name(assignment->open, &name);
    step_event(schedule->step, "overdue", assignment->node, assignment->open->job_schedule->job->id,
               "node %u is overdue with %s: %" PRIu64 " ms", assignment->node, name.at,
               taken_us / MS_US);
    return true;
}

static bool is_one_of(const struct assignment *assignment, struct assignment *const *at, size_t n)
{
    while (n && at[n - 1] != assignment)
        n--;
    return n > 0;
}

/* Takes back what the worker has not begun. */
static void recall(struct schedule *schedule, node_id_t worker, struct assignment *const *executing,
                   size_t n_executing)
{
    struct assignment *next, *assignment = schedule->slots[worker].first;
    uint64_t n = 0;
    for (; assignment; assignment = next) {
        next = assignment->next;
        if (is_one_of(assignment, executing, n_executing))
            continue;
        assignment_take_back(schedule, assignment, true);
        n++;
    }
    if (n)
        step_event(schedule->step, "reassigned", worker, JOB_NONE,
                   "%" PRIu64 " assignments that wait at node %u go to others", n, worker);
}

/* What is suspected to kill its worker runs once at a time. */
static bool may_be_copied(const struct schedule *schedule, const struct open_op *open)
{
    return assignments_count(open) < HOLDERS_MAX && !open->deaths && !open->job_schedule->failing &&
           !remake_is_crippled(schedule, open);
}

/* What takes too long there, of that which may be copied; NULL: nothing. */
static struct open_op *watch_worker(struct schedule *schedule, node_id_t worker, bool idle)
{
    struct worker_slot *slot = &schedule->slots[worker];
    struct assignment *executing[COMPUTE_IN_FLIGHT];
    size_t n = assignments_executing(schedule, worker, executing);
    struct open_op *wanted = NULL;
    bool late = false;
    for (size_t i = 0; i < n; i++) {
        bool overdue = check_deadline(schedule, executing[i]);
        if (!overdue && !(idle && is_slow(schedule, executing[i])))
            continue;
        late = slot->slow = true;
        if (!wanted && may_be_copied(schedule, executing[i]->open))
            wanted = executing[i]->open;
    }
    if (n && late)
        recall(schedule, worker, executing, n);
    return wanted;
}

struct open_op *deadlines_watch(struct schedule *schedule, bool idle)
{
    struct open_op *wanted = NULL;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        struct open_op *late = watch_worker(schedule, id, idle);
        wanted = wanted ? wanted : late;
    }
    return wanted;
}

void schedule_forgive(struct schedule *schedule)
{
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++)
        schedule->slots[id].busy_us = schedule->slots[id].forgiven_us = schedule->step->now_us;
}
