#include "nodes/core/schedule/remake.h"

#include "nodes/core/schedule/completions.h"
#include "shared/base/mutant.h"

/* --- what is held where --- */

bool remake_is_held(const struct open_op *open)
{
    return open->state == OP_DONE && !open->value && !open->here && !open->kept;
}

/* --- what it costs --- */

uint64_t remake_cost_us(const struct schedule *schedule, const struct open_op *open,
                        uint64_t elapsed_us)
{
    struct open_op *used[OPERANDS_MAX];
    uint64_t us = elapsed_us;
    for (size_t i = open_op_used(schedule, open, used); i-- > 0;)
        us += used[i]->logged ? 0 : used[i]->remake_us;
    return us;
}

bool remake_pays(const struct schedule *schedule, const struct open_op *open)
{
    const struct job_schedule *job_schedule = open->job_schedule;
    if (job_schedule->n_unlogged > UNLOGGED_MAX || job_schedule->unlogged_us > UNLOGGED_US_MAX)
        return true;
    const struct node_config *config = &schedule->step->config;
    uint64_t pace = schedule->keep_pace ? schedule->keep_pace : KEEP_PACE_DEFAULT;
    pace = config->keep_pace ? config->keep_pace : pace;
    uint64_t copy_us = config->n_voters * (open->len * 1024 / pace);
    return open->remake_us >= KEEP_ODDS * copy_us;
}

void remake_note_kept(struct schedule *schedule, const struct open_op *open)
{
    uint64_t us = schedule->step->now_us - open->keep_us + 1;
    if (open->len < KEEP_PACE_BYTES || !open->keep_us)
        return; /* that says how long it waited */
    uint64_t sample = open->len * 1024 / us;
    uint64_t before = schedule->keep_pace ? schedule->keep_pace : KEEP_PACE_DEFAULT;
    schedule->keep_pace = (3 * before + sample) / 4 + 1;
}

/* --- what is lost --- */

static bool is_unit(const struct job_schedule *job_schedule, op_id_t op)
{
    const struct plan *plan = &job_schedule->job->plan;
    if (plan_shares(plan))
        return plan_is_flat(plan, op);
    return op <= plan->total && plan_node_of(plan, op).level <= job_schedule->level;
}

static void make_again(struct schedule *schedule, struct open_op *open, node_id_t loser);

/* An operation that had gone with its consumer's end is open once more: with its value when the log
 * has that, else to be made again. */
static void open_again(struct schedule *schedule, struct job_schedule *job_schedule, op_id_t op,
                       node_id_t loser)
{
    const struct done_op *done = map_get(&job_schedule->job->live, (struct map_key){op, 0});
    if (done) {
        completions_take_up(schedule, job_schedule, done);
        return;
    }
    struct open_op *open = open_op_add(schedule, job_schedule, op);
    open->counted = !MUTANT(remade_counts);
    open->attempt = job_schedule->attempts; /* no number comes twice */
    if (is_unit(job_schedule, op))
        open_op_cut(open);
    make_again(schedule, open, loser);
}

/* The open operations that use its value; returns how many. */
static size_t open_consumers(const struct schedule *schedule, const struct open_op *open,
                             struct open_op *out[CONSUMERS_MAX])
{
    const struct job *job = open->job_schedule->job;
    op_id_t consumers[CONSUMERS_MAX];
    size_t found = 0, n = plan_consumers(&job->plan, open->op, consumers);
    for (size_t i = 0; i < n; i++) {
        out[found] = open_op_find(schedule, job->id, consumers[i]);
        found += out[found] != NULL;
    }
    return found;
}

/* A value that was lost with its maker is needed: it is made again, and whose loss that was is
 * noted. Whatever waits for other operands now waits for this one, too. */
static void replace_lost(struct schedule *schedule, struct open_op *open)
{
    struct open_op *consumers[CONSUMERS_MAX];
    job_losses_of(&open->job_schedule->losses, open->node)->values++;
    make_again(schedule, open, open->node);
    for (size_t i = open_consumers(schedule, open, consumers); i-- > 0;)
        consumers[i]->missing += consumers[i]->state == OP_PENDING;
}

