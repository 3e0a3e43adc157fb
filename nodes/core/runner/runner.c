#include "nodes/core/runner/runner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/runner/bundles.h"
#include "nodes/core/runner/inputs.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/slots.h"
#include "shared/base/text.h"

#define ENDED_BYTES_MAX (MESSAGE_MAX_BYTES / 2) /* of outputs in one message */

/* So many outcomes are told in one message when more is to be executed, or after so long: less than
 * what is given before they are told takes (see hands.c). */
#define TELL_AT_ONCE  4
#define TELL_LATER_US (10 * MS_US)
/* Of hashes in one: with 64 outcomes and their last lines they fit into frame 0. */
#define ENDED_PIECES_MAX BUNDLE_PIECES_MAX

static void kept_free(struct task_kept *kept)
{
    blob_drop(&kept->result.out);
    blob_drop(&kept->result.err);
    bundles_clear(kept);
    free(kept);
}

/* --- telling --- */

/* To the coordinator, which may be this node; takes the message. False: there is no channel to it
 * now, and the message is lost. */
static bool tell(struct runner *runner, node_id_t to, struct message *message)
{
    if (to != runner->step->config.id && step_is_peer(runner->step, to))
        return peers_send(runner->links, to, message) == OK;
    if (to != runner->step->config.id) {
        message_drop(&message);
        return false;
    }
    if (runner->n_own == runner->own_size) {
        runner->own_size = runner->own_size ? 2 * runner->own_size : 8;
        runner->own = mem_grow(runner->own, runner->own_size, sizeof(struct message *));
    }
    runner->own[runner->n_own++] = message;
    return true;
}

struct message *runner_take_own(struct runner *runner)
{
    if (!runner->n_own)
        return NULL;
    struct message *message = runner->own[0];
    memmove(runner->own, runner->own + 1, --runner->n_own * sizeof(struct message *));
    return message;
}

/* Outcomes on their way into one message. */
struct telling {
    node_id_t to;
    struct message *message; /* NULL: none is begun */
    size_t bytes, pieces;
    struct task_kept *kept[TASK_HANDS_MAX]; /* of these */
};

static void flush(struct runner *runner, struct telling *telling)
{
    struct message *message = telling->message;
    size_t n = message ? message->as.tasks_ended.outcomes.n : 0;
    bool told = message && (tell(runner, telling->to, message));
    for (size_t i = 0; told && i < n; i++) {
        runner->n_untold -= !telling->kept[i]->told;
        telling->kept[i]->told = true;
    }
    telling->message = NULL;
    telling->bytes = telling->pieces = 0;
}

static struct slice hash_of(struct message *message, const struct blob *output,
                            const uint8_t hash[HASH_BYTES])
{
    return output ? message_copy(message, (struct slice){hash, HASH_BYTES}) : (struct slice){0};
}

static void add_outcome(struct runner *runner, struct telling *telling, struct task_kept *kept)
{
    const struct task_result *result = &kept->result;
    struct wire_tasks_ended *ended = telling->message ? &telling->message->as.tasks_ended : NULL;
    size_t pieces = kept->bundle ? result->n_pieces : 0;
    size_t bytes = (result->out ? result->out->len : 0) + (result->err ? result->err->len : 0) +
                   (pieces ? 0 : (size_t)result->bundle_len);
    if (!bundles_is_stored(kept))
        return;
    if (ended &&
        (ended->job != result->job || ended->outcomes.n == TASK_HANDS_MAX ||
         telling->bytes + bytes > ENDED_BYTES_MAX || telling->pieces + pieces > ENDED_PIECES_MAX))
        flush(runner, telling);
    if (!telling->message) {
        telling->message = message_new(MESSAGE_TASKS_ENDED);
        telling->message->as.tasks_ended.job = result->job;
        telling->message->as.tasks_ended.outcomes.at =
            message_room(telling->message, TASK_HANDS_MAX, sizeof(struct wire_task_outcome));
    }
    struct message *message = telling->message;
    ended = &message->as.tasks_ended;
    telling->bytes += bytes;
    telling->pieces += pieces;
    telling->kept[ended->outcomes.n] = kept;
    ended->outcomes.at[ended->outcomes.n++] = (struct wire_task_outcome){
        .first = result->first,
        .count = result->count,
        .hand = result->hand,
        .attempt = result->attempt,
        .copy = kept->copy,
        .exit = result->exit,
        .signal = result->signal,
        .limit = result->limit,
        .reason = message_text(message, result->reason),
        .returned = result->returned,
        .started_ms = result->started_ms,
        .wall_us = result->wall_us,
        .cpu_us = result->cpu_us,
        .max_rss = result->max_rss,
        .out_bytes = result->out_bytes,
        .out_hash = hash_of(message, result->out, result->out_hash),
        .out_frame = result->out ? message_add_frame(message, result->out) : 0,
        .err_bytes = result->err_bytes,
        .err_hash = hash_of(message, result->err, result->err_hash),
        .err_frame = result->err ? message_add_frame(message, result->err) : 0,
    };
    bundles_tell(message, kept, &ended->outcomes.at[ended->outcomes.n - 1]);
}

