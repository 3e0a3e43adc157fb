#include "nodes/core/worker/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/worker/following.h"
#include "nodes/core/worker/holding.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define RESULT_BYTES_MAX (MESSAGE_MAX_BYTES / 2) /* of values in one result message */

static void work_free(struct work *work)
{
    for (size_t i = 0; i < work->op.n_operands; i++)
        blob_drop(&work->op.operands[i].blob);
    free(work);
}

static void unlink_work(struct worker *worker, struct work *previous, struct work *work)
{
    *(previous ? &previous->next : &worker->first) = work->next;
    if (worker->last == work)
        worker->last = previous;
    worker->queued--;
    worker->followers -= work->follower;
    if (work->computing)
        worker->computing--;
    holding_end(worker, work);
}

/* --- results --- */

static void flush(struct worker *worker, struct result_batch *batch)
{
    if (batch->message)
        peers_send(worker->links, batch->to, batch->message);
    *batch = (struct result_batch){0};
}

static struct wire_result_op *add_result(struct worker *worker, node_id_t to,
                                         struct result_batch *batch, size_t bytes)
{
    if (batch->message && (batch->to != to || batch->message->as.result.ops.n == BATCH_OPS_MAX ||
                           batch->bytes + bytes > RESULT_BYTES_MAX))
        flush(worker, batch);
    if (!batch->message) {
        batch->to = to;
        batch->since_us = worker->step->now_us;
        batch->message = message_new(MESSAGE_RESULT);
        batch->message->as.result.ops.at =
            message_room(batch->message, BATCH_OPS_MAX, sizeof(struct wire_result_op));
    }
    batch->bytes += bytes;
    return &batch->message->as.result.ops.at[batch->message->as.result.ops.n++];
}

/* Results wait for those of what follows them, while that is executed. */
static bool holds_results(const struct worker *worker)
{
    return worker->followers && worker->n_submitted &&
           worker->step->now_us < worker->results.since_us + RESULT_HOLD_US;
}

/* --- what is executed for a job ---
 *
 * Told with every result as a sum, so that no coordinator's death leaves a gap in the count. */

static uint64_t executed_of(const struct worker *worker, job_id_t job)
{
    return (uint64_t)(uintptr_t)map_get(&worker->executed, (struct map_key){job, 0});
}

static void count_executed(struct worker *worker, const struct computed *computed)
{
    if (operator_traits(computed->opcode)->conversion || computed->error || !computed->operations)
        return; /* conversions are counted apart */
    uint64_t sum = executed_of(worker, computed->id.job) + computed->operations;
    map_put(&worker->executed, (struct map_key){computed->id.job, 0}, (void *)(uintptr_t)sum);
}

/* Jobs that are finished count no more. */
static void forget_executed(struct worker *worker)
{
    struct map left = {0};
    struct map_key key;
    void *sum;
    log_index_t applied = worker->raft->log.applied;
    for (size_t at = 0; (sum = map_next(&worker->executed, &at, &key));) {
        const struct job *job = jobs_find(&worker->state->jobs, key.a);
        bool unknown = !job && job_id_index(key.a, applied) > applied; /* yet */
        if (unknown || (job && !job_is_finished(job)))
            map_put(&left, key, sum);
    }
    map_clear(&worker->executed);
    worker->executed = left;
}

void work_refuse(struct worker *worker, node_id_t to, const struct compute_op *op, const char *why,
                 bool again, op_id_t lacks)
{
    struct result_batch batch = {0};
    struct wire_result_op *result = add_result(worker, to, &batch, 0);
    result->job = op->id.job;
    result->op = op->id.op;
    result->attempt = op->attempt;
    result->error = message_text(batch.message, why);
    result->again = again;
    result->lacks = lacks;
    flush(worker, &batch);
}

