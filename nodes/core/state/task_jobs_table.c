/* The jobs of tasks as a table of the state. Its rows can be large: each has several parts. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "nodes/core/state/task_jobs_internal.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/tasks/bundle.h"

static void watch(struct state *state, struct row_watch *watch)
{
    state->task_jobs.watch = watch;
}

static void clear(struct state *state)
{
    struct task_jobs *jobs = &state->task_jobs;
    for (size_t i = 0; i < jobs->n; i++)
        task_job_destroy(&jobs->at[i]);
    free(jobs->at);
    *jobs = (struct task_jobs){0};
}

static void check_row(const struct state *state, const struct task_job *job)
{
    uint64_t counts[TASK_STATES] = {0}, end = 1;
    const struct job *of = jobs_find(&state->jobs, job->id);
    assert(of && plan_tasks(&of->plan) == job->total && job->ended == job_is_finished(of));
    ranges_check_invariants(&job->decided);
    assert(job->decided.count <= job->total && (job->ended || job->decided.count < job->total));
    for (size_t i = 0; i < job->n_exceptions; i++) {
        const struct task_exception *it = &job->exceptions[i];
        assert(it->tasks.count && it->tasks.first >= end && it->state > TASK_DONE);
        assert(ranges_has_all(&job->decided, it->tasks));
        assert(!i || !task_exceptions_alike(it - 1, it) || it->tasks.first > end);
        end = range_end(it->tasks);
        counts[it->state] += it->tasks.count;
    }
    assert(end <= job->total + 1 && !memcmp(counts, job->counts, sizeof counts));
    assert(job->inherited <= task_job_count(job, TASK_DONE));
    assert(!job->ended || !job->n_starts);
    uint64_t bundle_bytes = 0;
    for (size_t i = 0; i < job->n_bundles; bundle_bytes += job->bundles[i++].len)
        assert(!i || job->bundles[i - 1].op < job->bundles[i].op);
    assert(bundle_bytes == job->bundle_bytes && of->task_bytes == task_job_bytes(job));
}

static void check_invariants(const struct state *state)
{
    const struct task_jobs *jobs = &state->task_jobs;
    for (size_t i = 0; i < jobs->n; i++) {
        assert(!i || jobs->at[i - 1]->id < jobs->at[i]->id);
        assert(!jobs->watch == !jobs->at[i]->row.group);
        check_row(state, jobs->at[i]);
    }
}

/* --- checkpoints --- */

static struct row *next(const struct state *state, uint64_t *cursor)
{
    size_t at = task_jobs_after(&state->task_jobs, *cursor);
    if (at == state->task_jobs.n)
        return NULL;
    *cursor = state->task_jobs.at[at]->id;
    return &state->task_jobs.at[at]->row;
}

static bool is_open(const struct row *row)
{
    return !((const struct task_job *)row)->ended;
}

static size_t part_of(size_t all, size_t from, size_t most)
{
    return all <= from ? 0 : all - from < most ? all - from : most;
}

/* One part's worth of a row's lists: the number-th. */
#define FILL(message, list, all, number, most, write)                         \
    do {                                                                      \
        (list).n = part_of(all, (number) * (size_t)(most), most);             \
        (list).at = write(message, job, (number) * (size_t)(most), (list).n); \
    } while (0)
/* A fresh cluster that goes on from a snapshot has none of its values. */
#define FILL_LISTS(message, part, number)                                                       \
    do {                                                                                        \
        FILL(message, (part)->decided, job->decided.n, number, TASK_RANGES_MAX, write_decided); \
        FILL(message, (part)->exceptions, job->n_exceptions, number, TASK_EXCEPTIONS_MAX,       \
             write_exceptions);                                                                 \
        FILL(message, (part)->segments, job->n_segments, number, TASK_SEGMENTS_MAX,             \
             write_segments);                                                                   \
        FILL(message, (part)->starts, job->n_starts, number, TASK_SEGMENTS_MAX, write_starts);  \
    } while (0)

