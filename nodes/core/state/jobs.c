#include "nodes/core/state/jobs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define TRACES_KEPT_MAX 1000 /* of finished jobs; at 16 KiB each at most */

bool job_is_finished(const struct job *job)
{
    return job->state >= JOB_DONE;
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[JOB_STATES] = {"queued", "done", "failed", "cancelled"};
    return names[state];
}

op_id_t job_text_op(const struct job *job)
{
    return plan_result(&job->plan);
}

static struct map_key id_key(job_id_t id)
{
    return (struct map_key){id, 0};
}

/* A collision is caught by comparing the keys. */
static struct map_key text_key(struct slice key)
{
    uint64_t hash = map_hash(key.at, key.len);
    return (struct map_key){hash, (uint64_t)key.len};
}

struct job *jobs_find(const struct jobs *jobs, job_id_t id)
{
    return map_get(&jobs->by_id, id_key(id));
}

struct job *jobs_find_key(const struct jobs *jobs, struct slice key)
{
    struct job *job = map_get(&jobs->by_key, text_key(key));
    return job && slice_equals(key, job->key) ? job : NULL;
}

bool jobs_key_collides(const struct jobs *jobs, struct slice key)
{
    struct job *job = map_get(&jobs->by_key, text_key(key));
    return job && !slice_equals(key, job->key);
}