static void add_computed(struct worker *worker, node_id_t to, struct result_batch *batch,
                         const struct computed *computed)
{
    struct wire_result_op *result =
        add_result(worker, to, batch, computed->value ? computed->value->len : 0);
    struct message *message = batch->message;
    *result = (struct wire_result_op){
        .job = computed->id.job,
        .op = computed->id.op,
        .attempt = computed->attempt,
        .operations = computed->operations,
        .executed = executed_of(worker, computed->id.job),
        .elapsed_us = computed->elapsed_us,
        .starved_us = computed->starved_us,
        .len = computed->len,
        .head = message_text(message, computed->head),
        .tail = message_text(message, computed->tail),
    };
    if (computed->error) {
        struct slice error = slice_of(computed->error);
        error.len = error.len < JOB_REASON_MAX ? error.len : JOB_REASON_MAX;
        result->error = message_copy(message, error);
        result->again = computed->again;
        result->final = computed->final;
    } else if (computed->value) {
        result->frame = message_add_frame(message, computed->value);
    }
    const struct operator_traits *traits = operator_traits(computed->opcode);
    bool hashed = traits->conversion || traits->program;
    if (!computed->error && (!computed->value || hashed))
        result->hash = message_copy(message, (struct slice){computed->hash, HASH_BYTES});
}

static struct work *find_computing(struct worker *worker, const struct computed *computed,
                                   struct work **previous)
{
    *previous = NULL;
    for (struct work *work = worker->first; work; *previous = work, work = work->next)
        if (work->computing && value_id_same(work->op.id, computed->id) &&
            work->op.attempt == computed->attempt)
            return work;
    return NULL;
}

/* A segment of a stored value: no release of the job names it, and several operations may use it.
 */
static bool is_input(const struct work *work, size_t i)
{
    return work->op.operands[i].kind == OPERAND_VALUE &&
           work->op.operands[i].id.job != work->op.id.job;
}

/* It left the queue: segments that no other operation here waits for go. */
static void drop_inputs(struct worker *worker, const struct work *work)
{
    for (size_t i = 0; i < work->op.n_operands; i++)
        if (is_input(work, i) && !work_uses(worker, work->op.operands[i].id))
            holding_drop(worker, work->op.operands[i].id);
}

/* Operands that were used are of no use here any more, unless the coordinator or another operation
 * here says that they are. What was made here, for which the coordinator named itself as another
 * source, stays when the operation has failed: another will be given it. */
static void drop_operands(struct worker *worker, const struct work *work, bool failed)
{
    for (size_t i = 0; i < work->op.n_operands; i++)
        if (work->op.operands[i].kind == OPERAND_VALUE &&
            !(failed && work->waits[i].source == work->coordinator) &&
            !(work->waits[i].stays && !MUTANT(used_is_dropped)) &&
            !work_uses(worker, work->op.operands[i].id))
            holding_drop(worker, work->op.operands[i].id);
}

/* True when the value is held here, or another attempt will make it. */
static bool is_wanted(const struct worker *worker, struct value_id id)
{
    for (const struct work *work = worker->first; work; work = work->next)
        if (value_id_same(work->op.id, id))
            return true;
    return held_find(&worker->held, id) != NULL;
}

static struct submitted take_submitted(struct worker *worker, const struct computed *computed)
{
    struct submitted found = {0};
    for (size_t i = 0; i < worker->n_submitted; i++) {
        if (!value_id_same(worker->submitted[i].id, computed->id) ||
            worker->submitted[i].attempt != computed->attempt)
            continue;
        found = worker->submitted[i];
        worker->n_submitted--;
        memmove(&worker->submitted[i], &worker->submitted[i + 1],
                (worker->n_submitted - i) * sizeof found);
        break;
    }
    return found;
}

/* It was cancelled too late: the coordinator counts what was executed all the same. */
static void tell_cost(struct worker *worker, node_id_t to, const struct computed *computed)
{
    struct result_batch batch = {0};
    struct wire_result_op *result = add_result(worker, to, &batch, 0);
    *result = (struct wire_result_op){.job = computed->id.job,
                                      .op = computed->id.op,
                                      .attempt = computed->attempt,
                                      .operations = computed->operations,
                                      .executed = executed_of(worker, computed->id.job),
                                      .elapsed_us = computed->elapsed_us,
                                      .again = true,
                                      .error = message_text(batch.message, "it was cancelled")};
    flush(worker, &batch);
}