static struct wire_task_range *write_decided(struct message *message, const struct task_job *job,
                                             size_t from, size_t n)
{
    struct wire_task_range *at = message_room(message, n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = (struct wire_task_range){job->decided.at[from + i].first,
                                         job->decided.at[from + i].count};
    return at;
}

static struct wire_task_exception *write_exceptions(struct message *message,
                                                    const struct task_job *job, size_t from,
                                                    size_t n)
{
    struct wire_task_exception *at = message_room(message, n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        task_exception_write(message, &job->exceptions[from + i], &at[i]);
    return at;
}

static struct wire_task_segment *write_segments(struct message *message, const struct task_job *job,
                                                size_t from, size_t n)
{
    struct wire_task_segment *at = message_room(message, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        const struct task_segment *it = &job->segments[from + i];
        at[i] =
            (struct wire_task_segment){it->op, it->len,
                                       message_copy(message, (struct slice){it->hash, HASH_BYTES}),
                                       it->first, it->last};
    }
    return at;
}

static struct wire_task_start *write_starts(struct message *message, const struct task_job *job,
                                            size_t from, size_t n)
{
    struct wire_task_start *at = message_room(message, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        const struct task_start *it = &job->starts[from + i];
        at[i] =
            (struct wire_task_start){it->tasks.first, it->tasks.count, it->node, it->incarnation};
    }
    return at;
}

static size_t at_least(size_t parts, size_t rows, size_t most)
{
    size_t n = (rows + most - 1) / most;
    return n > parts ? n : parts;
}

static size_t parts_of(const struct task_job *job)
{
    size_t n = at_least(1, job->decided.n, TASK_RANGES_MAX);
    n = at_least(n, job->n_exceptions, TASK_EXCEPTIONS_MAX);
    n = at_least(n, job->n_segments, TASK_SEGMENTS_MAX);
    return at_least(n, job->n_starts, TASK_SEGMENTS_MAX);
}

static void save(struct checkpoint_sink *sink, const struct state *state, const struct row *row)
{
    const struct task_job *job = (const struct task_job *)row;
    struct message *message = message_new(MESSAGE_IMAGE_TASKS);
    struct wire_image_tasks *head = &message->as.image_tasks;
    *head = (struct wire_image_tasks){.job = job->id,
                                      .source = state->step->config.id,
                                      .total = job->total,
                                      .parent = job->parent,
                                      .inherited = job->inherited,
                                      .attempts = job->attempts,
                                      .retries = job->retries,
                                      .deaths = job->deaths,
                                      .copies = job->copies,
                                      .ended = job->ended};
    head->options.n = 1;
    head->options.at = message_room(message, 1, sizeof *head->options.at);
    head->options.at[0] = task_options_write(&job->options);
    FILL_LISTS(message, head, 0);
    checkpoint_sink_add(sink, message);
    for (size_t number = 1; number < parts_of(job); number++) {
        message = message_new(MESSAGE_IMAGE_TASKS_MORE);
        message->as.image_tasks_more.job = job->id;
        message->as.image_tasks_more.source = state->step->config.id;
        FILL_LISTS(message, &message->as.image_tasks_more, number);
        checkpoint_sink_add(sink, message);
    }
    size_t n_bundles = sink->use == CHECKPOINT_OPEN ? 0 : job->n_bundles;
    for (size_t n, from = 0; from < n_bundles; from += n) {
        message = message_new(MESSAGE_IMAGE_TASKS_MORE);
        struct wire_image_tasks_more *more = &message->as.image_tasks_more;
        more->job = job->id;
        more->source = state->step->config.id;
        more->bundles.at = task_job_write_bundles(message, job, from, &n);
        more->bundles.n = n;
        checkpoint_sink_add(sink, message);
    }
}

/* The lists of a part of either type. */
struct lists {
    const struct wire_task_range *decided;
    const struct wire_task_exception *exceptions;
    const struct wire_task_segment *segments;
    const struct wire_task_start *starts;
    size_t n_decided, n_exceptions, n_segments, n_starts;
};

#define LISTS_OF(part)                                                              \
    ((struct lists){(part)->decided.at, (part)->exceptions.at, (part)->segments.at, \
                    (part)->starts.at, (part)->decided.n, (part)->exceptions.n,     \
                    (part)->segments.n, (part)->starts.n})

static bool load_exception(struct task_job *job, const struct wire_task_exception *from)
{
    struct task_exception exception;
    if (!task_exception_read(&exception, from) || range_end(exception.tasks) > job->total + 1)
        return false;
    /* It came as decided already, or comes with a later part. */
    ranges_remove(&job->decided, exception.tasks);
    task_job_decide(job, exception.tasks, &exception);
    return true;
}

static bool is_after_all(const struct task_job *job, const struct wire_task_exception *from)
{
    return !job->n_exceptions ||
           range_end(job->exceptions[job->n_exceptions - 1].tasks) <= from->first;
}

static int load_lists(struct task_job *job, const struct lists *lists)
{
    for (size_t i = 0; i < lists->n_decided; i++) {
        const struct wire_task_range *range = &lists->decided[i];
        if (!range->first || !range->count || range->first > job->total ||
            range->count > job->total - range->first + 1)
            return ERR_MALFORMED;
        ranges_add(&job->decided, (struct range){range->first, range->count});
    }
    for (size_t i = 0; i < lists->n_exceptions; i++)
        if (!is_after_all(job, &lists->exceptions[i]) ||
            !load_exception(job, &lists->exceptions[i]))
            return ERR_MALFORMED;
    for (size_t i = 0; i < lists->n_segments; i++) {
        if (lists->segments[i].hash.len != HASH_BYTES)
            return ERR_MALFORMED;
        task_job_add_segment(job, &lists->segments[i]);
    }
    for (size_t i = 0; i < lists->n_starts; i++)
        task_job_add_start(job, &lists->starts[i]);
    return OK;
}

static int load_part(struct state *state, const struct message *part)
{
    if (part->type == MESSAGE_IMAGE_TASKS_MORE) {
        const struct wire_image_tasks_more *more = &part->as.image_tasks_more;
        struct task_job *row = task_jobs_find(&state->task_jobs, more->job);
        struct lists lists = LISTS_OF(more);
        for (size_t i = 0; row && i < more->bundles.n; i++) {
            if (!task_bundle_is_sound(&more->bundles.at[i]))
                return ERR_MALFORMED;
            task_job_add_bundle(row, &more->bundles.at[i]);
        }
        return row ? load_lists(row, &lists) : ERR_MALFORMED;
    }
    const struct wire_image_tasks *head = &part->as.image_tasks;
    const struct job *of = jobs_find(&state->jobs, head->job);
    if (!of || plan_tasks(&of->plan) != head->total || head->ended != job_is_finished(of) ||
        task_jobs_find(&state->task_jobs, head->job))
        return ERR_MALFORMED;
    struct task_job *job = task_jobs_insert(&state->task_jobs, head->job, head->total);
    if (head->options.n)
        job->options = task_options_read(&head->options.at[0]);
    job->parent = head->parent;
    job->inherited = head->inherited;
    job->attempts = head->attempts;
    job->retries = head->retries;
    job->deaths = head->deaths;
    job->copies = head->copies;
    job->ended = head->ended;
    struct lists lists = LISTS_OF(head);
    return load_lists(job, &lists);
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    job_id_t id = part->type == MESSAGE_IMAGE_TASKS ? part->as.image_tasks.job
                                                    : part->as.image_tasks_more.job;
    const struct task_job *row = task_jobs_find(&state->task_jobs, id);
    uint64_t before = row ? task_job_bytes(row) : 0;
    int error = load_part(state, part);
    (void)packed;
    row = task_jobs_find(&state->task_jobs, id);
    if (row)
        jobs_add_task_bytes(&state->jobs, jobs_find(&state->jobs, id),
                            task_job_bytes(row) - before);
    return error;
}

static void want_values(const struct message *part, machine_value *want, void *wanting)
{
    bool more = part->type == MESSAGE_IMAGE_TASKS_MORE;
    struct lists lists =
        more ? LISTS_OF(&part->as.image_tasks_more) : LISTS_OF(&part->as.image_tasks);
    job_id_t job = more ? part->as.image_tasks_more.job : part->as.image_tasks.job;
    uint64_t source = more ? part->as.image_tasks_more.source : part->as.image_tasks.source;
    for (size_t i = 0; i < lists.n_segments; i++)
        want(wanting, (node_id_t)source, (struct value_id){job, lists.segments[i].op},
             lists.segments[i].len, lists.segments[i].hash);
    for (size_t i = 0; more && i < part->as.image_tasks_more.bundles.n; i++)
        if (task_bundle_is_sound(&part->as.image_tasks_more.bundles.at[i]))
            task_bundle_values(&part->as.image_tasks_more.bundles.at[i], (node_id_t)source, job,
                               want, wanting);
}

/* --- comparing --- */

static const struct member task_exception_fields[] = {
    FIELD(task_exception, tasks, bytes),    FIELD(task_exception, state, bytes),
    FIELD(task_exception, attempts, bytes), FIELD(task_exception, exit, bytes),
    FIELD(task_exception, signal, bytes),   FIELD(task_exception, node, bytes),
    FIELD(task_exception, reason, text),
};

static const struct member task_segment_fields[] = {
    FIELD(task_segment, op, bytes),    FIELD(task_segment, len, bytes),
    FIELD(task_segment, first, bytes), FIELD(task_segment, last, bytes),
    FIELD(task_segment, hash, bytes),
};

static uint64_t digest_hashes(const void *owner, const struct member *field)
{
    const struct task_values *values = owner;
    (void)field;
    return digest_block(values->hashes, (size_t)bundle_pieces(values->len) * HASH_BYTES);
}

static const struct member task_values_fields[] = {
    FIELD(task_values, op, bytes),
    FIELD(task_values, len, bytes),
    FIELD(task_values, hashes, hashes),
};

static const struct member task_start_fields[] = {
    FIELD(task_start, tasks, bytes),
    FIELD(task_start, node, bytes),
    FIELD(task_start, incarnation, bytes),
};

static const struct member task_options_fields[] = {
    FIELD(task_options, retries, bytes),
    FIELD(task_options, retry_delay_ms, bytes),
    FIELD(task_options, time_limit_ms, bytes),
    FIELD(task_options, max_fails, bytes),
    FIELD(task_options, max_fails_percent, bytes),
    FIELD(task_options, at_most_once, bytes),
    FIELD(task_options, slots, bytes),
    FIELD(task_options, bundles, bytes),
    FIELD(task_options, speculate, bytes),
};

static uint64_t digest_options(const void *owner, const struct member *field)
{
    return digest_fields(FIELDS_OF(task_options), member_at(owner, field));
}

static uint64_t digest_decided(const void *owner, const struct member *field)
{
    const struct ranges *decided = member_at(owner, field);
    return random_fold(decided->count, digest_block(decided->at, decided->n * sizeof *decided->at));
}

static const struct member task_job_fields[] = {
    OWN(task_job, row),
    FIELD(task_job, id, bytes),
    FIELD(task_job, total, bytes),
    FIELD(task_job, options, options),
    FIELD(task_job, parent, bytes),
    FIELD(task_job, inherited, bytes),
    FIELD(task_job, ended, bytes),
    FIELD(task_job, attempts, bytes),
    FIELD(task_job, retries, bytes),
    FIELD(task_job, deaths, bytes),
    FIELD(task_job, copies, bytes),
    FIELD(task_job, decided, decided),
    WITHIN(task_job, exceptions),
    FIELD(task_job, n_exceptions, bytes),
    OWN(task_job, exceptions_size),
    DERIVED(task_job, counts),
    WITHIN(task_job, segments),
    FIELD(task_job, n_segments, bytes),
    OWN(task_job, segments_size),
    DERIVED(task_job, segment_bytes),
    WITHIN(task_job, bundles),
    FIELD(task_job, n_bundles, bytes),
    OWN(task_job, bundles_size),
    DERIVED(task_job, bundle_bytes),
    WITHIN(task_job, starts),
    FIELD(task_job, n_starts, bytes),
    OWN(task_job, starts_size),
};

static const struct member task_jobs_fields[] = {
    WITHIN(task_jobs, at),
    FIELD(task_jobs, n, bytes),
    OWN(task_jobs, size),
    OWN(task_jobs, watch),
};

static uint64_t digest_row(const struct row *row)
{
    const struct task_job *job = (const struct task_job *)row;
    uint64_t sum = digest_fields(FIELDS_OF(task_job), job);
    sum = random_fold(sum,
                      digest_array(FIELDS_OF(task_exception), job->exceptions, job->n_exceptions));
    sum = random_fold(sum, digest_array(FIELDS_OF(task_segment), job->segments, job->n_segments));
    sum = random_fold(sum, digest_array(FIELDS_OF(task_values), job->bundles, job->n_bundles));
    return random_fold(sum, digest_array(FIELDS_OF(task_start), job->starts, job->n_starts));
}

static uint64_t digest(const struct state *state)
{
    uint64_t sum = digest_fields(FIELDS_OF(task_jobs), &state->task_jobs);
    for (size_t i = 0; i < state->task_jobs.n; i++)
        sum = random_fold(sum, digest_row(&state->task_jobs.at[i]->row));
    return sum;
}

static void compare_rows(const struct comparison *to, const struct task_job *a,
                         const struct task_job *b)
{
    compare_fields(to, FIELDS_OF(task_job), a, b);
    compare_arrays(to, FIELDS_OF(task_exception), a ? a->exceptions : NULL, a ? a->n_exceptions : 0,
                   b ? b->exceptions : NULL, b ? b->n_exceptions : 0);
    compare_arrays(to, FIELDS_OF(task_segment), a ? a->segments : NULL, a ? a->n_segments : 0,
                   b ? b->segments : NULL, b ? b->n_segments : 0);
    compare_arrays(to, FIELDS_OF(task_values), a ? a->bundles : NULL, a ? a->n_bundles : 0,
                   b ? b->bundles : NULL, b ? b->n_bundles : 0);
    compare_arrays(to, FIELDS_OF(task_start), a ? a->starts : NULL, a ? a->n_starts : 0,
                   b ? b->starts : NULL, b ? b->n_starts : 0);
    compare_fields(to, FIELDS_OF(task_options), a ? &a->options : NULL, b ? &b->options : NULL);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    const struct task_jobs *left = &a->task_jobs, *right = &b->task_jobs;
    for (size_t i = 0; i < left->n || i < right->n; i++)
        compare_rows(to, i < left->n ? left->at[i] : NULL, i < right->n ? right->at[i] : NULL);
    compare_fields(to, FIELDS_OF(task_jobs), left, right);
}

const struct state_table state_task_jobs = {
    .name = "task_jobs",
    .watch = watch,
    .clear = clear,
    .check_invariants = check_invariants,
    .check = task_jobs_check,
    .apply = task_jobs_apply,
    .save = save,
    .group_rows = 4, /* a row may be large, and those of busy jobs change all the time */
    .next = next,
    .is_open = is_open,
    .parts = {MESSAGE_IMAGE_TASKS, MESSAGE_IMAGE_TASKS_MORE},
    .load = load,
    .want_values = want_values,
    .digest = digest,
    .compare = compare,
};
