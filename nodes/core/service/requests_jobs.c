/* Requests about jobs. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/service/reports.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/requests_values.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define CANNOT_BE_USED "this key cannot be used; choose another"

_Static_assert(sizeof(struct wire_submit) == sizeof(struct wire_submit_commands),
               "the same fields");

void requests_refuse_job(struct service *service, struct caller caller, job_id_t job)
{
    struct text reason = {0};
    char id[JOB_TEXT_MAX];
    text_add(&reason, "there is no job %s", job_id_text(job, id));
    requests_refuse(service, caller, "not_found", reason.at);
}

struct job *requests_find_job(struct service *service, struct caller caller, job_id_t id)
{
    struct job *job = jobs_find(&service->state->jobs, id);
    if (job && rights_see_job(service, job))
        return job;
    requests_refuse_job(service, caller, id);
    return NULL;
}

static void reply_job(struct service *service, struct caller caller, const struct job *job,
                      bool created, bool timing)
{
    struct message *message = message_new(MESSAGE_JOB);
    message->as.job.request = caller.request;
    message->as.job.created = created;
    message->as.job.jobs.n = 1;
    message->as.job.jobs.at = message_room(message, 1, sizeof(struct wire_job_row));
    report_job(service, message, job, &message->as.job.jobs.at[0]);
    report_losses(service, message, job, &message->as.job);
    if (timing)
        report_timing(service, message, job, &message->as.job);
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_reply_job(struct service *service, struct caller caller, const struct job *job,
                        bool created)
{
    reply_job(service, caller, job, created, false);
}

static size_t count_pending_jobs(const struct service *service)
{
    const struct raft *raft = service->raft;
    size_t n = 0;
    for (log_index_t index = raft->log.applied + 1; index <= raft->log.last; index++) {
        const struct message *entry = raft_log_waiting(raft, index);
        n += entry && entry->type == MESSAGE_ENTRY_JOB_SUBMITTED;
    }
    return n;
}

/* Never: the key alone says which job is meant (R28). */
static bool is_another(const struct job *job, const struct plan *plan)
{
    return MUTANT(argument_is_key) &&
           memcmp(job->plan.numbers, plan->numbers, sizeof plan->numbers) != 0;
}

static bool is_full(const struct service *service)
{
    size_t most = service->step->config.jobs_open_max;
    size_t open = service->state->jobs.open + count_pending_jobs(service);
    return open >= (most ? most : JOBS_OPEN_MAX) && !MUTANT(open_unbounded);
}

/* --- submit --- */

/* In pieces likewise. */
static int choose_pieces(const struct service *service, struct plan *plan, uint64_t workers)
{
    uint64_t from = service->step->config.pieces_from;
    if (from && !members_know_entries(service->raft, ENTRY_LEVEL_PIECES, NULL))
        from = 0;
    return plan_set_pieces(plan, plan_choose_pieces(plan, workers, from));
}

/* By primes only when all that may take it up know what that is. */
static int choose_plan(const struct service *service, struct slice name, struct plan *plan,
                       struct text *reason)
{
    enum plan_choice choice;
    char shown[PLAN_CHOICE_MAX * 4 + 1];
    node_id_t without;
    if (plan_choice_parse(name, &choice)) {
        text_add(reason, "there is no plan '%s'; known: tree, primes",
                 text_escape(shown, sizeof shown, name));
        return ERR_MALFORMED;
    }
    bool known = members_know_entries(service->raft, ENTRY_LEVEL_RANGES, &without);
    if (!known && choice == PLAN_PRIMES && without) {
        text_add(reason, "node %u has an earlier release and knows no plan by primes", without);
        return ERR_UNSUPPORTED;
    }
    if (choice == PLAN_TREE && plan->ranges) {
        text_add(reason, "%s has one plan only, and that is not a tree over integers",
                 plan->kind->name);
        return ERR_MALFORMED;
    }
    uint64_t workers = schedule_count_workers(service->schedule);
    int error = plan_set_ranges(plan, known ? plan_choose_ranges(plan, choice, workers) : 0);
    return error ? error : choose_pieces(service, plan, workers);
}

/* A job that runs commands is asked for by a request that needs more than another job does; and
 * where nobody has a key nobody may. */
