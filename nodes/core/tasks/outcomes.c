/* What workers tell: how tasks ended, and what they have. */
#include <string.h>

#include "nodes/core/tasks/failures.h"
#include "nodes/core/tasks/pulls.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* --- what is told of a task --- */

static struct task_stream stream_of(const struct message *message, uint64_t bytes, uint64_t frame,
                                    struct slice hash)
{
    const struct blob *blob = message_frame(message, frame);
    struct task_stream stream = {.bytes = bytes};
    if (blob && hash.len == HASH_BYTES && blob->len <= bytes) {
        stream.at = (struct slice){blob->at, blob->len};
        memcpy(stream.hash, hash.at, HASH_BYTES);
    }
    return stream;
}

/* In this message there may be anything: what says that it is longer than it is has no bytes. */
static struct task_bundle task_bundle_of(const struct message *message,
                                         const struct wire_task_outcome *outcome)
{
    const struct blob *blob = message_frame(message, outcome->bundle_frame);
    bool pulled = outcome->bundle.n, here = blob && blob->len == outcome->bundle_len;
    if (!outcome->bundle_len || outcome->head_hash.len != HASH_BYTES || (!pulled && !here))
        return (struct task_bundle){0};
    struct task_bundle bundle = {.len = outcome->bundle_len,
                                 .op = pulled ? outcome->bundle.at[0].op : 0,
                                 .head_len = outcome->head_len,
                                 .files = outcome->files,
                                 .out_len = outcome->out_len,
                                 .err_len = outcome->err_len,
                                 .err_line = outcome->err_line};
    if (!pulled)
        bundle.at = (struct slice){blob->at, blob->len};
    memcpy(bundle.head_hash, outcome->head_hash.at, HASH_BYTES);
    bool fits = task_bundle_fits(&bundle) && outcome->out_len <= outcome->out_bytes &&
                outcome->err_len <= outcome->err_bytes;
    return fits ? bundle : (struct task_bundle){0};
}

/* What stands in the bundle has a hash, too, and no bytes here. */
static void note_stored(struct task_stream *stream, uint64_t stored, struct slice hash)
{
    if (stored && hash.len == HASH_BYTES)
        memcpy(stream->hash, hash.at, HASH_BYTES);
}

static uint64_t flags_of(const struct tasks *tasks, const struct task_schedule *of,
                         const struct wire_task_outcome *outcome, uint64_t task)
{
    const struct task_hand *hand = of->copying ? hands_other(tasks, of, task, NULL) : NULL;
    bool other = hand && hands_other(tasks, of, task, hand);
    return (outcome->limit ? TASK_ROW_LIMIT : 0) | (outcome->copy ? TASK_ROW_COPY : 0) |
           (other || outcome->copy ? TASK_ROW_COPIED : 0);
}

static struct task_row row_of(const struct tasks *tasks, const struct message *message,
                              const struct task_schedule *of, node_id_t from,
                              const struct wire_task_outcome *outcome, struct range range,
                              enum task_state state)
{
    struct task_row row = {.first = range.first,
                           .count = range.count,
                           .state = state,
                           .node = from,
                           .attempts = failures_attempts(of, range.first) + (state == TASK_DONE),
                           .exit = outcome->exit,
                           .signal = outcome->signal,
                           .flags = flags_of(tasks, of, outcome, range.first),
                           .started_ms = outcome->started_ms,
                           .wall_us = outcome->wall_us / outcome->count * range.count,
                           .cpu_us = outcome->cpu_us,
                           .max_rss = outcome->max_rss,
                           .reason = outcome->reason,
                           .out = stream_of(message, outcome->out_bytes, outcome->out_frame,
                                            outcome->out_hash),
                           .err = stream_of(message, outcome->err_bytes, outcome->err_frame,
                                            outcome->err_hash),
                           .bundle = task_bundle_of(message, outcome)};
    note_stored(&row.out, row.bundle.out_len, outcome->out_hash);
    note_stored(&row.err, row.bundle.err_len, outcome->err_hash);
    return row;
}

/* --- done --- */

static void take_done(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                      const struct message *message, const struct wire_task_outcome *outcome)
{
    struct range open, range = {outcome->first, outcome->count};
    while (ranges_gap(&of->taken, range, &open)) {
        struct task_row details = row_of(tasks, message, of, from, outcome, open, TASK_DONE);
        struct task_hand *hand = hands_find(tasks, from, of->row->id, outcome->hand, open.first);
        if (hand && range_end(open) <= range_end(hand->tasks) && !of->copying) {
            hands_take(tasks, hand, open);
        } else {
            hands_take_from_all(tasks, of, open);
            ranges_remove(&of->free, open);
            ranges_remove(&of->unsure, open);
        }
        failures_forget(of, open);
        of->attempts += open.count;
        if (outcome->bundle.n)
            batch_add_bundle(tasks, of, &outcome->bundle.at[0]);
        batch_add(tasks, of, open, NULL, &details);
    }
}

