/* Requests about jobs of tasks. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/service/requests_internal.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"

/* --- submit --- */

static bool has_same_inputs(const struct job *job, const struct wire_submit *submit)
{
    bool same = job->n_inputs == submit->inputs.n;
    for (size_t i = 0; same && i < job->n_inputs; i++)
        same = job->inputs[i] == submit->inputs.at[i].value;
    return same;
}

static const char *check_parent(const struct service *service, const struct wire_submit *submit,
                                const struct plan *plan, struct text *reason)
{
    job_id_t id = submit->parent;
    char text[JOB_TEXT_MAX];
    const struct job *parent = jobs_find(&service->state->jobs, id);
    if (!parent || !rights_see_job(service, parent)) {
        text_add(reason, "there is no job %s", job_id_text(id, text));
        return "not_found";
    }
    job_id_text(id, text);
    if (parent->plan.kind != plan->kind || plan_tasks(&parent->plan) != plan_tasks(plan) ||
        !has_same_inputs(parent, submit))
        text_add(reason, "job %s has other tasks", text);
    else if (!job_is_finished(parent))
        text_add(reason, "job %s is not finished: what of it is to be repeated is not known yet",
                 text);
    return reason->len ? "invalid" : NULL;
}

static const char *check_chosen(const struct service *service, const struct wire_submit *submit,
                                const struct plan *plan, struct text *reason)
{
    uint64_t total = plan_tasks(plan);
    for (size_t i = 0; i < submit->chosen.n; i++) {
        const struct wire_task_range *range = &submit->chosen.at[i];
        if (!range->first || !range->count || range->first > total ||
            range->count > total - range->first + 1) {
            text_add(reason, "its tasks are 1 to %" PRIu64, total);
            return "invalid";
        }
    }
    return requests_unknown_to_some(service, ENTRY_LEVEL_CHOSEN, "retries of some tasks", reason);
}

const char *requests_check_tasks(const struct service *service, const struct wire_submit *submit,
                                 const struct plan *plan, struct text *reason)
{
    const struct wire_task_options *options = submit->tasks.n ? &submit->tasks.at[0] : NULL;
    if (!plan_tasks(plan)) {
        if (options || submit->parent || submit->chosen.n)
            text_add(reason, "%s has no tasks: it takes no options for tasks", plan->kind->name);
        return reason->len ? "invalid" : NULL;
    }
    if (options && options->at_most_once && options->retries) {
        text_add(reason, "a task is executed at most once, or with retries, not both");
        return "invalid";
    }
    if (options && options->at_most_once && options->speculate) {
        text_add(reason, "a task is executed at most once, or with second copies, not both");
        return "invalid";
    }
    if (options && options->speculate) {
        const char *code = requests_unknown_to_some(service, ENTRY_LEVEL_SPECULATE,
                                                    "second copies of slow tasks", reason);
        if (code)
            return code;
    }
    if (options && options->bundles) {
        const char *code =
            requests_unknown_to_some(service, ENTRY_LEVEL_BUNDLES,
                                     "files and outputs of more than 64 KiB of tasks", reason);
        if (code)
            return code;
    }
    if (submit->chosen.n && !submit->parent) {
        text_add(reason, "tasks can be chosen only when a job is repeated");
        return "invalid";
    }
    const char *code = submit->parent ? check_parent(service, submit, plan, reason) : NULL;
    return code || !submit->chosen.n ? code : check_chosen(service, submit, plan, reason);
}

void requests_add_options(struct message *entry, const struct wire_submit *submit)
{
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    submitted->chosen.n = submit->chosen.n;
    submitted->chosen.at = message_room(entry, submit->chosen.n, sizeof *submitted->chosen.at);
    for (size_t i = 0; i < submit->chosen.n; i++)
        submitted->chosen.at[i] = submit->chosen.at[i];
    if (!submit->tasks.n)
        return;
    submitted->tasks.n = 1;
    submitted->tasks.at = message_room(entry, 1, sizeof *submitted->tasks.at);
    submitted->tasks.at[0] = submit->tasks.at[0];
}

/* --- looking at them --- */

/* The job, if it is one of tasks and the asker may see it; NULL, and the caller is told. */
static const struct task_job *find_tasks(struct service *service, struct caller caller, job_id_t id)
{
    const struct job *job = requests_find_job(service, caller, id);
    const struct task_job *row = job ? task_jobs_find(&service->state->task_jobs, id) : NULL;
    if (job && !row)
        requests_refuse(service, caller, "invalid", "the job has operations, not tasks");
    return row;
}