void worker_computed(struct worker *worker, const struct computed *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Another coordinator may have given the same attempt of it again: it comes later. */
        struct submitted submitted = take_submitted(worker, &results[i]);
        struct work *previous, *work = NULL;
        if (!submitted.cancelled)
            work = find_computing(worker, &results[i], &previous);
        count_executed(worker, &results[i]);
        if (!work) { /* it was dropped while it was computed */
            if (!is_wanted(worker, results[i].id))
                outbox_drop(&worker->step->out, USER_WORKER, results[i].id);
            else
                holding_came_again(worker, results[i].id);
            if (submitted.tell)
                tell_cost(worker, submitted.tell, &results[i]);
            continue;
        }
        add_computed(worker, work->coordinator, &worker->results, &results[i]);
        unlink_work(worker, previous, work);
        if (!results[i].error && operator_traits(work->op.opcode)->conversion)
            worker->conversions++;
        else if (!results[i].error)
            worker->operations += results[i].operations;
        drop_operands(worker, work, results[i].error != NULL);
        if (!results[i].error && !results[i].value)
            holding_take(worker, results[i].id, results[i].len, false);
        following_supply(worker, &results[i]);
        work_free(work);
    }
    work_note_slots(worker);
}

/* --- tasks --- */

/* True when an operation, that one excepted, waits for the operand. */
static bool is_awaited(const struct worker *worker, const struct work *except, struct value_id id)
{
    for (const struct work *work = worker->first; work; work = work->next)
        for (size_t i = 0; work != except && i < work->op.n_operands; i++)
            if (work->waits[i].missing && value_id_same(work->op.operands[i].id, id))
                return true;
    return false;
}

/* One fetch serves all that wait for the value. */
static void fetch(struct worker *worker, struct work *work, size_t i, bool under_way)
{
    const struct wait *wait = &work->waits[i];
    uint64_t deadline_us = worker->step->now_us + value_wait_us(wait->len);
    if (deadline_us > work->deadline_us)
        work->deadline_us = deadline_us;
    if (!under_way)
        outbox_fetch(&worker->step->out, USER_WORKER, work->op.operands[i].id, wait->source,
                     wait->len, wait->hash, 0);
}

static void accept_task(struct worker *worker, node_id_t from, const struct message *message,
                        const struct wire_task_op *task)
{
    struct work *work = mem_new(1, sizeof *work);
    work->coordinator = from;
    if (!work_read(worker, message, task, work)) {
        step_reject(worker->step, from, "it assigned a malformed operation");
        work_refuse(worker, from, &work->op, "the operation is malformed", false, 0);
        work_free(work);
        return;
    }
    if (worker->queued >= WORK_QUEUED_MAX && !MUTANT(work_unbounded)) {
        work_refuse(worker, from, &work->op, "too many operations wait here", true, 0);
        work_free(work);
        return;
    }
    op_id_t lacks = following_lacks(worker, work);
    if (lacks) {
        work_refuse(worker, from, &work->op, "what makes an operand is not here", true, lacks);
        work_free(work);
        return;
    }
    *(worker->last ? &worker->last->next : &worker->first) = work;
    worker->last = work;
    worker->queued++;
    worker->followers += work->follower;
    for (size_t i = 0; i < work->op.n_operands; i++)
        if (work->waits[i].missing)
            fetch(worker, work, i, is_awaited(worker, work, work->op.operands[i].id));
}

void worker_task(struct worker *worker, node_id_t from, const struct message *message)
{
    for (size_t i = 0; i < message->as.task.ops.n; i++)
        accept_task(worker, from, message, &message->as.task.ops.at[i]);
}

void worker_value_ready(struct worker *worker, struct value_id id)
{
    bool wanted = false;
    for (struct work *work = worker->first; work; work = work->next) {
        for (size_t i = 0; i < work->op.n_operands; i++) {
            if (!work->waits[i].missing || !value_id_same(work->op.operands[i].id, id))
                continue;
            work->waits[i].missing = false;
            work->missing--;
            wanted = true;
            holding_take(worker, id, work->waits[i].len, !work->waits[i].stays);
        }
    }
    if (!wanted && held_find(&worker->held, id))
        holding_came_again(worker, id);
    else if (!wanted)
        outbox_drop(&worker->step->out, USER_WORKER, id);
}