/* The next one that has ended, and of which the coordinator is not to know that yet. */
static const struct task_kept *next_unstored(const struct task_kept *kept)
{
    while (kept && bundles_is_stored(kept))
        kept = kept->next;
    return kept;
}

/* What is executed, or its output is on its way to this disk, in as many messages as that takes. */
static void tell_held(struct runner *runner, node_id_t to)
{
    const struct task_kept *kept = next_unstored(runner->kept);
    size_t at = 0;
    bool more;
    do {
        struct message *message = message_new(MESSAGE_TASKS_HELD);
        struct wire_tasks_held *held = &message->as.tasks_held;
        held->term = runner->step->term;
        held->running.at = message_room(message, TASK_HANDS_MAX, sizeof *held->running.at);
        for (; at < runner->n_executing && held->running.n < TASK_HANDS_MAX; at++) {
            const struct task_executing *it = &runner->executing[at];
            if (!it->cancelled)
                held->running.at[held->running.n++] =
                    (struct wire_task_hand){.job = it->order.job,
                                            .hand = it->order.hand,
                                            .first = it->order.task,
                                            .count = 1,
                                            .attempt = it->order.attempt,
                                            .copy = it->copy};
        }
        for (; kept && held->running.n < TASK_HANDS_MAX; kept = next_unstored(kept->next))
            held->running.at[held->running.n++] =
                (struct wire_task_hand){kept->result.job,     kept->result.hand,
                                        kept->result.first,   1,
                                        kept->result.attempt, kept->copy};
        more = held->more = at < runner->n_executing || kept;
        tell(runner, to, message);
    } while (more);
}

void runner_asked(struct runner *runner, node_id_t from)
{
    struct telling telling = {.to = from};
    for (struct task_kept *kept = runner->kept; kept && !MUTANT(ended_is_forgotten);
         kept = kept->next)
        add_outcome(runner, &telling, kept);
    flush(runner, &telling);
    tell_held(runner, from);
}

/* --- ended --- */

/* Keeps the outcome (takes new references to its outputs). */
static void keep(struct runner *runner, const struct task_result *result, bool copy)
{
    struct task_kept *kept = mem_new(1, sizeof *kept);
    kept->result = *result;
    kept->copy = copy;
    blob_ref(kept->result.out);
    blob_ref(kept->result.err);
    bundles_store(runner, kept);
    *(runner->last_kept ? &runner->last_kept->next : &runner->kept) = kept;
    runner->last_kept = kept;
    runner->n_kept++;
    if (!runner->n_untold++)
        runner->untold_us = runner->step->now_us;
    runner->ended += result->count;
}

bool runner_is_over(const struct runner *runner, job_id_t job)
{
    const struct task_job *row = task_jobs_find(&runner->state->task_jobs, job);
    log_index_t applied = runner->raft->log.applied;
    return row ? row->ended : job_id_index(job, applied) <= applied;
}

