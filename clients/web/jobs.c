/* jobs.c - jobs over HTTP: what `job list`, `job show`, `job explain` and `job cancel` print with
 * --json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_row.h"
#include "clients/show/losses.h"
#include "clients/show/render.h"
#include "clients/show/timing.h"
#include "clients/web/jobs.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

void job_ask(struct request *request, struct message *message,
             void (*take)(struct waiter *waiter, struct client_call *call))
{
    request->waiter.take = take;
    web_ask(request->web, message, &request->waiter);
}

const struct wire_job_row *job_of_answer(struct request *request, const struct client_call *call)
{
    if (request_failed(request, call, MESSAGE_JOB))
        return NULL;
    if (call->reply->as.job.jobs.n == 1)
        return &call->reply->as.job.jobs.at[0];
    request_error(request, MHD_HTTP_BAD_GATEWAY, "malformed", EXIT_FAILED,
                  "the answer is not about one job");
    return NULL;
}

static struct message *about_job(enum message_type type, job_id_t job)
{
    struct message *message = message_new(type);
    if (type == MESSAGE_JOB_CANCEL)
        message->as.job_cancel.job = job;
    else if (type == MESSAGE_JOB_EXPLAIN)
        message->as.job_explain.job = job;
    else
        message->as.job_get.job = job;
    return message;
}

/* --- GET /api/jobs?state=&after=&limit= --- */

struct list {
    struct web *web;
    json_t *rows;
    const char *state; /* of the request; NULL: all */
    uint64_t after, limit, omitted;
};

static void list_free(void *own)
{
    struct list *list = own;
    list->web->lists--;
    json_decref(list->rows);
    free(list);
}

static void take_page(struct waiter *waiter, struct client_call *call);

static void list_on(struct request *request)
{
    struct list *list = request->own;
    struct message *message = message_new(MESSAGE_JOB_LIST);
    message->as.job_list.after = list->after;
    job_ask(request, message, take_page);
}

static void list_end(struct request *request)
{
    struct list *list = request->own;
    char omitted[24];
    request_json(request, MHD_HTTP_OK, json_incref(list->rows));
    text_format(omitted, sizeof omitted, "%llu", (unsigned long long)list->omitted);
    MHD_add_response_header(request->response, "Conclave-Omitted", omitted);
}

static void take_page(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    struct list *list = request->own;
    if (request_failed(request, call, MESSAGE_JOB_PAGE)) {
        client_call_drop(&call);
        return;
    }
    const struct wire_job_page *page = &call->reply->as.job_page;
    uint64_t before = list->after;
    for (size_t i = 0; i < page->jobs.n; i++) {
        const struct wire_job_row *row = &page->jobs.at[i];
        list->after = row->job > list->after ? row->job : list->after;
        if (!list->state || slice_equals(row->state, list->state))
            json_array_append_new(list->rows, render_job(row));
    }
    while (json_array_size(list->rows) > list->limit) {
        json_array_remove(list->rows, 0);
        list->omitted++;
    }
    list->after = page->after > list->after ? page->after : list->after;
    bool more = page->more && list->after > before;
    client_call_drop(&call);
    if (more)
        list_on(request);
    else
        list_end(request);
}

void jobs_list(struct request *request)
{
    const char *after = request_parameter(request, "after"),
               *limit = request_parameter(request, "limit"),
               *state = request_parameter(request, "state");
    uint64_t after_id = 0, most = WEB_JOBS_MAX;
    if ((after && parse_job_id(slice_of(after), &after_id)) ||
        (limit && (parse_u64(slice_of(limit), WEB_JOBS_MAX, &most) || !most)) ||
        (state && !job_state_is_known(state))) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "after takes a job's id, state that of a job, limit 1 to %d", WEB_JOBS_MAX);
        return;
    }
    if (request->web->lists == WEB_LISTS_MAX) {
        request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", EXIT_UNREACHABLE,
                      "%d lists of jobs are being made already", WEB_LISTS_MAX);
        return;
    }
    struct list *list = mem_new(1, sizeof *list);
    *list = (struct list){request->web, json_array(), state, after_id, most, 0};
    request->web->lists++;
    request->own = list;
    request->own_free = list_free;
    list_on(request);
}

/* --- GET /api/jobs/ID?ops=1&timing=1 --- */