/* The depth of recursion is that of the plan. `loser`: the node whose loss is the cause. */
static void make_again(struct schedule *schedule, struct open_op *open, node_id_t loser)
{
    struct job_schedule *job_schedule = open->job_schedule;
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = open->count ? 0 : plan_operands(&job_schedule->job->plan, open->op, operands);
    open->lost = open->keeping = open->kept = open->here = false;
    open->remade_for = loser;
    job_schedule->again += open->counted ? open->operations : 0;
    for (size_t i = 0; i < n; i++) {
        if (!operands[i].op)
            continue;
        struct open_op *used = open_op_find(schedule, job_schedule->job->id, operands[i].op);
        if (!used)
            open_again(schedule, job_schedule, operands[i].op, loser);
        else if (used->lost)
            replace_lost(schedule, used);
    }
    open->state = OP_PENDING;
    open->missing = open_op_count_missing(schedule, open);
    if (!open->missing)
        open_op_make_ready(open, true);
}

bool remake_is_crippled(const struct schedule *schedule, const struct open_op *open)
{
    struct open_op *used[OPERANDS_MAX];
    for (size_t i = open_op_used(schedule, open, used); i-- > 0;)
        if (used[i]->lost || used[i]->state != OP_DONE)
            return true; /* not done: it is being made again for another that uses it */
    return false;
}

bool remake_operands(struct schedule *schedule, struct open_op *open)
{
    struct open_op *used[OPERANDS_MAX];
    if (!remake_is_crippled(schedule, open))
        return false;
    list_remove(&open->job_schedule->combine, open); /* a unit has no operands */
    for (size_t i = open_op_used(schedule, open, used); i-- > 0;)
        if (used[i]->lost)
            replace_lost(schedule, used[i]);
    open->state = OP_PENDING;
    open->missing = open_op_count_missing(schedule, open);
    return true;
}

/* Whoever executes what uses the value may have got it in time: then it is not needed again. */
static void lose(struct schedule *schedule, struct open_op *open)
{
    struct job_schedule *job_schedule = open->job_schedule;
    struct value_id id = {job_schedule->job->id, open->op};
    struct open_op *consumers[CONSUMERS_MAX];
    size_t n = open_consumers(schedule, open, consumers);
    bool waits = false;
    if (MUTANT(lost_is_there))
        return;
    if (open->keeping)
        outbox_drop(&schedule->step->out, USER_SCHEDULE, id); /* it was on its way to us */
    offers_end(schedule->raft, id);
    open->lost = true;
    open->keeping = false;
    for (size_t i = 0; i < n; i++)
        waits = waits || consumers[i]->state == OP_READY || consumers[i]->state == OP_PENDING;
    if (waits)
        replace_lost(schedule, open);
    if (waits && n > 1 && MUTANT(consumers_remake))
        replace_lost(schedule, open);
    for (size_t i = 0; i < n; i++)
        if (consumers[i]->state == OP_READY)
            remake_operands(schedule, consumers[i]);
}

uint64_t remake_lose(struct schedule *schedule, node_id_t worker)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < schedule->n_active; i++) {
        struct open_op *open = schedule->active[i]->newest; /* newer ones come before it */
        for (; open; open = open->older) {
            if (open->node != worker || open->lost || !remake_is_held(open))
                continue;
            lose(schedule, open);
            lost++;
        }
    }
    schedule->lost_values += lost;
    return lost;
}

void remake_note_done(const struct open_op *open)
{
    if (!open->remade_for)
        return;
    struct job_loss *loss = job_losses_of(&open->job_schedule->losses, open->remade_for);
    loss->operations += open->operations;
    loss->us += open->elapsed_us;
}

void remake_missing(struct schedule *schedule, struct value_id id)
{
    struct open_op *open = open_op_find(schedule, id.job, id.op);
    if (!open || open->lost || !remake_is_held(open))
        return;
    lose(schedule, open);
    schedule->lost_values++;
    step_event(schedule->step, "values_lost", open->node, id.job,
               "node %u does not have a value that it alone held: it is made again", open->node);
}