static bool is_decided(const struct runner *runner, job_id_t job, uint64_t first, uint64_t count)
{
    const struct task_job *row = task_jobs_find(&runner->state->task_jobs, job);
    return row && ranges_has_all(&row->decided, (struct range){first, count});
}

static void take_end(struct runner *runner, const struct task_result *result)
{
    size_t at = 0;
    while (at < runner->n_executing && (runner->executing[at].order.job != result->job ||
                                        runner->executing[at].order.hand != result->hand ||
                                        runner->executing[at].order.task != result->first))
        at++;
    if (at == runner->n_executing)
        return;
    bool cancelled = runner->executing[at].cancelled, copy = runner->executing[at].copy;
    runner->slots_taken -= runner->executing[at].order.slots;
    runner->executing[at] = runner->executing[--runner->n_executing];
    runner->step->slots.tasks = runner->slots_taken;
    if (cancelled || runner_is_over(runner, result->job))
        return;
    keep(runner, result, copy);
}

void runner_results(struct runner *runner, const struct task_result *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        take_end(runner, &at[i]);
}

/* What could not be told when it ended is, as soon as there is a channel. */
static bool can_tell(const struct runner *runner)
{
    node_id_t to = runner->step->coordinator;
    return runner->n_untold &&
           (to == runner->step->config.id ||
            (step_is_peer(runner->step, to) && peers_is_linked(runner->links, to)));
}

/* While others wait here to be executed, the coordinator need not know at once. */
static bool may_wait(const struct runner *runner)
{
    return runner->queued && runner->n_untold < TELL_AT_ONCE;
}

uint64_t runner_deadline(const struct runner *runner)
{
    return can_tell(runner) && may_wait(runner) ? runner->untold_us + TELL_LATER_US : UINT64_MAX;
}

static void tell_untold(struct runner *runner)
{
    struct telling telling = {.to = runner->step->coordinator};
    if (!can_tell(runner) ||
        (may_wait(runner) && runner->step->now_us < runner->untold_us + TELL_LATER_US))
        return;
    runner->untold_us = runner->step->now_us; /* what cannot be told now is told as much later */
    for (struct task_kept *kept = runner->kept; kept; kept = kept->next)
        if (!kept->told)
            add_outcome(runner, &telling, kept);
    flush(runner, &telling);
}

/* --- what waits --- */

static uint64_t slots_of(const struct runner *runner)
{
    uint64_t slots = runner->step->config.slots;
    return slots < 1 ? 1 : slots > SLOTS_MAX ? SLOTS_MAX : slots;
}

/* A task that takes more than there are is executed alone. */
static uint64_t slots_needed(const struct runner *runner, uint64_t slots)
{
    uint64_t all = slots_of(runner);
    return slots < 1 ? 1 : slots > all ? all : slots;
}

void runner_given(struct runner *runner, const struct message *message)
{
    const struct wire_tasks_given *given = &message->as.tasks_given;
    const struct job_kind *kind = kind_find(given->kind);
    bool instant = kind && kind->instant && !runner->step->config.tasks_execute;
    for (size_t i = 0; i < given->hands.n; i++) {
        const struct wire_task_hand *hand = &given->hands.at[i];
        if (!hand->first || !hand->count) {
            step_reject(runner->step, runner->step->coordinator, "it hands out no task");
            continue;
        }
        if (runner->n_works == TASK_WORKS_MAX)
            return; /* no credit of any coordinator allows that */
        struct task_work *work = mem_new(1, sizeof *work);
        work->order = (struct task_order){.job = hand->job,
                                          .hand = hand->hand,
                                          .task = hand->first,
                                          .attempt = hand->attempt,
                                          .time_limit_ms = given->time_limit_ms,
                                          .slots = slots_needed(runner, given->slots),
                                          .bundles = given->bundles};
        work->count = hand->count;
        work->instant = instant;
        work->copy = hand->copy;
        work->inputs = kind && kind->input;
        *(runner->last ? &runner->last->next : &runner->first) = work;
        runner->last = work;
        runner->queued += work->count;
        runner->n_works++;
    }
}

