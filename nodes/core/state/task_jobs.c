#include "nodes/core/state/task_jobs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_types.h"
#include "nodes/core/state/task_jobs_internal.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* --- names, and messages --- */

static const char *const names[TASK_STATES] = {"open", "done", "failed", "lost", "cancelled"};

const char *task_state_name(enum task_state state)
{
    return names[state];
}

enum task_state task_state_of(struct slice name)
{
    enum task_state state = TASK_OPEN;
    while (state < TASK_STATES && !slice_equals(name, names[state]))
        state++;
    return state;
}

static bool is_range(uint64_t first, uint64_t count)
{
    return first && count && first <= TASKS_MAX && count <= TASKS_MAX - first + 1;
}

bool task_exception_read(struct task_exception *exception, const struct wire_task_exception *from)
{
    enum task_state state = task_state_of(from->state);
    if (!is_range(from->first, from->count) || state <= TASK_DONE || state == TASK_STATES)
        return false;
    *exception = (struct task_exception){.tasks = {from->first, from->count},
                                         .state = state,
                                         .attempts = from->attempts,
                                         .exit = from->exit,
                                         .signal = from->signal,
                                         .node = (node_id_t)from->node};
    text_copy(exception->reason, sizeof exception->reason, from->reason);
    return true;
}

void task_exception_write(struct message *message, const struct task_exception *exception,
                          struct wire_task_exception *to)
{
    *to = (struct wire_task_exception){.first = exception->tasks.first,
                                       .count = exception->tasks.count,
                                       .state = slice_of(names[exception->state]),
                                       .attempts = exception->attempts,
                                       .exit = exception->exit,
                                       .signal = exception->signal,
                                       .reason = message_text(message, exception->reason),
                                       .node = exception->node};
}

bool task_exceptions_alike(const struct task_exception *a, const struct task_exception *b)
{
    return a->state == b->state && a->attempts == b->attempts && a->exit == b->exit &&
           a->signal == b->signal && a->node == b->node && !strcmp(a->reason, b->reason);
}

struct task_options task_options_read(const struct wire_task_options *from)
{
    return (struct task_options){from->retries,   from->retry_delay_ms,    from->time_limit_ms,
                                 from->max_fails, from->max_fails_percent, from->at_most_once,
                                 from->slots,     from->bundles,           from->speculate};
}

struct wire_task_options task_options_write(const struct task_options *options)
{
    return (struct wire_task_options){.retries = options->retries,
                                      .retry_delay_ms = options->retry_delay_ms,
                                      .time_limit_ms = options->time_limit_ms,
                                      .max_fails = options->max_fails,
                                      .max_fails_percent = options->max_fails_percent,
                                      .at_most_once = options->at_most_once,
                                      .slots = options->slots,
                                      .bundles = options->bundles,
                                      .speculate = options->speculate};
}

/* --- rows --- */