static const char *check_commands(const struct service *service, const struct job_kind *kind,
                                  bool commands, struct text *reason)
{
    if (kind->commands && service->step->config.insecure) {
        text_add(reason, "%s",
                 "this cluster has no keys (--insecure), and without keys no commands are run");
        return "forbidden";
    }
    if (commands && !kind->commands) {
        text_add(reason, "%s runs no commands: it is submitted with submit", kind->name);
        return "invalid";
    }
    if (!kind->commands || commands || MUTANT(commands_for_all))
        return NULL;
    text_add(reason,
             "%s runs commands: it is submitted with submit_commands, for which a key "
             "needs the role commands",
             kind->name);
    return "forbidden";
}

/* Says why a submit is refused, before anything is done about it; NULL: it is not. */
static const char *check_submit(const struct service *service, const struct wire_submit *submit,
                                bool commands, struct plan *plan, struct text *reason)
{
    if (!step_key_is_valid(submit->key)) {
        text_add(reason, "a key is 1 to %d printable characters without spaces", JOB_KEY_MAX);
        return "invalid";
    }
    if (plan_parse(plan, submit->kind, submit->spec, reason))
        return "invalid";
    const char *code = check_commands(service, plan->kind, commands, reason);
    if (code)
        return code;
    if (choose_plan(service, submit->plan, plan, reason))
        return "invalid";
    /* What a node does not know it would not know what to do with. */
    unsigned level = plan->kind->level;
    if (level)
        code = requests_unknown_to_some(service, level, plan->kind->name, reason);
    code = code ? code : requests_check_tasks(service, submit, plan, reason);
    if (code)
        return code;
    uint64_t bytes = plan_cost(plan);
    if (bytes > service->step->config.result_max_bytes) {
        plan_name(plan, reason);
        text_add(reason,
                 " is too costly: its result takes about %" PRIu64 " MiB, the limit is %" PRIu64
                 " MiB (--max-result)",
                 bytes / MIB_BYTES, service->step->config.result_max_bytes / MIB_BYTES);
        return "too_costly";
    }
    return NULL;
}

/* The last one, beyond those that the argument speaks of. */
static const char *check_more_input(const struct service *service, const struct wire_submit *submit,
                                    const struct plan *plan, struct text *reason)
{
    const struct stored_value *value =
        requests_see_value(service, submit->inputs.at[submit->inputs.n - 1].value);
    if (slice_equals(slice_of(value->format), plan->kind->more_input))
        return requests_unknown_to_some(service, ENTRY_LEVEL_FILES, "files of tasks", reason);
    plan_name(plan, reason);
    text_add(reason, ": its input %zu is %s, not %s", submit->inputs.n, value->format,
             plan->kind->more_input);
    return "invalid";
}

/* What a kind's argument says of its inputs is what they are: its plan is made of that alone. To a
 * kind that says nothing of inputs they may be anything. */
static const char *check_formats(const struct service *service, const struct wire_submit *submit,
                                 const struct plan *plan, struct text *reason)
{
    size_t wanted = plan_inputs(plan);
    if (!plan->kind->input)
        return NULL;
    if (submit->inputs.n == wanted + 1 && plan->kind->more_input) {
        const char *code = check_more_input(service, submit, plan, reason);
        if (code)
            return code;
    } else if (submit->inputs.n != wanted) {
        plan_name(plan, reason);
        text_add(reason, " takes %zu stored values as its inputs, not %zu", wanted,
                 submit->inputs.n);
        return "invalid";
    }
    for (size_t i = 0; i < wanted; i++) {
        const struct stored_value *value = requests_see_value(service, submit->inputs.at[i].value);
        struct plan_input input = plan_input(plan, i + 1);
        if (slice_equals(slice_of(value->format), input.format) &&
            value->n_segments == input.segments && value->items == input.items &&
            value->len == input.bytes)
            continue;
        plan_name(plan, reason);
        text_add(reason, ": its input %zu is %" PRIu64 " %s in %zu segments", i + 1, value->items,
                 value->format, value->n_segments);
        return "invalid";
    }
    return NULL;
}