/* Takes so many tasks off `*at`, the place of a work in the queue; frees it with its last task. */
static void take(struct runner *runner, struct task_work **at, uint64_t count)
{
    struct task_work *work = *at;
    runner->queued -= count;
    work->order.task += count;
    work->count -= count;
    if (work->count)
        return;
    runner->n_works--;
    *at = work->next;
    if (work == runner->last) {
        runner->last = runner->first;
        while (runner->last && runner->last->next)
            runner->last = runner->last->next;
    }
    free(work);
}

static void drop_queue(struct runner *runner)
{
    while (runner->first)
        take(runner, &runner->first, runner->first->count);
}

void runner_reset(struct runner *runner, term_t term)
{
    if (runner->term != term)
        drop_queue(runner);
    runner->term = term;
}

/* --- the log --- */

/* The job is over; or the task has an outcome, for another worker had a copy of it. */
static bool is_in_vain(const struct runner *runner, const struct task_order *order)
{
    return runner_is_over(runner, order->job) ||
           (is_decided(runner, order->job, order->task, 1) && !MUTANT(loser_goes_on));
}

/* What was not begun here is nobody's to ask for again once it was told. */
static bool is_of_use(const struct runner *runner, const struct task_kept *kept)
{
    const struct task_result *it = &kept->result;
    return !is_decided(runner, it->job, it->first, it->count) &&
           !runner_is_over(runner, kept->result.job) && !(kept->result.returned && kept->told);
}

static void let_go(struct runner *runner)
{
    struct task_kept **at = &runner->kept, *last = NULL;
    while (*at) {
        struct task_kept *kept = *at;
        if (is_of_use(runner, kept)) {
            last = kept;
            at = &kept->next;
            continue;
        }
        *at = kept->next;
        runner->n_kept--;
        runner->n_untold -= !kept->told;
        kept_free(kept);
    }
    runner->last_kept = last;
}

static void cancel(struct runner *runner)
{
    struct task_work **at = &runner->first, *last = NULL;
    while (*at) {
        struct task_work *work = *at;
        if (!runner_is_over(runner, work->order.job)) {
            last = work;
            at = &work->next;
            continue;
        }
        *at = work->next;
        runner->queued -= work->count;
        runner->n_works--;
        free(work);
    }
    runner->last = last;
    for (size_t i = 0; i < runner->n_executing; i++) {
        struct task_executing *it = &runner->executing[i];
        if (it->cancelled || !is_in_vain(runner, &it->order))
            continue;
        it->cancelled = true;
        outbox_add(&runner->step->out, OUTPUT_TASK_CANCEL)->task = it->order;
    }
}

/* --- executing --- */

/* So many of the work at `*at` ended without being executed: tasks that do nothing are done when
 * they are begun, and what cannot be executed has a reason. */
static void end_at_once(struct runner *runner, struct task_work **at, uint64_t count,
                        const char *reason, bool returned)
{
    const struct task_work *work = *at;
    struct task_result result = {.job = work->order.job,
                                 .hand = work->order.hand,
                                 .attempt = work->order.attempt,
                                 .first = work->order.task,
                                 .count = count,
                                 .returned = returned,
                                 .started_ms = runner->step->wall_ms};
    text_format(result.reason, sizeof result.reason, "%s", reason);
    keep(runner, &result, work->copy);
    take(runner, at, count);
}

/* Slots for tasks, but for those that operations have, or one of them is to have next. */
static uint64_t slots_free(const struct runner *runner)
{
    const struct slots_use *use = &runner->step->slots;
    uint64_t slots = slots_of(runner), others = runner->slots_taken;
    if (step_shares_slots(runner->step) && !MUTANT(operations_take_none)) {
        bool next = use->operations_wait && use->operations_next && !use->operations;
        others += use->operations + next;
    }
    return others < slots ? slots - others : 0;
}