/* --- failed --- */

static void fail(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                 const struct message *message, const struct wire_task_outcome *outcome,
                 uint64_t task)
{
    struct range one = {task, 1};
    of->attempts++;
    if (failures_retry(tasks, of, task, outcome->attempt, from))
        return;
    struct task_row details = row_of(tasks, message, of, from, outcome, one, TASK_FAILED);
    struct task_exception exception = {.state = TASK_FAILED,
                                       .attempts = details.attempts,
                                       .exit = outcome->exit,
                                       .signal = outcome->signal,
                                       .node = from};
    struct slice reason =
        outcome->limit && !outcome->reason.len ? slice_of("time limit") : outcome->reason;
    text_copy(exception.reason, sizeof exception.reason, reason);
    if (outcome->bundle.n)
        batch_add_bundle(tasks, of, &outcome->bundle.at[0]);
    failures_end(tasks, of, one, &exception, &details);
}

/* A new coordinator hears of it from the worker, and nobody has the task. What became of a copy
 * says nothing of the other one. */
static bool is_told(const struct tasks *tasks, node_id_t from, const struct task_schedule *of,
                    const struct wire_task_outcome *outcome, uint64_t task)
{
    return !tasks->slots[from].told && !outcome->copy &&
           !failures_is_earlier(of, task, outcome->attempt) &&
           (ranges_has(&of->free, task) || ranges_has(&of->unsure, task) ||
            failures_waits(of, task));
}

/* An attempt counts when its task is in the hands of the worker, with that number: then it is no
 * earlier one. Or when the worker tells it to a new coordinator, and nobody has the task. */
static void take_failed(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                        const struct message *message, const struct wire_task_outcome *outcome)
{
    struct range range = {outcome->first, outcome->count};
    if (range.count > TASK_BATCH_MAX)
        return;
    for (uint64_t task = range.first; task < range_end(range) && !of->stopping; task++) {
        struct task_hand *hand = hands_find(tasks, from, of->row->id, outcome->hand, task);
        bool told = is_told(tasks, from, of, outcome, task);
        if (ranges_has(&of->taken, task) || (!hand && !told && !MUTANT(late_failure_counts)))
            continue;
        if (hand && hands_leave(tasks, hand, task) && !MUTANT(copy_failure_counts))
            continue;
        ranges_remove(&of->free, (struct range){task, 1});
        ranges_remove(&of->unsure, (struct range){task, 1});
        failures_resume(of, task, outcome->attempt);
        fail(tasks, from, of, message, outcome, task);
    }
}

/* --- not begun --- */

/* Those that the worker does not have are not its to return. */
static void take_returned(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                          const struct wire_task_outcome *outcome)
{
    struct range range = {outcome->first, outcome->count};
    if (range.count > TASK_BATCH_MAX)
        return;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        struct task_hand *hand = hands_find(tasks, from, of->row->id, outcome->hand, task);
        if (!hand)
            continue;
        if (!hands_leave(tasks, hand, task))
            failures_return(tasks, of, task, from);
    }
}

/* --- the door --- */

/* What was not executed tells nothing of how long that takes. */
static void measure(struct task_schedule *of, const struct wire_task_outcome *outcome)
{
    if (outcome->reason.len && !outcome->wall_us)
        return;
    uint64_t us =
        outcome->wall_us < TASK_TIME_MAX_MS * MS_US ? outcome->wall_us : TASK_TIME_MAX_MS * MS_US;
    uint64_t ns = us * 1000 / outcome->count;
    of->task_ns = of->measured ? (7 * of->task_ns + ns) / 8 : ns;
    of->measured = true;
}

static bool is_done(const struct wire_task_outcome *outcome)
{
    return !outcome->exit && !outcome->signal && !outcome->limit && !outcome->reason.len &&
           !outcome->returned;
}

void outcomes_take(struct tasks *tasks, node_id_t from, const struct message *message,
                   const struct wire_task_outcome *outcome, bool pulled)
{
    struct task_schedule *of = task_schedule_of(tasks, message->as.tasks_ended.job);
    struct wire_task_outcome it = *outcome;
    if (!of)
        return;
    if (it.bundle.n && !pulled)
        it.bundle.n = it.bundle_len = 0;
    measure(of, &it);
    failures_note(tasks, of, from, !is_done(&it));
    if (is_done(&it))
        copies_note(of, &it);
    if (is_done(&it))
        take_done(tasks, from, of, message, &it);
    else
        take_failed(tasks, from, of, message, &it);
}

