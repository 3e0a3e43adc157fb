#include "nodes/core/worker/holding.h"

#include <stdlib.h>

#include "nodes/core/kinds/kinds.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

static void order(struct worker *worker, enum spill_step step, struct value_id id, uint64_t seq)
{
    outbox_add(&worker->step->out, OUTPUT_SPILL)->spill = (struct spill_order){step, id, seq};
}

/* --- what is held --- */

/* The last operation that uses the value: plans number operations about as they are executed. */
static op_id_t last_use_of(const struct worker *worker, struct value_id id)
{
    const struct job *job = jobs_find(&worker->state->jobs, id.job);
    op_id_t consumers[CONSUMERS_MAX], last = 0;
    if (!job || plan_tasks(&job->plan) || !id.op || id.op > plan_result(&job->plan))
        return 0;
    for (size_t i = plan_consumers(&job->plan, id.op, consumers); i-- > 0;)
        last = consumers[i] > last ? consumers[i] : last;
    return last;
}

static bool is_unloaded(const struct held_value *value)
{
    return value->state == HELD_ON_DISK;
}

static void forget(struct worker *worker, struct held_value *value)
{
    if (value->file)
        order(worker, SPILL_FORGET, value->id, 0);
    held_remove(&worker->held, value);
}

void holding_take(struct worker *worker, struct value_id id, uint64_t len, bool copy)
{
    struct held_value *value = held_find(&worker->held, id);
    if (value && value->len != len) { /* another coordinator's, by that name */
        forget(worker, value);
        value = NULL;
    }
    if (value) {
        if (is_unloaded(value))
            held_set(&worker->held, value, HELD_IN_MEMORY);
        value->copy = value->copy && copy;
        return;
    }
    value = held_add(&worker->held, id, len);
    value->last_use = last_use_of(worker, id);
    value->copy = copy;
}

void holding_came_again(struct worker *worker, struct value_id id)
{
    const struct held_value *value = held_find(&worker->held, id);
    if (value && is_unloaded(value))
        order(worker, SPILL_UNLOAD, id, 0);
}

void holding_drop(struct worker *worker, struct value_id id)
{
    struct held_value *value = held_find(&worker->held, id);
    if (value)
        forget(worker, value);
    outbox_drop(&worker->step->out, USER_WORKER, id);
}

struct drop {
    struct worker *worker;
    job_id_t job;
};

static void drop_one(void *context, struct held_value *value)
{
    const struct drop *drop = context;
    if (drop->job == JOB_NONE || value->id.job == drop->job)
        held_remove(&drop->worker->held, value);
}

void holding_drop_job(struct worker *worker, job_id_t job)
{
    struct drop drop = {worker, job};
    if (worker->held.files)
        order(worker, SPILL_FORGET, (struct value_id){job, 0}, 0);
    held_each(&worker->held, drop_one, &drop);
    outbox_drop(&worker->step->out, USER_WORKER, (struct value_id){job, 0});
}

/* --- what operations take --- */

static struct held_value *operand_of(const struct worker *worker, const struct work *work, size_t i)
{
    const struct compute_operand *operand = &work->op.operands[i];
    return operand->kind == OPERAND_VALUE ? held_find(&worker->held, operand->id) : NULL;
}

/* A result has at most about as many bytes as all operands. */
static uint64_t result_bytes(const struct worker *worker, const struct work *work)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < work->op.n_operands; i++) {
        const struct held_value *value = operand_of(worker, work, i);
        bytes += value ? value->len : 0;
    }
    return bytes;
}

static bool has_room(const struct worker *worker, const struct work *work)
{
    uint64_t limit = worker->step->config.memory_limit_bytes, here = 0, more = 0;
    const struct held_values *held = &worker->held;
    if (!limit)
        return true;
    for (size_t i = 0; i < work->op.n_operands; i++) {
        const struct held_value *value = operand_of(worker, work, i);
        if (value)
            *(is_unloaded(value) ? &more : &here) += value->len;
    }
    if (held_memory_bytes(held) + worker->taken_bytes + here + 2 * more <= limit)
        return true;
    if (worker->begun)
        return false;
    /* Alone; but first what is on its way to disk makes room. */
    return !held->bytes[HELD_WRITING] || held_memory_bytes(held) <= limit + here;
}

bool holding_begin(struct worker *worker, struct work *work)
{
    if (work->begun)
        return true;
    if (!has_room(worker, work))
        return false;
    work->begun = true;
    work->taken_bytes = result_bytes(worker, work);
    worker->begun++;
    worker->taken_bytes += work->taken_bytes;
    for (size_t i = 0; i < work->op.n_operands; i++) {
        struct held_value *value = operand_of(worker, work, i);
        if (!value || !is_unloaded(value))
            continue;
        value->seq = ++worker->held.last_seq;
        held_set(&worker->held, value, HELD_READING);
        order(worker, SPILL_READ, value->id, value->seq);
    }
    return true;
}

bool holding_has_operands(const struct worker *worker, const struct work *work)
{
    for (size_t i = 0; i < work->op.n_operands; i++) {
        const struct held_value *value = operand_of(worker, work, i);
        if (value && value->state != HELD_IN_MEMORY && value->state != HELD_WRITING)
            return false;
    }
    return true;
}

void holding_end(struct worker *worker, struct work *work)
{
    worker->begun -= work->begun;
    worker->taken_bytes -= work->taken_bytes;
    work->begun = false;
    work->taken_bytes = 0;
}

/* --- too much --- */

bool worker_is_pressed(const struct worker *worker)
{
    return worker->pressed;
}

/* Marks what operations of the queue take: that is not spilled. Returns the bytes in memory that
 * are beyond the limit: of those that are begun, and of the one that is next. */