struct shown {
    json_t *job, *trace;
    uint64_t after;
};

static void shown_free(void *own)
{
    struct shown *shown = own;
    json_decref(shown->job);
    json_decref(shown->trace);
    free(shown);
}

static bool is_set(const struct request *request, const char *name)
{
    const char *value = request_parameter(request, name);
    return value && !strcmp(value, "1");
}

static void show_end(struct request *request)
{
    struct shown *shown = request->own;
    if (shown->trace)
        json_object_set(shown->job, "trace", shown->trace);
    request_json(request, MHD_HTTP_OK, json_incref(shown->job));
}

static void take_trace(struct waiter *waiter, struct client_call *call);

static void trace_on(struct request *request)
{
    const struct shown *shown = request->own;
    struct message *message = message_new(MESSAGE_JOB_TRACE);
    message->as.job_trace.job = request->job;
    message->as.job_trace.after = shown->after;
    job_ask(request, message, take_trace);
}

static void take_trace(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    struct shown *shown = request->own;
    bool failed = request_failed(request, call, MESSAGE_TRACE_PAGE), more = false;
    uint64_t before = shown->after;
    for (size_t i = 0; !failed && i < call->reply->as.trace_page.ops.n; i++) {
        const struct wire_trace_row *row = &call->reply->as.trace_page.ops.at[i];
        shown->after = row->op > shown->after ? row->op : shown->after;
        json_array_append_new(shown->trace, render_operation(row));
    }
    more = !failed && call->reply->as.trace_page.more && shown->after > before;
    client_call_drop(&call);
    if (more)
        trace_on(request);
    else if (!failed)
        show_end(request);
}

static void take_shown(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = job_of_answer(request, call);
    if (!row) {
        client_call_drop(&call);
        return;
    }
    struct shown *shown = mem_new(1, sizeof *shown);
    request->own = shown;
    request->own_free = shown_free;
    shown->job = render_job(row);
    if (call->reply->as.job.losses.n)
        json_object_set_new(shown->job, "losses", losses_json(&call->reply->as.job));
    if (is_set(request, "timing"))
        json_object_set_new(shown->job, "timing", timing_json(&call->reply->as.job));
    bool ops = is_set(request, "ops"), kept = row->total <= TRACE_OPS_MAX;
    if (ops)
        shown->trace = kept ? json_array() : json_null();
    client_call_drop(&call);
    if (ops && kept)
        trace_on(request);
    else
        show_end(request);
}

void job_show(struct request *request)
{
    struct message *message = about_job(MESSAGE_JOB_GET, request->job);
    message->as.job_get.timing = is_set(request, "timing");
    job_ask(request, message, take_shown);
}

/* --- explain, cancel --- */

static void lines_free(void *own)
{
    json_decref(own);
}

/* The job itself goes with the lines, as on the command line. */
static void take_explained_job(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = job_of_answer(request, call);
    if (row) {
        json_t *job = render_job(row),
               *told = render_explanation(request->job, json_incref(request->own));
        json_object_update(job, told);
        json_decref(told);
        request_json(request, MHD_HTTP_OK, job);
    }
    client_call_drop(&call);
}

static void take_explained(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    bool told = !request_failed(request, call, MESSAGE_EXPLANATION);
    if (told) {
        request->own = render_lines(call->reply->as.explanation.text);
        request->own_free = lines_free;
    }
    client_call_drop(&call);
    if (told)
        job_ask(request, about_job(MESSAGE_JOB_GET, request->job), take_explained_job);
}

void job_explain(struct request *request)
{
    job_ask(request, about_job(MESSAGE_JOB_EXPLAIN, request->job), take_explained);
}

static void take_cancelled(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = job_of_answer(request, call);
    char id[JOB_TEXT_MAX];
    if (row && slice_equals(row->state, "cancelled"))
        request_json(request, MHD_HTTP_OK, render_job(row));
    else if (row)
        request_error(request, MHD_HTTP_CONFLICT, "finished", EXIT_FAILED,
                      "job %s is finished already; it cannot be cancelled",
                      job_id_text(request->job, id));
    client_call_drop(&call);
}

void job_cancel(struct request *request)
{
    job_ask(request, about_job(MESSAGE_JOB_CANCEL, request->job), take_cancelled);
}