/* Nobody else waits for the operands that the operation still lacks: their fetches end. One that
 * was made here meanwhile stays: what comes of its fetch is of no use. */
static void stop_fetches(struct worker *worker, struct work *work)
{
    for (size_t i = 0; i < work->op.n_operands; i++)
        if (work->waits[i].missing && !is_awaited(worker, work, work->op.operands[i].id) &&
            (!held_find(&worker->held, work->op.operands[i].id) || MUTANT(made_here_is_dropped)))
            outbox_drop(&worker->step->out, USER_WORKER, work->op.operands[i].id);
}

void work_remove(struct worker *worker, struct work *previous, struct work *work)
{
    stop_fetches(worker, work);
    unlink_work(worker, previous, work);
    drop_inputs(worker, work);
    following_strand(worker, work->op.id);
    work_free(work);
}

/* An operand that its first source has lost is asked of the coordinator; without it the operation
 * goes back. */
void worker_value_failed(struct worker *worker, struct value_id id)
{
    struct work *previous = NULL, *next;
    bool under_way = false;
    for (struct work *work = worker->first; work; work = next) {
        next = work->next;
        bool give_up = false;
        for (size_t i = 0; i < work->op.n_operands && !give_up; i++) {
            struct wait *wait = &work->waits[i];
            if (!wait->missing || !value_id_same(work->op.operands[i].id, id))
                continue;
            give_up = wait->source == work->coordinator;
            wait->source = work->coordinator;
            if (!give_up)
                fetch(worker, work, i, under_way);
            under_way = under_way || !give_up;
        }
        if (!give_up) {
            previous = work;
            continue;
        }
        work_refuse(worker, work->coordinator, &work->op, "an operand cannot be fetched", true,
                    id.job == work->op.id.job ? id.op : 0);
        work_remove(worker, previous, work);
    }
}

static op_id_t first_missing(const struct work *work)
{
    size_t i = 0;
    while (!work->waits[i].missing)
        i++;
    return is_input(work, i) ? 0 : work->op.operands[i].id.op;
}

void worker_tick(struct worker *worker)
{
    struct work *previous = NULL, *next;
    for (struct work *work = worker->first; work; work = next) {
        next = work->next;
        if (!work->missing || worker->step->now_us < work->deadline_us) {
            previous = work;
            continue;
        }
        work_refuse(worker, work->coordinator, &work->op, "an operand does not arrive", true,
                    first_missing(work));
        work_remove(worker, previous, work);
    }
}

uint64_t worker_deadline(const struct worker *worker)
{
    uint64_t at = holding_deadline(worker);
    if (worker->results.message && worker->results.since_us + RESULT_HOLD_US < at)
        at = worker->results.since_us + RESULT_HOLD_US;
    for (const struct work *work = worker->first; work; work = work->next)
        if (work->missing && work->deadline_us < at)
            at = work->deadline_us;
    return at;
}

/* --- ending --- */

/* That one, or (op 0) all of a job, or of all when it is JOB_NONE. */
static bool is_meant(struct value_id id, job_id_t job, op_id_t op)
{
    return (job == JOB_NONE || id.job == job) && (!op || id.op == op);
}

/* What the compute thread has ends there as soon as it can. `tell`: who is told what it cost;
 * NODE_NONE: whoever wanted to know before. */
static void cancel_submitted(struct worker *worker, job_id_t job, op_id_t op, node_id_t tell)
{
    for (size_t i = 0; i < worker->n_submitted; i++) {
        struct submitted *it = &worker->submitted[i];
        if (!is_meant(it->id, job, op))
            continue;
        if (tell)
            it->tell = tell;
        if (it->cancelled)
            continue;
        it->cancelled = true;
        struct output *output = outbox_add(&worker->step->out, OUTPUT_CANCEL);
        output->cancel.id = it->id;
        output->cancel.attempt = it->attempt;
    }
}