size_t task_jobs_after(const struct task_jobs *jobs, job_id_t after)
{
    size_t low = 0, high = jobs->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (jobs->at[middle]->id > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct task_job *task_jobs_find(const struct task_jobs *jobs, job_id_t id)
{
    size_t at = task_jobs_after(jobs, id);
    return at && jobs->at[at - 1]->id == id ? jobs->at[at - 1] : NULL;
}

struct task_job *task_jobs_insert(struct task_jobs *jobs, job_id_t id, uint64_t total)
{
    struct task_job *job = mem_new(1, sizeof *job);
    size_t at = task_jobs_after(jobs, id); /* from a checkpoint they may come in any order */
    if (jobs->n == jobs->size) {
        jobs->size = jobs->size ? 2 * jobs->size : 16;
        jobs->at = mem_grow(jobs->at, jobs->size, sizeof *jobs->at);
    }
    memmove(&jobs->at[at + 1], &jobs->at[at], (jobs->n++ - at) * sizeof *jobs->at);
    jobs->at[at] = job;
    job->id = id;
    job->total = total;
    row_is_made(jobs->watch, TABLE_TASK_JOBS, &job->row);
    return job;
}

void task_job_destroy(struct task_job **job)
{
    struct task_job *it = *job;
    *job = NULL;
    ranges_clear(&it->decided);
    free(it->exceptions);
    free(it->segments);
    for (size_t i = 0; i < it->n_bundles; i++)
        free(it->bundles[i].hashes);
    free(it->bundles);
    free(it->starts);
    free(it);
}

void task_jobs_forget(struct task_jobs *jobs, job_id_t id, struct released *released)
{
    struct task_job *job = task_jobs_find(jobs, id);
    if (!job)
        return;
    size_t at = task_jobs_after(jobs, id) - 1;
    for (size_t i = 0; i < job->n_segments; i++)
        released_add(released, (struct value_id){id, job->segments[i].op}, job->segments[i].len);
    row_goes(jobs->watch, TABLE_TASK_JOBS, &job->row);
    memmove(&jobs->at[at], &jobs->at[at + 1], (--jobs->n - at) * sizeof *jobs->at);
    task_job_destroy(&job);
}

const struct task_segment *task_job_segment(const struct task_job *job, op_id_t op)
{
    for (size_t i = job->n_segments; i-- > 0;)
        if (job->segments[i].op == op)
            return &job->segments[i];
    return NULL;
}

bool task_jobs_name(const struct task_jobs *jobs, struct value_id id)
{
    const struct task_job *job = task_jobs_find(jobs, id.job);
    return job &&
           (!job->ended || task_job_segment(job, id.op) || task_job_piece(job, id.op, NULL, NULL));
}

bool task_jobs_describe(const struct task_jobs *jobs, struct value_id id, uint64_t *len,
                        uint8_t hash[HASH_BYTES])
{
    const struct task_job *job = task_jobs_find(jobs, id.job);
    const struct task_segment *segment = job ? task_job_segment(job, id.op) : NULL;
    if (!segment)
        return job && task_job_piece(job, id.op, len, hash);
    *len = segment->len;
    memcpy(hash, segment->hash, HASH_BYTES);
    return true;
}

/* --- outcomes --- */

/* The first exception that ends after the task; n: there is none. */
static size_t find_exception(const struct task_job *job, uint64_t task)
{
    size_t low = 0, high = job->n_exceptions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range_end(job->exceptions[middle].tasks) <= task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum task_state task_job_state(const struct task_job *job, uint64_t task,
                               const struct task_exception **exception)
{
    size_t at = find_exception(job, task);
    *exception = NULL;
    if (!ranges_has(&job->decided, task))
        return job->ended ? TASK_CANCELLED : TASK_OPEN;
    if (at == job->n_exceptions || job->exceptions[at].tasks.first > task)
        return TASK_DONE;
    *exception = &job->exceptions[at];
    return (*exception)->state;
}

uint64_t task_job_done_until(const struct task_job *job, struct range decided)
{
    size_t at = find_exception(job, decided.first);
    bool within = at < job->n_exceptions && job->exceptions[at].tasks.first < range_end(decided);
    return within ? job->exceptions[at].tasks.first : range_end(decided);
}

uint64_t task_job_count(const struct task_job *job, enum task_state state)
{
    uint64_t open = job->total - job->decided.count;
    switch (state) {
    case TASK_OPEN:
        return job->ended ? 0 : open;
    case TASK_DONE:
        return job->decided.count - job->counts[TASK_FAILED] - job->counts[TASK_LOST] -
               job->counts[TASK_CANCELLED];
    case TASK_CANCELLED: /* those too that had none when the job was cancelled */
        return job->counts[TASK_CANCELLED] + (job->ended ? open : 0);
    default:
        return job->counts[state];
    }
}

static bool continues(const struct task_exception *before, const struct task_exception *after)
{
    return range_end(before->tasks) == after->tasks.first && task_exceptions_alike(before, after);
}

/* Neighbours that are alike are one, whatever came first: all nodes have the same rows. */
static void add_exception(struct task_job *job, const struct task_exception *more)
{
    size_t at = find_exception(job, more->tasks.first);
    struct task_exception *before = at ? &job->exceptions[at - 1] : NULL;
    struct task_exception *after = at < job->n_exceptions ? &job->exceptions[at] : NULL;
    job->counts[more->state] += more->tasks.count;
    if (before && continues(before, more)) {
        before->tasks.count += more->tasks.count;
        if (!after || !continues(before, after))
            return;
        before->tasks.count += after->tasks.count;
        memmove(after, after + 1, (--job->n_exceptions - at) * sizeof *after);
        return;
    }
    if (after && continues(more, after)) {
        after->tasks.first = more->tasks.first;
        after->tasks.count += more->tasks.count;
        return;
    }
    if (job->n_exceptions == job->exceptions_size) {
        job->exceptions_size = job->exceptions_size ? 2 * job->exceptions_size : 16;
        job->exceptions = mem_grow(job->exceptions, job->exceptions_size, sizeof *job->exceptions);
    }
    memmove(&job->exceptions[at + 1], &job->exceptions[at],
            (job->n_exceptions++ - at) * sizeof *job->exceptions);
    job->exceptions[at] = *more;
}

void task_job_decide(struct task_job *job, struct range tasks,
                     const struct task_exception *exception)
{
    struct range open;
    if (tasks.first > job->total)
        return;
    if (range_end(tasks) > job->total + 1)
        tasks.count = job->total + 1 - tasks.first;
    while (ranges_gap(&job->decided, tasks, &open)) {
        ranges_add(&job->decided, open);
        if (exception) {
            struct task_exception part = *exception;
            part.tasks = open;
            add_exception(job, &part);
        }
    }
}

void task_job_add_segment(struct task_job *job, const struct wire_task_segment *segment)
{
    if (task_job_segment(job, segment->op))
        return;
    if (job->n_segments == job->segments_size) {
        job->segments_size = job->segments_size ? 2 * job->segments_size : 4;
        job->segments = mem_grow(job->segments, job->segments_size, sizeof *job->segments);
    }
    struct task_segment *it = &job->segments[job->n_segments++];
    *it = (struct task_segment){segment->op, segment->len, segment->first, segment->last, {0}};
    memcpy(it->hash, segment->hash.at, HASH_BYTES);
    job->segment_bytes += segment->len;
}

/* Forgets those of which all tasks have an outcome. */
static void prune_starts(struct task_job *job)
{
    size_t left = 0;
    for (size_t i = 0; i < job->n_starts; i++)
        if (!ranges_has_all(&job->decided, job->starts[i].tasks))
            job->starts[left++] = job->starts[i];
    job->n_starts = left;
}

/* Forgets those of the same tasks: they were not used. */
static void replace_starts(struct task_job *job, struct range tasks)
{
    size_t left = 0;
    for (size_t i = 0; i < job->n_starts; i++) {
        struct range old = job->starts[i].tasks;
        if (old.first < tasks.first || range_end(old) > range_end(tasks))
            job->starts[left++] = job->starts[i];
    }
    job->n_starts = left;
}

void task_job_add_start(struct task_job *job, const struct wire_task_start *start)
{
    replace_starts(job, (struct range){start->first, start->count});
    if (job->n_starts == job->starts_size) {
        job->starts_size = job->starts_size ? 2 * job->starts_size : 16;
        job->starts = mem_grow(job->starts, job->starts_size, sizeof *job->starts);
    }
    job->starts[job->n_starts++] = (struct task_start){{start->first, start->count},
                                                       (node_id_t)start->node,
                                                       start->incarnation};
}

/* --- entries --- */

static bool is_segment(const struct wire_task_segment *segment)
{
    return segment->op && segment->len && segment->hash.len == HASH_BYTES;
}

static bool check_done(const struct wire_entry_tasks_done *entry)
{
    struct task_exception exception;
    for (size_t i = 0; i < entry->done.n; i++)
        if (!is_range(entry->done.at[i].first, entry->done.at[i].count))
            return false;
    for (size_t i = 0; i < entry->exceptions.n; i++)
        if (!task_exception_read(&exception, &entry->exceptions.at[i]))
            return false;
    for (size_t i = 0; i < entry->bundles.n; i++)
        if (!task_bundle_is_sound(&entry->bundles.at[i]))
            return false;
    return !entry->segments.n || is_segment(&entry->segments.at[0]);
}

bool task_jobs_check(const struct message *entry)
{
    if (entry->type == MESSAGE_ENTRY_TASKS_DONE)
        return check_done(&entry->as.entry_tasks_done);
    if (entry->type != MESSAGE_ENTRY_TASKS_STARTED)
        return false;
    const struct wire_entry_tasks_started *started = &entry->as.entry_tasks_started;
    for (size_t i = 0; i < started->starts.n; i++)
        if (!is_range(started->starts.at[i].first, started->starts.at[i].count))
            return false;
    return true;
}

/* Of a job that repeats some tasks only, the others are as they were there. */
static void leave_others(struct task_job *job, const struct task_job *parent,
                         const struct wire_entry_job_submitted *entry)
{
    struct range part, all = {1, job->total};
    struct ranges others = {0};
    ranges_add(&others, all);
    for (size_t i = 0; i < entry->chosen.n; i++)
        if (is_range(entry->chosen.at[i].first, entry->chosen.at[i].count))
            ranges_remove(&others,
                          (struct range){entry->chosen.at[i].first, entry->chosen.at[i].count});
    for (size_t i = 0; i < parent->n_exceptions; i++)
        for (const struct task_exception *it = &parent->exceptions[i];
             ranges_next(&others, it->tasks, &part); ranges_remove(&others, part))
            task_job_decide(job, part, it);
    for (; ranges_next(&others, all, &part); ranges_remove(&others, part))
        task_job_decide(job, part,
                        &(struct task_exception){.state = TASK_CANCELLED,
                                                 .reason = "it was not chosen"});
    ranges_clear(&others);
}

/* What was done in the job that this one repeats is done. */
static void inherit(struct task_job *job, const struct task_job *parent,
                    const struct wire_entry_job_submitted *entry)
{
    ranges_copy(&job->decided, &parent->decided);
    for (size_t i = 0; i < parent->n_exceptions; i++)
        ranges_remove(&job->decided, parent->exceptions[i].tasks);
    job->inherited = job->decided.count;
    if (entry->chosen.n)
        leave_others(job, parent, entry);
}

static struct job *end(struct state *state, struct task_job *row, log_index_t index,
                       uint64_t time_ms)
{
    struct text reason = {0};
    uint64_t failed = row->counts[TASK_FAILED], lost = row->counts[TASK_LOST];
    if (failed)
        text_add(&reason, "%" PRIu64 " failed", failed);
    if (lost)
        text_add(&reason, "%s%" PRIu64 " lost", failed ? ", " : "", lost);
    row->ended = true;
    return jobs_end_tasks(&state->jobs, row->id,
                          failed || lost                ? JOB_FAILED
                          : row->counts[TASK_CANCELLED] ? JOB_CANCELLED
                                                        : JOB_DONE,
                          reason.at, time_ms, state->retention.jobs ? index : 0);
}

static struct job *apply_submitted(struct state *state, log_index_t index, term_t term,
                                   const struct wire_entry_job_submitted *entry)
{
    const struct job *made = jobs_find(&state->jobs, job_id_of(term, index));
    uint64_t tasks = made ? plan_tasks(&made->plan) : 0;
    if (!tasks)
        return NULL;
    struct task_job *job = task_jobs_insert(&state->task_jobs, made->id, tasks);
    const struct task_job *parent = task_jobs_find(&state->task_jobs, entry->parent);
    if (entry->tasks.n)
        job->options = task_options_read(&entry->tasks.at[0]);
    job->parent = entry->parent;
    if (parent && parent->total == job->total)
        inherit(job, parent, entry);
    else if (entry->parent)
        /* It was forgotten after the submit was looked at: what of it was done is not known. */
        task_job_decide(job, (struct range){1, job->total},
                        &(struct task_exception){.state = TASK_CANCELLED,
                                                 .reason = "its parent was forgotten"});
    return job->decided.count == job->total ? end(state, job, index, entry->time_ms) : NULL;
}

static struct job *apply_done(struct state *state, log_index_t index,
                              const struct wire_entry_tasks_done *entry)
{
    struct task_job *job = task_jobs_find(&state->task_jobs, entry->job);
    struct task_exception exception;
    if (!job || job->ended)
        return NULL;
    uint64_t before = task_job_bytes(job);
    row_changes(state->task_jobs.watch, TABLE_TASK_JOBS, &job->row);
    for (size_t i = 0; i < entry->done.n; i++)
        task_job_decide(job, (struct range){entry->done.at[i].first, entry->done.at[i].count},
                        NULL);
    for (size_t i = 0; i < entry->exceptions.n; i++)
        if (task_exception_read(&exception, &entry->exceptions.at[i]))
            task_job_decide(job, exception.tasks, &exception);
    if (entry->segments.n)
        task_job_add_segment(job, &entry->segments.at[0]);
    for (size_t i = 0; i < entry->bundles.n; i++)
        task_job_add_bundle(job, &entry->bundles.at[i]);
    jobs_add_task_bytes(&state->jobs, jobs_find(&state->jobs, job->id),
                        task_job_bytes(job) - before);
    job->attempts += entry->attempts;
    job->retries += entry->retries;
    job->deaths += entry->deaths;
    job->copies += entry->copies;
    prune_starts(job);
    return job->decided.count == job->total ? end(state, job, index, entry->time_ms) : NULL;
}

static void apply_started(struct state *state, const struct wire_entry_tasks_started *entry)
{
    struct task_job *job = task_jobs_find(&state->task_jobs, entry->job);
    if (!job || job->ended)
        return;
    row_changes(state->task_jobs.watch, TABLE_TASK_JOBS, &job->row);
    for (size_t i = 0; i < entry->starts.n; i++)
        task_job_add_start(job, &entry->starts.at[i]);
}

static void apply_end(struct state *state, job_id_t id)
{
    struct task_job *job = task_jobs_find(&state->task_jobs, id);
    if (!job || job->ended)
        return;
    row_changes(state->task_jobs.watch, TABLE_TASK_JOBS, &job->row);
    job->ended = true;
    job->n_starts = 0;
}

struct job *task_jobs_apply(struct state *state, log_index_t index, term_t term,
                            const struct message *entry)
{
    switch (entry->type) {
    case MESSAGE_ENTRY_JOB_SUBMITTED:
        return apply_submitted(state, index, term, &entry->as.entry_job_submitted);
    case MESSAGE_ENTRY_TASKS_DONE:
        return apply_done(state, index, &entry->as.entry_tasks_done);
    case MESSAGE_ENTRY_TASKS_STARTED:
        apply_started(state, &entry->as.entry_tasks_started);
        return NULL;
    case MESSAGE_ENTRY_JOB_CANCELLED:
        apply_end(state, entry->as.entry_job_cancelled.job);
        return NULL;
    case MESSAGE_ENTRY_JOB_FAILED:
        apply_end(state, entry->as.entry_job_failed.job);
        return NULL;
    default:
        return NULL;
    }
}

void task_jobs_entry_values(const struct message *entry, machine_value *each, void *context)
{
    const struct wire_entry_tasks_done *done = &entry->as.entry_tasks_done;
    if (entry->type == MESSAGE_ENTRY_TASKS_DONE && done->segments.n)
        each(context, NODE_NONE, (struct value_id){done->job, done->segments.at[0].op},
             done->segments.at[0].len, done->segments.at[0].hash);
    for (size_t i = 0; entry->type == MESSAGE_ENTRY_TASKS_DONE && i < done->bundles.n; i++)
        task_bundle_values(&done->bundles.at[i], NODE_NONE, done->job, each, context);
}