/* By name, and what the asker may not see is not there. */
static const char *check_inputs(const struct service *service, const struct wire_submit *submit,
                                const struct plan *plan, struct text *reason)
{
    char id[JOB_TEXT_MAX];
    node_id_t without;
    if (submit->inputs.n && !members_know_entries(service->raft, ENTRY_LEVEL_VALUES, &without)) {
        text_add(reason, "not all nodes are known to know stored values; ask again");
        return "unavailable";
    }
    for (size_t i = 0; i < submit->inputs.n; i++) {
        job_id_t input = submit->inputs.at[i].value;
        const struct stored_value *value = requests_see_value(service, input);
        if (value && value->whole)
            continue;
        text_add(reason,
                 value ? "the stored value %s is not whole: its upload has not ended"
                       : "there is no stored value %s",
                 job_id_text(input, id));
        return value ? "unavailable" : "not_found";
    }
    return check_formats(service, submit, plan, reason);
}

static void write_inputs(struct message *entry, const struct wire_submit *submit)
{
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    submitted->inputs.n = submit->inputs.n;
    submitted->inputs.at = message_room(entry, INPUTS_MAX, sizeof *submitted->inputs.at);
    for (size_t i = 0; i < submit->inputs.n; i++)
        submitted->inputs.at[i] = submit->inputs.at[i];
}

/* Puts the job into the log. */
static log_index_t propose_job(struct service *service, const struct wire_submit *submit,
                               const struct plan *plan)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted = (struct wire_entry_job_submitted){
        .key = message_copy(entry, submit->key),
        .kind = message_copy(entry, submit->kind),
        .spec = message_copy(entry, submit->spec),
        .level = schedule_subtree_level(service->schedule, plan),
        .time_ms = service->step->wall_ms,
        .ranges = plan->ranges,
        .pieces = plan->pieces,
        .owner = message_text(entry, rights_owner(service)),
        .parent = submit->parent,
    };
    write_inputs(entry, submit);
    requests_add_options(entry, submit);
    return raft_log_propose(service->raft, entry);
}

/* A key that is new: false, and the caller is told, when something else stands in the way. */
static bool may_begin(struct service *service, struct caller caller,
                      const struct wire_submit *submit, const struct plan *plan)
{
    struct text reason = {0};
    const char *code = check_inputs(service, submit, plan, &reason);
    if (code) {
        requests_refuse(service, caller, code, reason.at);
        return false;
    }
    if (!requests_within_quota(service, caller))
        return false;
    if (!is_full(service))
        return true;
    requests_refuse(service, caller, "busy", "too many jobs are waiting; try again later");
    return false;
}

/* Both requests, which have the same fields. */
static void take_submit(struct service *service, uint64_t client, const struct message *request,
                        bool commands)
{
    const struct wire_submit *submit = &request->as.submit;
    struct caller caller = caller_of(client, request);
    struct text reason = {0};
    struct plan plan;
    const char *code = check_submit(service, submit, commands, &plan, &reason);
    if (code) {
        requests_refuse(service, caller, code, reason.at);
        return;
    }
    struct job *job = jobs_find_key(&service->state->jobs, submit->key);
    if (job && !rights_see_job(service, job)) {
        requests_refuse(service, caller, "invalid", CANNOT_BE_USED);
        return;
    }
    if (job && !is_another(job, &plan)) {
        requests_reply_job(service, caller, job, false);
        return;
    }
    if (jobs_key_collides(&service->state->jobs, submit->key)) {
        requests_refuse(service, caller, "invalid", CANNOT_BE_USED);
        return;
    }
    if (service->step->config.n_nodes == 1) {
        requests_refuse(
            service, caller, "invalid",
            "this cluster has one node: a coordinator computes nothing, and there is no worker");
        return;
    }
    if (requests_are_forgotten(service, caller, KEY_OF_JOB, submit->key))
        return;
    log_index_t index = requests_pending_key(service, MESSAGE_ENTRY_JOB_SUBMITTED, submit->key);
    if ((!index && !may_begin(service, caller, submit, &plan)) ||
        !requests_may_propose(service, caller))
        return;
    if (!index)
        index = propose_job(service, submit, &plan);
    requests_wait(service, (struct waiter){.client = caller.client,
                                           .request = caller.request,
                                           .index = index});
}

void requests_submit(struct service *service, uint64_t client, struct message *request)
{
    take_submit(service, client, request, false);
}

void requests_submit_commands(struct service *service, uint64_t client, struct message *request)
{
    take_submit(service, client, request, true);
}

/* --- the other requests --- */