size_t jobs_after(const struct jobs *jobs, job_id_t after)
{
    size_t low = 0, high = jobs->n;
    if (!high || jobs->at[high - 1]->id <= after)
        return high; /* of most: a new job comes behind all others */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (jobs->at[middle]->id > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct job *jobs_open_after(const struct jobs *jobs, job_id_t after)
{
    const struct job *job = jobs_find(jobs, after);
    if (job && !job_is_finished(job))
        return job->newer_open;
    if (!jobs->newest_open || jobs->newest_open->id <= after)
        return NULL;
    job = jobs->oldest_open;
    while (job && job->id <= after)
        job = job->newer_open;
    return job;
}

bool job_text_fits(struct slice text, uint64_t digits)
{
    return !text.len || text.len == digits;
}

static int read_plan(struct plan *plan, const struct wire_entry_job_submitted *entry)
{
    int error = plan_parse(plan, entry->kind, entry->spec, NULL);
    if (!error)
        error = plan_set_ranges(plan, entry->ranges);
    return error ? error : plan_set_pieces(plan, entry->pieces);
}

bool jobs_entry_is_valid(const struct message *entry)
{
    struct plan plan;
    switch (entry->type) {
    case MESSAGE_ENTRY_JOB_FAILED:
    case MESSAGE_ENTRY_JOB_CANCELLED:
    case MESSAGE_ENTRY_JOBS_FORGOTTEN:
        return true;
    case MESSAGE_ENTRY_OPS_DONE:
        return jobs_done_is_valid(entry);
    case MESSAGE_ENTRY_JOB_DONE:
        return entry->as.entry_job_done.sha256.len == HASH_BYTES &&
               job_text_fits(entry->as.entry_job_done.text, entry->as.entry_job_done.digits) &&
               jobs_done_is_valid(entry);
    case MESSAGE_ENTRY_JOB_SUBMITTED:
        return step_key_is_valid(entry->as.entry_job_submitted.key) &&
               entry->as.entry_job_submitted.level < PLAN_LEVELS_MAX &&
               !read_plan(&plan, &entry->as.entry_job_submitted);
    default:
        return false;
    }
}

static size_t places_forgotten(const struct jobs *jobs)
{
    return jobs->room ? (size_t)(jobs->at - jobs->room) : 0;
}

/* For one more at the end. Places at the beginning are taken again once they are as many as the
 * jobs, so that a job costs the same however many are remembered. */
static void make_room(struct jobs *jobs)
{
    size_t forgotten = places_forgotten(jobs);
    if (forgotten + jobs->n < jobs->size)
        return;
    if (!jobs->size || forgotten < jobs->n) {
        jobs->size = jobs->size ? jobs->size * 2 : 16;
        jobs->room = mem_grow(jobs->room, jobs->size, sizeof *jobs->room);
        jobs->at = jobs->room + forgotten;
        return;
    }
    memcpy(jobs->room, jobs->at, jobs->n * sizeof *jobs->at);
    jobs->at = jobs->room;
}

void jobs_link_open(struct jobs *jobs, struct job *job)
{
    struct job *older = jobs->newest_open;
    while (older && older->id > job->id)
        older = older->older_open;
    job->older_open = older;
    job->newer_open = older ? older->newer_open : jobs->oldest_open;
    *(job->older_open ? &job->older_open->newer_open : &jobs->oldest_open) = job;
    *(job->newer_open ? &job->newer_open->older_open : &jobs->newest_open) = job;
}

static void unlink_open(struct jobs *jobs, struct job *job)
{
    *(job->older_open ? &job->older_open->newer_open : &jobs->oldest_open) = job->newer_open;
    *(job->newer_open ? &job->newer_open->older_open : &jobs->newest_open) = job->older_open;
    job->older_open = job->newer_open = NULL;
}

struct job *jobs_insert(struct jobs *jobs, job_id_t id, struct slice key, const struct plan *plan,
                        unsigned level)
{
    struct job *job = mem_new(1, sizeof *job);
    job->id = id;
    text_copy(job->key, sizeof job->key, key);
    job->plan = *plan;
    job->level = level < job->plan.levels ? level : job->plan.levels - 1;
    if (plan->ranges)
        job->level = 0; /* each operation of the flat stage is handed out by itself */
    make_room(jobs);
    size_t at = jobs_after(jobs, id); /* from a checkpoint they may come in any order */
    memmove(&jobs->at[at + 1], &jobs->at[at], (jobs->n++ - at) * sizeof *jobs->at);
    jobs->at[at] = job;
    row_is_made(jobs->watch, TABLE_JOBS, &job->row);
    jobs->open++;
    jobs->states[JOB_QUEUED]++;
    map_put(&jobs->by_id, id_key(id), job);
    map_put(&jobs->by_key, text_key(key), job);
    return job;
}

void job_read_inputs(struct job *job, const struct wire_value_ref *inputs, size_t n)
{
    job->n_inputs = n;
    for (size_t i = 0; i < n; i++)
        job->inputs[i] = inputs[i].value;
}

static struct job *apply_submitted(struct jobs *jobs, job_id_t id,
                                   const struct wire_entry_job_submitted *entry)
{
    struct plan plan;
    /* The occupied slot may belong to another key with the same hash: that one was refused at
     * submit. */
    if (map_get(&jobs->by_key, text_key(entry->key)) && !MUTANT(argument_is_key))
        return NULL;
    if (read_plan(&plan, entry))
        return NULL;
    struct job *job = jobs_insert(jobs, id, entry->key, &plan, (unsigned)entry->level);
    text_copy(job->owner, sizeof job->owner, entry->owner);
    job_owners_open(&jobs->owners, job);
    job_read_inputs(job, entry->inputs.at, entry->inputs.n);
    job->submitted_ms = entry->time_ms;
    jobs_link_open(jobs, job);
    return job;
}

void jobs_set_state(struct jobs *jobs, struct job *job, enum job_state state)
{
    jobs->states[job->state]--;
    jobs->states[state]++;
    job->state = state;
}

static void drop_trace(struct jobs *jobs, struct job *job)
{
    row_changes(jobs->watch, TABLE_JOBS, &job->row);
    free(job->trace);
    job->trace = NULL;
    jobs->traces--;
}

/* A job has finished with a trace. Those of the oldest jobs go first, until few enough are left;
 * the search goes on after the last one that went, so it looks at each job once. */
static void keep_trace(struct jobs *jobs, struct job *job)
{
    jobs->traces++;
    if (job->id <= jobs->traceless && jobs->traces > TRACES_KEPT_MAX)
        drop_trace(jobs, job); /* it took long: it is the oldest that has one */
    else if (job->id <= jobs->traceless)
        jobs->traceless = job->id - 1;
    if (jobs->traces <= TRACES_KEPT_MAX)
        return;
    for (size_t i = jobs_after(jobs, jobs->traceless); jobs->traces > TRACES_KEPT_MAX; i++) {
        jobs->traceless = jobs->at[i]->id;
        if (job_is_finished(jobs->at[i]) && jobs->at[i]->trace)
            drop_trace(jobs, jobs->at[i]);
    }
}

static struct job *finish(struct jobs *jobs, job_id_t id, enum job_state state, uint64_t time_ms)
{
    struct job *job = jobs_find(jobs, id);
    if (!job || job_is_finished(job))
        return NULL;
    row_changes(jobs->watch, TABLE_JOBS, &job->row);
    jobs_set_state(jobs, job, state);
    unlink_open(jobs, job);
    job->finished_ms = time_ms;
    jobs->open--;
    job_clear_live(job, jobs->released);
    free(job->executors);
    job->executors = NULL;
    if (job->trace)
        keep_trace(jobs, job);
    return job;
}

static struct job *apply_done(struct jobs *jobs, const struct message *message)
{
    const struct wire_entry_job_done *entry = &message->as.entry_job_done;
    jobs_apply_ops(jobs, message);
    struct job *job = finish(jobs, entry->job, JOB_DONE, entry->time_ms);
    if (!job)
        return NULL;
    job->done = job->plan.total;
    job->digits = entry->digits;
    job->converter = (node_id_t)entry->converter;
    memcpy(job->sha256, entry->sha256.at, HASH_BYTES);
    text_copy(job->head, sizeof job->head, entry->head);
    text_copy(job->tail, sizeof job->tail, entry->tail);
    if (entry->text.len)
        job->text = blob_copy(entry->text.at, entry->text.len);
    return job;
}

/* What is open, or not known any more, is passed over: the coordinator has looked, but before the
 * entry was committed. */
static void apply_forgotten(struct jobs *jobs, const struct wire_entry_jobs_forgotten *entry)
{
    for (size_t i = 0; i < entry->jobs.n; i++) {
        struct job *job = jobs_find(jobs, entry->jobs.at[i].job);
        if (job && job_is_finished(job))
            jobs_leave(jobs, job);
    }
}

/* Takes the entry in; returns the job that it finished. */
static struct job *apply_end(struct jobs *jobs, const struct message *entry)
{
    struct job *job = NULL;
    switch (entry->type) {
    case MESSAGE_ENTRY_JOB_DONE:
        return apply_done(jobs, entry);
    case MESSAGE_ENTRY_JOB_FAILED:
        job = finish(jobs, entry->as.entry_job_failed.job, JOB_FAILED,
                     entry->as.entry_job_failed.time_ms);
        if (job)
            text_copy(job->reason, sizeof job->reason, entry->as.entry_job_failed.reason);
        return job;
    case MESSAGE_ENTRY_JOB_CANCELLED:
        return finish(jobs, entry->as.entry_job_cancelled.job, JOB_CANCELLED,
                      entry->as.entry_job_cancelled.time_ms);
    default:
        return NULL;
    }
}

void jobs_add_finished(struct jobs *jobs, struct job *job)
{
    finished_jobs_add(&jobs->finished, job);
    job_owners_end(job);
}

struct job *jobs_end_tasks(struct jobs *jobs, job_id_t id, enum job_state state, const char *reason,
                           uint64_t time_ms, log_index_t index)
{
    struct job *job = finish(jobs, id, state, time_ms);
    if (!job)
        return NULL;
    text_copy(job->reason, sizeof job->reason, slice_of(reason));
    jobs_add_finished(jobs, job);
    if (index)
        jobs_ended(jobs, job, index);
    return job;
}

struct job *jobs_apply(struct jobs *jobs, log_index_t index, term_t term,
                       const struct message *entry)
{
    struct job *job;
    switch (entry->type) {
    case MESSAGE_ENTRY_JOB_SUBMITTED:
        return apply_submitted(jobs, job_id_of(term, index), &entry->as.entry_job_submitted);
    case MESSAGE_ENTRY_OPS_DONE:
        jobs_apply_ops(jobs, entry);
        return NULL;
    case MESSAGE_ENTRY_JOBS_FORGOTTEN:
        apply_forgotten(jobs, &entry->as.entry_jobs_forgotten);
        return NULL;
    default:
        job = apply_end(jobs, entry);
        if (job)
            jobs_add_finished(jobs, job);
        return job;
    }
}

/* --- forgetting --- */

/* Whichever side of its place has fewer moves up: the oldest by their ids are few. */
static void take_out(struct jobs *jobs, const struct job *job)
{
    size_t at = jobs_after(jobs, job->id) - 1, after = jobs->n - at - 1;
    if (at <= after) {
        memmove(jobs->at + 1, jobs->at, at * sizeof *jobs->at);
        jobs->at++;
    } else {
        memmove(jobs->at + at, jobs->at + at + 1, after * sizeof *jobs->at);
    }
    jobs->n--;
}

struct job *jobs_forget_one(struct jobs *jobs, size_t kept_max, uint64_t bytes_max)
{
    if (!jobs->finished.leaving && !jobs_are_beyond(jobs, kept_max, bytes_max))
        return NULL;
    struct job *job = jobs->finished.at[0];
    if (job_result_bytes(job) && !job->text)
        released_add(jobs->released, (struct value_id){job->id, job_text_op(job)}, job->digits);
    row_goes(jobs->watch, TABLE_JOBS, &job->row);
    finished_jobs_remove(&jobs->finished, job);
    job_owners_forget(&jobs->owners, job);
    take_out(jobs, job);
    jobs->states[job->state]--;
    jobs->traces -= job->trace != NULL;
    map_remove(&jobs->by_id, id_key(job->id));
    map_remove(&jobs->by_key, text_key(slice_of(job->key)));
    return job;
}

void job_destroy(struct job **job)
{
    struct job *it = *job;
    *job = NULL;
    if (!it)
        return;
    blob_drop(&it->text);
    job_clear_live(it, NULL);
    free(it->trace);
    free(it->executors);
    job_losses_clear(&it->losses);
    free(it);
}

void jobs_clear(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        job_destroy(&jobs->at[i]);
    free(jobs->room);
    finished_jobs_clear(&jobs->finished);
    job_owners_clear(&jobs->owners);
    map_clear(&jobs->by_id);
    map_clear(&jobs->by_key);
    *jobs = (struct jobs){0};
}

static void check_job(const struct jobs *jobs, const struct job *job)
{
    const struct done_op *done;
    struct map_key op;
    assert(jobs_find(jobs, job->id) == job);
    assert(MUTANT(argument_is_key) || jobs_find_key(jobs, slice_of(job->key)) == job);
    assert(job->done <= job->plan.total && job->level < job->plan.levels);
    assert(!job_is_finished(job) || (!job->live.count && !job->executors));
    assert(!job->text || job->state == JOB_DONE);
    assert(!job->ended || job_is_finished(job));
    assert(!job->trace || (job->plan.total && job->plan.total <= TRACE_OPS_MAX));
    assert(!jobs->watch == !job->row.group);
    for (size_t at = 0; (done = map_next(&job->live, &at, &op));) {
        assert(done->op == op.a && done->op && done->op <= job->plan.total);
        assert(done->len && (!done->value || done->value->len == done->len));
        assert(done->value || job->keeps);
    }
}

void jobs_check_invariants(const struct jobs *jobs)
{
    size_t states[JOB_STATES] = {0}, traces = 0;
    assert(jobs->by_id.count == jobs->n);
    assert(places_forgotten(jobs) + jobs->n <= jobs->size);
    assert(MUTANT(argument_is_key) || jobs->by_key.count == jobs->n);
    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = jobs->at[i];
        assert(i == 0 || jobs->at[i - 1]->id < job->id);
        check_job(jobs, job);
        states[job->state]++;
        traces += job_is_finished(job) && job->trace;
        assert(job->id > jobs->traceless || !job_is_finished(job) || !job->trace);
    }
    for (int state = 0; state < JOB_STATES; state++)
        assert(jobs->states[state] == states[state]);
    assert(jobs->open == states[JOB_QUEUED] && jobs->traces == traces);
    finished_jobs_check_invariants(jobs);
    job_owners_check_invariants(jobs);
    const struct job *older = NULL;
    for (const struct job *job = jobs->oldest_open; job; older = job, job = job->newer_open) {
        assert(!job_is_finished(job) && job->older_open == older);
        assert(!older || older->id < job->id);
        states[JOB_QUEUED]--;
    }
    assert(!states[JOB_QUEUED] && jobs->newest_open == older);
}