/* What it has left is of use: it is the task's outcome, if it is taken in at all. */
static bool decides(const struct tasks *tasks, node_id_t from, const struct task_schedule *of,
                    const struct wire_task_outcome *outcome)
{
    uint64_t task = outcome->first;
    if (ranges_has(&of->taken, task))
        return false;
    if (is_done(outcome))
        return true;
    if (outcome->attempt <= of->row->options.retries || of->stopping)
        return false;
    const struct task_hand *hand = hands_find(tasks, from, of->row->id, outcome->hand, task);
    return hand ? !hands_other(tasks, of, task, hand) : is_told(tasks, from, of, outcome, task);
}

static void take_in(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                    struct message *message, const struct wire_task_outcome *outcome)
{
    if (!outcome->first || !outcome->count || outcome->first > of->row->total ||
        outcome->count > of->row->total - outcome->first + 1) {
        step_reject(tasks->step, from, "it names tasks that do not exist");
        return;
    }
    if (outcome->returned && !MUTANT(lack_is_failure)) {
        failures_note(tasks, of, from, true);
        take_returned(tasks, from, of, outcome);
    } else if (!decides(tasks, from, of, outcome) ||
               !pulls_begin(tasks, from, of, message, outcome)) {
        outcomes_take(tasks, from, message, outcome, false);
    }
}

void tasks_ended(struct tasks *tasks, node_id_t from, struct message *message)
{
    const struct wire_tasks_ended *ended = &message->as.tasks_ended;
    for (size_t i = 0; raft_serves(tasks->raft) && i < ended->outcomes.n; i++) {
        struct task_schedule *of = task_schedule_of(tasks, ended->job);
        if (of)
            take_in(tasks, from, of, message, &ended->outcomes.at[i]);
    }
}

static void resume(struct tasks *tasks, node_id_t from, const struct wire_task_hand *hand)
{
    struct task_schedule *of = task_schedule_of(tasks, hand->job);
    struct range range = {hand->first, hand->count}, part;
    if (!of || of->stopping || !range.first || range.first > of->row->total ||
        range.count > of->row->total - range.first + 1)
        return;
    while (ranges_next(&of->free, range, &part) || ranges_next(&of->unsure, range, &part)) {
        ranges_remove(&of->free, part);
        ranges_remove(&of->unsure, part);
        hands_resume(tasks, of, from, part, hand->hand, false);
    }
    while (ranges_next(&of->troubled, range, &part)) { /* each task alone */
        if (failures_resume(of, part.first, hand->attempt))
            hands_resume(tasks, of, from, (struct range){part.first, 1}, hand->hand, false);
        range = (struct range){part.first + 1, range_end(range) - part.first - 1};
    }
    copies_resume(tasks, of, from, hand);
}

/* The incarnation of a node that tells. */
static incarnation_t incarnation_of(const struct tasks *tasks, node_id_t from)
{
    if (from == tasks->step->config.id)
        return tasks->step->config.incarnation;
    return tasks->links->peers[from].incarnation;
}

/* Of tasks that are executed at most once, the worker may have begun some, and has told all that it
 * began: it did not begin the others, and will not, since it takes no orders of an earlier term.
 * What another incarnation of it began, it cannot know. A task's last start is the one that counts:
 * each of the earlier ones was found not to have been used. */
static void free_unused(struct tasks *tasks, struct task_schedule *of, node_id_t from)
{
    struct ranges unused = {0};
    struct range part, all = {1, of->row->total};
    for (size_t i = 0; i < of->row->n_starts && of->unsure.count; i++) {
        const struct task_start *start = &of->row->starts[i];
        bool same =
            start->incarnation == incarnation_of(tasks, from) || MUTANT(incarnations_are_alike);
        if (start->node == from && same)
            ranges_add(&unused, start->tasks);
        else
            ranges_remove(&unused, start->tasks);
    }
    while (ranges_next(&unused, all, &part)) {
        struct range open;
        ranges_remove(&unused, part);
        while (ranges_next(&of->unsure, part, &open)) {
            ranges_remove(&of->unsure, open);
            ranges_add(&of->free, open);
        }
    }
    ranges_clear(&unused);
}

void tasks_held(struct tasks *tasks, node_id_t from, const struct message *message)
{
    const struct wire_tasks_held *held = &message->as.tasks_held;
    if (!raft_serves(tasks->raft) || held->term != tasks->step->term || tasks->slots[from].told)
        return;
    for (size_t i = 0; i < held->running.n; i++)
        resume(tasks, from, &held->running.at[i]);
    tasks->slots[from].told = !held->more;
    for (size_t i = 0; !held->more && i < tasks->n_active; i++)
        free_unused(tasks, tasks->active[i], from);
}