/* From the task on, those that are alike, as one row. */
static struct range alike(const struct service *service, const struct task_job *job, uint64_t first,
                          const char **state, const struct task_exception **exception,
                          struct task_place *place)
{
    struct range rest = {first, job->total + 1 - first}, found;
    *exception = NULL;
    *place = (struct task_place){0};
    if (ranges_gap(&job->decided, rest, &found) && found.first == first) {
        found = tasks_alike(service->tasks, job, found, state, place);
        return found;
    }
    ranges_next(&job->decided, rest, &found);
    *state = task_state_name(task_job_state(job, first, exception));
    if (*exception)
        return (struct range){first, range_end((*exception)->tasks) - first};
    found.count = task_job_done_until(job, found) - first;
    return found;
}

void requests_job_tasks(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_tasks *ask = &request->as.job_tasks;
    struct caller caller = caller_of(client, request);
    const struct task_job *job = find_tasks(service, caller, ask->job);
    if (!job)
        return;
    struct message *message = message_new(MESSAGE_TASK_PAGE);
    struct wire_task_page *page = &message->as.task_page;
    size_t most = ask->limit ? (size_t)ask->limit : TASK_EXCEPTIONS_MAX;
    page->request = caller.request;
    page->counts.n = 1;
    page->counts.at = message_room(message, 1, sizeof *page->counts.at);
    tasks_count(service->tasks, job, &page->counts.at[0]);
    page->rows.at = message_room(message, most, sizeof *page->rows.at);
    uint64_t first = ask->after + 1;
    /* Looking costs a row; those that are passed over count, too, but much less. */
    for (size_t looked = 0; first <= job->total && page->rows.n < most; looked++) {
        const struct task_exception *exception;
        const char *state;
        struct task_place place;
        struct range range = alike(service, job, first, &state, &exception, &place);
        first = range_end(range);
        if (ask->state.len && !slice_equals(ask->state, state) && looked < JOB_PAGE_LOOK_MAX)
            continue;
        struct wire_task_exception *row = &page->rows.at[page->rows.n++];
        if (exception)
            task_exception_write(message, exception, row);
        row->first = range.first;
        row->count = range.count;
        row->state = slice_of(state);
        if (place.copy) {
            row->node = place.node;
            row->copy = place.copy;
        }
    }
    page->more = first <= job->total;
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_job_segments(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_segments *ask = &request->as.job_segments;
    struct caller caller = caller_of(client, request);
    const struct task_job *job = find_tasks(service, caller, ask->job);
    if (!job)
        return;
    struct message *message = message_new(MESSAGE_SEGMENT_PAGE);
    struct wire_segment_page *page = &message->as.segment_page;
    page->request = caller.request;
    page->total = job->n_segments;
    page->segments.at = message_room(message, TASK_SEGMENTS_MAX, sizeof *page->segments.at);
    for (uint64_t i = ask->from; i < job->n_segments && page->segments.n < TASK_SEGMENTS_MAX; i++) {
        const struct task_segment *it = &job->segments[i];
        page->segments.at[page->segments.n++] =
            (struct wire_task_segment){it->op, it->len,
                                       message_copy(message, (struct slice){it->hash, HASH_BYTES}),
                                       it->first, it->last};
    }
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_segment_get(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_segment_get *ask = &request->as.segment_get;
    struct caller caller = caller_of(client, request);
    const struct task_job *job = find_tasks(service, caller, ask->job);
    uint8_t hash[HASH_BYTES];
    uint64_t len = 0;
    if (!job)
        return;
    bool named = task_jobs_describe(&service->state->task_jobs, (struct value_id){job->id, ask->op},
                                    &len, hash);
    if (!named || ask->offset > len) {
        requests_refuse(service, caller, named ? "invalid" : "not_found",
                        named ? "the offset is after the last byte"
                              : "the job has no such segment");
        return;
    }
    struct message *message = message_new(MESSAGE_SEGMENT_CHUNK);
    message->as.segment_chunk = (struct wire_segment_chunk){caller.request, ask->offset, len};
    requests_reply_chunk(service, caller.client, message, (struct value_id){job->id, ask->op},
                         ask->offset, len);
}