static void begin(struct runner *runner, struct task_work **at)
{
    struct task_order order = (*at)->order;
    struct slots_use *use = &runner->step->slots;
    use->operations_next = use->operations_wait;
    if (runner->n_executing == runner->executing_size) {
        runner->executing_size = runner->executing_size ? 2 * runner->executing_size : 4;
        runner->executing =
            mem_grow(runner->executing, runner->executing_size, sizeof *runner->executing);
    }
    runner->executing[runner->n_executing++] =
        (struct task_executing){.order = order, .copy = (*at)->copy};
    runner->slots_taken += order.slots;
    order.parts = inputs_parts(runner, &order.n_parts);
    outbox_add(&runner->step->out, OUTPUT_TASK)->task = order;
    take(runner, at, 1);
}

/* Begins tasks of the work at `*at`, or ends them; false: the rest of it waits. `*full`: for slots,
 * which nothing after it gets before; it is told when that is so. */
static bool go_on(struct runner *runner, struct task_work **at, bool *full)
{
    const char *why = "";
    if (is_in_vain(runner, &(*at)->order)) {
        take(runner, at, 1);
        return true;
    }
    if ((*at)->instant) {
        end_at_once(runner, at, (*at)->count, "", false);
        return true;
    }
    bool now = at == &runner->first && (*at)->order.slots <= slots_free(runner);
    enum inputs_state state =
        (*at)->inputs ? inputs_want(runner, &(*at)->order, now, &why) : INPUTS_HERE;
    if (state > INPUTS_WAIT) {
        uint64_t count = state == INPUTS_NONE ? (*at)->count : 1;
        end_at_once(runner, at, count, why, state == INPUTS_RETURN);
        return true; /* also when nothing is begun any more: it is another work now, or none */
    }
    if (state == INPUTS_WAIT || *full)
        return false;
    *full = (*at)->order.slots > slots_free(runner);
    if (*full)
        runner->step->slots.tasks_wait = (*at)->order.slots;
    else
        begin(runner, at);
    return !*full;
}

static void look(struct runner *runner)
{
    struct task_work **at = &runner->first;
    bool full = false;
    runner->step->slots.tasks_wait = 0;
    inputs_look(runner);
    for (size_t passed = 0; *at && passed < TASK_WORKS_LOOK;)
        if (!go_on(runner, at, &full)) {
            at = &(*at)->next;
            passed++;
        }
    runner->step->slots.tasks = runner->slots_taken;
}

void runner_pump(struct runner *runner)
{
    if (runner->seen != runner->raft->log.applied) {
        runner->seen = runner->raft->log.applied;
        let_go(runner);
        cancel(runner);
        inputs_let_go(runner);
    }
    look(runner);
    tell_untold(runner);
}

/* --- the room --- */

void runner_clear(struct runner *runner)
{
    drop_queue(runner);
    for (struct task_kept *next, *kept = runner->kept; kept; kept = next) {
        next = kept->next;
        kept_free(kept);
    }
    inputs_clear(runner);
    for (size_t i = 0; i < runner->n_own; i++)
        message_drop(&runner->own[i]);
    free(runner->own);
    free(runner->executing);
}

void runner_check_invariants(const struct runner *runner)
{
    uint64_t queued = 0;
    size_t kept = 0, works = 0, untold = 0;
    for (const struct task_work *work = runner->first; work; work = work->next, works++) {
        assert(work->count && (work->next || work == runner->last));
        queued += work->count;
    }
    for (const struct task_kept *it = runner->kept; it; it = it->next, kept++) {
        assert(it->next || it == runner->last_kept);
        untold += !it->told;
    }
    assert(untold == runner->n_untold);
    assert(queued == runner->queued && kept == runner->n_kept);
    assert(works == runner->n_works && works <= TASK_WORKS_MAX);
    uint64_t taken = 0;
    for (size_t i = 0; i < runner->n_executing; i++)
        taken += runner->executing[i].order.slots;
    assert(taken == runner->slots_taken && taken <= slots_of(runner));
    assert(runner->step->slots.tasks == taken);
    if (step_shares_slots(runner->step) && !MUTANT(operations_take_none))
        assert(taken + runner->step->slots.operations <= slots_of(runner));
    assert(runner->n_executing <= taken && !runner->last == !runner->first);
    inputs_check_invariants(runner);
}