static uint64_t mark_operands(struct worker *worker)
{
    uint64_t beyond = 0, round = ++worker->held.round;
    bool next = true;
    for (int begun = 1; begun >= 0; begun--)
        for (const struct work *work = worker->first; work; work = work->next) {
            bool counts = work->begun || (next && !begun);
            if (work->begun != (begun == 1))
                continue;
            for (size_t i = 0; i < work->op.n_operands; i++) {
                struct held_value *value = operand_of(worker, work, i);
                if (!value || value->round == round)
                    continue;
                value->round = round;
                beyond += counts && value->state == HELD_IN_MEMORY ? value->len : 0;
            }
            next = next && begun;
        }
    return beyond;
}

/* Short of memory: gives back all that was not begun but the first, which may set memory free. */
static void give_back(struct worker *worker)
{
    struct work *previous = NULL, *next;
    for (struct work *work = worker->first; work; work = next) {
        next = work->next;
        if (work->begun || !previous) {
            previous = work;
            continue;
        }
        work_refuse(worker, work->coordinator, &work->op, "there is not enough memory", true, 0);
        work_remove(worker, previous, work);
    }
}

static void spill(struct worker *worker, struct held_value *value)
{
    value->seq = ++worker->held.last_seq;
    held_set_file(&worker->held, value, true);
    held_set(&worker->held, value, HELD_WRITING);
    order(worker, SPILL_WRITE, value->id, value->seq);
    if (MUTANT(spilled_at_once))
        order(worker, SPILL_UNLOAD, value->id, 0);
}

/* Lets go of, and spills, so much of what is needed latest; returns how much there was of it. */
static uint64_t spill_some(struct worker *worker, uint64_t bytes)
{
    size_t max = worker->held.map.count, n;
    uint64_t done = 0;
    struct held_value **values = mem_new(max, sizeof(struct held_value *));
    n = held_needed_latest(&worker->held, values, max);
    for (size_t i = 0; i < n && done < bytes; i++) {
        if (!values[i]->copy && worker->step->now_us < worker->spill_us)
            break; /* copies come first */
        done += values[i]->len;
        if (values[i]->copy)
            holding_drop(worker, values[i]->id);
        else
            spill(worker, values[i]);
    }
    free(values);
    return done;
}

/* Spills what is too much; false: it stays, for want of room on disk or of what may be spilled. */
static bool relieve(struct worker *worker, uint64_t limit)
{
    const struct held_values *held = &worker->held;
    uint64_t beyond = mark_operands(worker) + held->bytes[HELD_WRITING] + held->bytes[HELD_READING];
    uint64_t stays = held_memory_bytes(held) - beyond;
    /* Some more, so that this is not to be done again with every result. */
    if (stays > limit)
        stays -= spill_some(worker, stays - limit + limit / SPILL_SHARE);
    return stays <= limit;
}

void holding_relieve(struct worker *worker)
{
    uint64_t limit = worker->step->config.memory_limit_bytes;
    worker->pressed = false;
    if (!limit || held_memory_bytes(&worker->held) <= limit) {
        worker->unspillable = false;
        return;
    }
    worker->pressed = !relieve(worker, limit);
    if (!worker->pressed)
        return;
    give_back(worker);
    worker->pressed = !relieve(worker, limit); /* what nobody here takes any more */
}

uint64_t holding_deadline(const struct worker *worker)
{
    return worker->pressed && worker->step->now_us < worker->spill_us ? worker->spill_us
                                                                      : UINT64_MAX;
}

/* --- ends --- */

/* The file is of no use: the value is made again where it is needed, as any that is lost. */
static void lose(struct worker *worker, struct held_value *value)
{
    struct value_id id = value->id;
    struct work *previous = NULL, *next;
    forget(worker, value);
    for (struct work *work = worker->first; work; work = next) {
        bool uses = false;
        next = work->next;
        for (size_t i = 0; i < work->op.n_operands; i++)
            uses = uses || (work->op.operands[i].kind == OPERAND_VALUE &&
                            value_id_same(work->op.operands[i].id, id));
        if (!uses || work->computing) {
            previous = work;
            continue;
        }
        work_refuse(worker, work->coordinator, &work->op, "a spilled value cannot be read", true,
                    id.job == work->op.id.job ? id.op : 0);
        work_remove(worker, previous, work);
    }
}

static void written(struct worker *worker, struct held_value *value, bool ok)
{
    worker->unspillable = !ok;
    if (!ok)
        worker->spill_us = worker->step->now_us + SPILL_RETRY_US;
    if (ok && !work_uses(worker, value->id)) {
        held_set(&worker->held, value, HELD_ON_DISK);
        order(worker, SPILL_UNLOAD, value->id, 0);
        return;
    }
    held_set(&worker->held, value, HELD_IN_MEMORY);
    held_set_file(&worker->held, value, ok);
}

void worker_spilled(struct worker *worker, const struct spill_end *end)
{
    struct held_value *value = held_find(&worker->held, end->id);
    enum held_state under_way = end->step == SPILL_WRITE ? HELD_WRITING : HELD_READING;
    if (value && value->state == under_way && value->seq == end->seq) {
        if (end->step == SPILL_WRITE)
            written(worker, value, end->ok);
        else if (end->ok)
            held_set(&worker->held, value, HELD_IN_MEMORY);
        else
            lose(worker, value);
        return;
    }
    /* Meanwhile it was let go, and perhaps came again. */
    if (end->step == SPILL_READ && end->ok && (!value || is_unloaded(value)))
        order(worker, SPILL_UNLOAD, end->id, 0);
}