void requests_job_get(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_get *get = &request->as.job_get;
    struct caller caller = caller_of(client, request);
    struct job *job = requests_find_job(service, caller, get->job);
    if (!job)
        return;
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = service->step->now_us + get->wait_ms * MS_US};
    if (!get->wait_ms || job_is_finished(job) || !requests_wait(service, waiter))
        reply_job(service, caller, job, false, get->timing);
}

void requests_job_list(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_list *list = &request->as.job_list;
    struct caller caller = caller_of(client, request);
    struct message *message = message_new(MESSAGE_JOB_PAGE);
    report_jobs(service, message, list->after, &message->as.job_page);
    message->as.job_page.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_job_cancel(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_cancel *cancel = &request->as.job_cancel;
    struct caller caller = caller_of(client, request);
    struct job *job = requests_find_job(service, caller, cancel->job);
    if (!job)
        return;
    struct waiter waiter = {.client = caller.client,
                            .request = caller.request,
                            .job = job->id,
                            .deadline_us = service->step->now_us + WAIT_MAX_MS * MS_US};
    if (job_is_finished(job) || !requests_wait(service, waiter)) {
        requests_reply_job(service, caller, job, false);
        return;
    }
    if (schedule_end_is_pending(service->schedule, job->id))
        return;
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled =
        (struct wire_entry_job_cancelled){.job = job->id, .time_ms = service->step->wall_ms};
    raft_log_propose(service->raft, entry);
}

void requests_job_trace(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_trace *trace = &request->as.job_trace;
    struct caller caller = caller_of(client, request);
    struct job *job = requests_find_job(service, caller, trace->job);
    if (!job)
        return;
    struct message *message = message_new(MESSAGE_TRACE_PAGE);
    if (!report_trace(service, message, job, trace->after, &message->as.trace_page)) {
        message_drop(&message);
        requests_refuse(
            service, caller, "not_kept",
            "the trace of this job is not kept: it has more than 4096 operations, or none was "
            "executed, or many jobs came after it");
        return;
    }
    message->as.trace_page.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_job_explain(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_explain *explain = &request->as.job_explain;
    struct caller caller = caller_of(client, request);
    struct job *job = requests_find_job(service, caller, explain->job);
    if (!job)
        return;
    struct text text = {0};
    report_explanation(service, job, &text);
    struct message *message = message_new(MESSAGE_EXPLANATION);
    message->as.explanation.request = caller.request;
    message->as.explanation.text = message_text(message, text.at);
    outbox_reply(&service->step->out, caller.client, message);
}

void requests_result_get(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_result_get *get = &request->as.result_get;
    struct caller caller = caller_of(client, request);
    struct job *job = requests_find_job(service, caller, get->job);
    if (!job)
        return;
    if (job->state != JOB_DONE) {
        struct text reason = {0};
        text_add(&reason, "the job has no result: it is %s",
                 schedule_status(service->schedule, job).state);
        requests_refuse(service, caller, job_is_finished(job) ? "finished" : "unavailable",
                        reason.at);
        return;
    }
    if (plan_tasks(&job->plan)) {
        requests_refuse(service, caller, "invalid",
                        "a job of tasks has no result of its own, but outputs of its tasks");
        return;
    }
    if (get->offset > job->digits) {
        requests_refuse(service, caller, "invalid", "the offset is after the last digit");
        return;
    }
    struct message *message = message_new(MESSAGE_RESULT_CHUNK);
    message->as.result_chunk = (struct wire_result_chunk){.request = caller.request,
                                                          .offset = get->offset,
                                                          .total = job->digits};
    if (job->text) {
        struct blob *rest = blob_copy(job->text->at + get->offset, job->text->len - get->offset);
        message_add_frame(message, rest);
        blob_drop(&rest);
        outbox_reply(&service->step->out, caller.client, message);
        return;
    }
    requests_reply_chunk(service, caller.client, message,
                         (struct value_id){job->id, job_text_op(job)}, get->offset, job->digits);
}

void requests_status_get(struct service *service, uint64_t client, struct message *request)
{
    struct caller caller = caller_of(client, request);
    struct message *message = message_new(MESSAGE_STATUS);
    report_status(service, message, &message->as.status);
    message->as.status.request = caller.request;
    outbox_reply(&service->step->out, caller.client, message);
}
