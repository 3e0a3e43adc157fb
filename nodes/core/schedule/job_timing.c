#include "nodes/core/schedule/job_timing.h"

#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/schedule/schedule.h"
#include "shared/base/job_id.h"

/* --- beginning --- */

static uint64_t age_us(const struct schedule *schedule, const struct job *job)
{
    uint64_t wall_ms = schedule->step->wall_ms;
    return wall_ms > job->submitted_ms ? (wall_ms - job->submitted_ms) * MS_US : 0;
}

/* A job that nobody has begun in this term. */
static struct timing not_begun(const struct schedule *schedule, const struct job *job,
                               enum phase before)
{
    struct timing timing;
    uint64_t now_us = schedule->step->now_us, before_us = age_us(schedule, job);
    timing_begin(&timing, now_us, PHASE_WAITING, before, before_us);
    if (job_id_is_of(job->id, schedule->step->term, schedule->state->applied))
        return timing;
    uint64_t known_us = now_us - schedule->began_us;
    known_us = known_us < before_us ? known_us : before_us;
    timing_begin(&timing, now_us, PHASE_WAITING, PHASE_WAITING, known_us);
    timing.us[PHASE_EARLIER] = before_us - known_us;
    timing.since_ms = schedule->began_ms;
    return timing;
}

void job_timing_begin(const struct schedule *schedule, struct job_schedule *job_schedule,
                      bool accepted)
{
    job_schedule->timing =
        not_begun(schedule, job_schedule->job, accepted ? PHASE_ANNOUNCING : PHASE_WAITING);
}

/* --- operands on their way --- */

static bool needs_fetching(const struct schedule *schedule, const struct assignment *assignment)
{
    const struct open_op *open = assignment->open;
    struct plan_operand operands[OPERANDS_MAX];
    if (open->count)
        return false;
    size_t n = plan_operands(&open->job_schedule->job->plan, open->op, operands);
    for (size_t i = 0; i < n; i++) {
        const struct open_op *used =
            operands[i].op ? open_op_find(schedule, open->job_schedule->job->id, operands[i].op)
                           : NULL;
        if (used && !used->value && used->node != assignment->node)
            return true;
    }
    return false;
}

void job_timing_given(struct schedule *schedule, struct assignment *assignment)
{
    const struct timing *timing = &assignment->open->job_schedule->timing;
    assignment->fetches = needs_fetching(schedule, assignment);
    assignment->moved_us = timing_of(timing, schedule->step->now_us, PHASE_MOVING);
}

void job_timing_heartbeat(struct schedule *schedule, node_id_t worker)
{
    const struct wire_heartbeat *heartbeat =
        &schedule->links->peers[worker].heartbeat->as.heartbeat;
    struct assignment *assignment = schedule->slots[worker].first;
    for (; assignment; assignment = assignment->next)
        if (assignment->open->op == heartbeat->executing_op &&
            assignment->open->job_schedule->job->id == heartbeat->executing_job)
            assignment->fetches = false;
}

static enum phase executing_phase(const struct open_op *open)
{
    const struct operator_traits *traits = open_op_traits(open);
    return traits->conversion || traits->converts ? PHASE_CONVERTING : PHASE_COMPUTING;
}

/* No heartbeat came between the operands and the result: its execution was taken for their move. */
void job_timing_returned(struct schedule *schedule, const struct assignment *assignment,
                         uint64_t elapsed_us)
{
    struct timing *timing = &assignment->open->job_schedule->timing;
    uint64_t now_us = schedule->step->now_us;
    if (!assignment->fetches)
        return;
    uint64_t moved_us = timing_of(timing, now_us, PHASE_MOVING) - assignment->moved_us;
    timing_move(timing, now_us, PHASE_MOVING, executing_phase(assignment->open),
                elapsed_us < moved_us ? elapsed_us : moved_us);
}

/* --- which phase --- */

static bool has_state(const struct job_schedule *job_schedule, enum open_op_state state)
{
    for (const struct open_op *open = job_schedule->out.first; open; open = open->next)
        if (open->state == state)
            return true;
    return false;
}

static bool has_ready(const struct job_schedule *job_schedule)
{
    return job_schedule->combine.first || job_schedule->cuts.first ||
           job_schedule->next_cut < plan_cuts(&job_schedule->job->plan, job_schedule->level);
}

/* `at_work`: a bit for each phase that a worker's present operation puts it into. */
static enum phase phase_now(const struct schedule *schedule,
                            const struct job_schedule *job_schedule, unsigned at_work)
{
    for (enum phase phase = PHASE_COMPUTING; phase <= PHASE_MOVING; phase++)
        if (at_work >> phase & 1)
            return phase;
    if (has_state(job_schedule, OP_FETCHING))
        return PHASE_MOVING;
    if (has_state(job_schedule, OP_KEEPING))
        return PHASE_KEEPING;
    if (has_ready(job_schedule) && !job_schedule->failing)
        return deadlines_anybody_is_idle(schedule) ? PHASE_PLANNING : PHASE_WAITING;
    return job_schedule->out.first ? PHASE_WAITING : PHASE_ANNOUNCING;
}

void job_timing_look(struct schedule *schedule)
{
    if (!schedule->n_active)
        return;
    for (size_t i = 0; i < schedule->n_active; i++)
        schedule->active[i]->at_work = 0;
    for (node_id_t id = 1; id <= schedule->step->config.n_nodes; id++) {
        struct assignment *executing[COMPUTE_IN_FLIGHT];
        for (size_t n = assignments_executing(schedule, id, executing); n > 0; n--) {
            const struct assignment *it = executing[n - 1];
            it->open->job_schedule->at_work |=
                1u << (it->fetches ? PHASE_MOVING : executing_phase(it->open));
        }
    }
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct job_schedule *it = schedule->active[i];
        enum phase phase = phase_now(schedule, it, it->at_work);
        if (phase != it->timing.phase)
            timing_enter(&it->timing, schedule->step->now_us, phase);
    }
}

/* --- ending, and telling --- */

void job_timing_end(struct schedule *schedule, const struct job *job)
{
    const struct job_schedule *job_schedule = job_schedule_of(schedule, job->id);
    struct timing_row *row = &schedule->timings[schedule->n_timings++ % TIMINGS_KEPT_MAX];
    row->job = job->id;
    row->timing = job_schedule ? job_schedule->timing : not_begun(schedule, job, PHASE_WAITING);
    timing_enter(&row->timing, schedule->step->now_us, row->timing.phase);
    row->ended_us = schedule->step->now_us;
}

/* The latest first: most that is asked has just ended. */
static const struct timing_row *find_row(const struct schedule *schedule, job_id_t job)
{
    uint64_t n = schedule->n_timings < TIMINGS_KEPT_MAX ? schedule->n_timings : TIMINGS_KEPT_MAX;
    for (uint64_t i = 1; i <= n; i++) {
        const struct timing_row *row =
            &schedule->timings[(schedule->n_timings - i) % TIMINGS_KEPT_MAX];
        if (row->job == job)
            return row;
    }
    return NULL;
}

bool schedule_timing(const struct schedule *schedule, const struct job *job, struct timing *out)
{
    const struct job_schedule *job_schedule = job_schedule_of(schedule, job->id);
    const struct timing_row *row = NULL;
    if (job_schedule)
        *out = job_schedule->timing;
    else if (!job_is_finished(job))
        *out = not_begun(schedule, job, PHASE_WAITING);
    else if ((row = find_row(schedule, job->id)))
        *out = row->timing;
    else
        return false;
    timing_enter(out, row ? row->ended_us : schedule->step->now_us, out->phase);
    return true;
}