static void drop_work(struct worker *worker, job_id_t job, op_id_t op, node_id_t tell)
{
    struct work *previous = NULL, *next;
    cancel_submitted(worker, job, op, tell);
    for (struct work *work = worker->first; work; work = next) {
        next = work->next;
        if (!is_meant(work->op.id, job, op)) {
            previous = work;
            continue;
        }
        work_remove(worker, previous, work);
    }
}

/* Somebody else has the operation's result, or is about to. */
static void cancel(struct worker *worker, node_id_t from, struct value_id id)
{
    drop_work(worker, id.job, id.op, from);
    if (!work_uses(worker, id))
        holding_drop(worker, id);
}

void worker_release(struct worker *worker, node_id_t from, job_id_t job, op_id_t op)
{
    if (op) {
        cancel(worker, from, (struct value_id){job, op});
        return;
    }
    drop_work(worker, job, 0, NODE_NONE);
    holding_drop_job(worker, job);
    if (job)
        map_remove(&worker->executed, (struct map_key){job, 0});
}

void worker_reset(struct worker *worker, term_t term)
{
    if (worker->term == term)
        return;
    worker->term = term;
    flush(worker, &worker->results);
    forget_executed(worker);
    sweep_all(worker->raft); /* what a dead term had kept and not logged */
    worker_release(worker, NODE_NONE, JOB_NONE, 0);
    for (size_t i = 0; i < worker->n_submitted; i++)
        worker->submitted[i].tell = NODE_NONE;
}

void worker_clear(struct worker *worker)
{
    message_drop(&worker->results.message);
    drop_work(worker, JOB_NONE, 0, NODE_NONE);
    held_clear(&worker->held);
    map_clear(&worker->executed);
}

/* --- computing --- */

void worker_pump(struct worker *worker)
{
    uint64_t room = work_room(worker);
    bool waits = false, full = false;
    holding_relieve(worker);
    following_return(worker);
    for (struct work *work = worker->first; work && !waits; work = work->next) {
        if (work->computing || work->missing || work->follows)
            continue;
        waits = worker->n_submitted >= room;
        if (waits)
            break;
        /* None overtakes one that has no room; but those that were begun before give it room. */
        if (!work->begun && !full)
            full = !holding_begin(worker, work);
        if (full && MUTANT(begun_waits))
            break;
        if (!work->begun || !holding_has_operands(worker, work))
            continue;
        worker->step->slots.operations_next = false;
        work->computing = true;
        worker->computing++;
        worker->submitted[worker->n_submitted++] =
            (struct submitted){.id = work->op.id, .attempt = work->op.attempt};
        outbox_add(&worker->step->out, OUTPUT_COMPUTE)->compute = work->op;
    }
    worker->step->slots.operations_wait = waits;
    work_note_slots(worker);
    if (!holds_results(worker))
        flush(worker, &worker->results);
}

struct value_id worker_executing(const struct worker *worker)
{
    return worker->n_submitted ? worker->submitted[0].id : (struct value_id){0};
}

void worker_check_invariants(const struct worker *worker)
{
    uint64_t queued = 0, taken = 0, followers = 0;
    unsigned computing = 0, begun = 0;
    const struct work *last = NULL;
    for (const struct work *work = worker->first; work; work = work->next) {
        queued++;
        begun += work->begun;
        followers += work->follower;
        assert(!work->follows || (work->follower && !work->begun));
        taken += work->taken_bytes;
        computing += work->computing;
        assert(work->begun || (!work->computing && !work->taken_bytes));
        assert(work->missing <= work->op.n_operands);
        last = work;
    }
    assert(queued == worker->queued && computing == worker->computing);
    assert(begun == worker->begun && taken == worker->taken_bytes);
    assert(followers == worker->followers);
    assert(last == worker->last && computing <= worker->n_submitted);
    assert(worker->n_submitted <= COMPUTE_IN_FLIGHT && worker->queued <= WORK_QUEUED_MAX);
    held_check_invariants(&worker->held);
}
