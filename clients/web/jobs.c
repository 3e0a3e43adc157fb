/* jobs.c - jobs over HTTP: what `job list`, `submit --no-wait`, `job show`, `job explain` and
 * `job cancel` print with --json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/losses.h"
#include "clients/show/render.h"
#include "clients/show/timing.h"
#include "clients/web/delegate.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

/* A request for what one call brings: the next step of whoever asked. */
static void ask(struct request *request, struct message *message,
                void (*take)(struct waiter *waiter, struct client_call *call))
{
    request->waiter.take = take;
    web_ask(request->web, message, &request->waiter);
}

/* The row of an answer about one job; NULL after an answer to the request. */
static const struct wire_job_row *one_job(struct request *request, const struct client_call *call)
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
    ask(request, message, take_page);
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
               *limit = request_parameter(request, "limit");
    uint64_t after_id = 0, most = WEB_JOBS_MAX;
    if ((after && parse_job_id(slice_of(after), &after_id)) ||
        (limit && (parse_u64(slice_of(limit), WEB_JOBS_MAX, &most) || !most))) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "after takes a job's id, limit 1 to %d", WEB_JOBS_MAX);
        return;
    }
    if (request->web->lists == WEB_LISTS_MAX) {
        request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", EXIT_UNREACHABLE,
                      "%d lists of jobs are being made already", WEB_LISTS_MAX);
        return;
    }
    struct list *list = mem_new(1, sizeof *list);
    *list = (struct list){request->web, json_array(), request_parameter(request, "state"),
                          after_id,     most,         0};
    request->web->lists++;
    request->own = list;
    request->own_free = list_free;
    list_on(request);
}

/* --- POST /api/jobs --- */

struct order {
    char *kind, *spec, *key, *plan; /* NULL: not given */
    char *inputs;                   /* a line each; NULL: the job takes none */
    size_t inputs_len;
};

static void order_free(void *own)
{
    struct order *order = own;
    free(order->kind);
    free(order->spec);
    free(order->key);
    free(order->plan);
    free(order->inputs);
    free(order);
}

static bool is_integer(const char *text)
{
    text += *text == '-';
    return *text && !text[strspn(text, "0123456789")];
}

/* The integers that a product or a batch GCD is over, as lines. */
static void read_inputs(const json_t *list, struct order *order, struct text *why)
{
    FILE *out = open_memstream(&order->inputs, &order->inputs_len);
    size_t i;
    const json_t *value;
    if (!out)
        panic("no memory for inputs");
    bool good = json_is_array(list);
    json_array_foreach(list, i, value)
    {
        good = good && json_is_string(value) && is_integer(json_string_value(value));
        if (good)
            fprintf(out, "%s\n", json_string_value(value));
    }
    fclose(out);
    if (!good)
        text_add(why, "inputs must be a list of integers, each a string of decimal digits; ");
}

/* Reads the body. False after one line in `why`. */
static bool read_order(const struct request *request, struct order *order, struct text *why)
{
    const struct {
        const char *name;
        char **at;
    } members[] = {{"kind", &order->kind},
                   {"spec", &order->spec},
                   {"key", &order->key},
                   {"plan", &order->plan}};
    const char *name;
    json_t *value;
    json_error_t fault;
    json_t *body = json_loadb(request->body ? request->body : "", request->body_len,
                              JSON_REJECT_DUPLICATES, &fault);
    if (!json_is_object(body))
        text_add(why, "the body is not a JSON object: {\"kind\": \"factorial\", \"spec\": \"10\"}");
    json_object_foreach(body, name, value)
    {
        size_t i = 0;
        while (i < sizeof members / sizeof *members && strcmp(members[i].name, name))
            i++;
        if (!strcmp(name, "inputs"))
            read_inputs(value, order, why);
        else if (i == sizeof members / sizeof *members)
            text_add(why, "only kind, spec, inputs, key and plan may be given; ");
        else if (!json_is_string(value))
            text_add(why, "%s must be a string; ", name);
        else
            *members[i].at = mem_string(json_string_value(value));
    }
    json_decref(body);
    if (!why->len && (!order->kind || !order->spec == !order->inputs))
        text_add(why, "kind is needed, and either spec or inputs");
    return !why->len;
}

static void take_submitted(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = one_job(request, call);
    const struct order *order = request->own;
    if (row && (!slice_equals(row->kind, order->kind) || !slice_equals(row->spec, order->spec)))
        request_error(request, MHD_HTTP_CONFLICT, "invalid", EXIT_USAGE,
                      "the key belongs to another job");
    else if (row)
        request_json(request, MHD_HTTP_ACCEPTED, render_job(row));
    client_call_drop(&call);
}

static void replace(char **at, const char *text)
{
    free(*at);
    *at = mem_string(text);
}

/* Not jobspec_parse(): in the words of a command line, @FILE may name a file of this machine. */
static bool read_plan(struct order *order, struct text *why)
{
    struct plan plan;
    struct text spec = {0};
    enum plan_choice choice;
    if (plan_parse(&plan, slice_of(order->kind), slice_of(order->spec), why))
        return false;
    if (order->key && !jobspec_key_is_valid(order->key))
        text_add(why, "key takes 1 to %d printable characters without spaces", JOB_KEY_MAX);
    else if (plan_choice_parse(slice_of(order->plan ? order->plan : ""), &choice))
        text_add(why, "plan takes tree or primes");
    plan_spec(&plan, &spec);
    replace(&order->kind, plan.kind->name); /* as the cluster writes them */
    replace(&order->spec, spec.at);
    return !why->len;
}

/* Inputs are uploaded as `conclave submit KIND @-` does it: by that. */
static void submit_inputs(struct request *request, const struct order *order)
{
    bool takes = !strcmp(order->kind, "product") || !strcmp(order->kind, "batch-gcd");
    if (!takes || order->plan || (order->key && !jobspec_key_is_valid(order->key))) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "invalid", EXIT_USAGE,
                      "inputs are for product and batch-gcd, with a key of 1 to %d printable "
                      "characters without spaces, or none",
                      JOB_KEY_MAX);
        return;
    }
    struct child *child = delegate_begin(request);
    if (!child)
        return;
    child_add(child, "submit");
    child_add(child, "--no-wait");
    if (order->key)
        child_add(child, "--key=%s", order->key);
    child_add(child, "%s", order->kind);
    child_add(child, "@-");
    delegate_feed(request, order->inputs, order->inputs_len);
    delegate_start(request, MHD_HTTP_ACCEPTED, "application/json");
}

void jobs_submit(struct request *request)
{
    struct order *order = mem_new(1, sizeof *order);
    struct text why = {0};
    char key[JOB_KEY_TEXT_MAX];
    request->own = order;
    request->own_free = order_free;
    bool good = read_order(request, order, &why);
    if (good && order->inputs) {
        request->own = NULL; /* it becomes a delegate */
        request->own_free = NULL;
        submit_inputs(request, order);
        order_free(order);
        return;
    }
    if (!good || !read_plan(order, &why)) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "invalid", EXIT_USAGE, "%s", why.at);
        return;
    }
    jobspec_new_key(key);
    struct message *message = message_new(MESSAGE_SUBMIT);
    struct wire_submit *submit = &message->as.submit;
    submit->key = message_text(message, order->key ? order->key : key);
    submit->kind = message_text(message, order->kind);
    submit->spec = message_text(message, order->spec);
    if (order->plan)
        submit->plan = message_text(message, order->plan);
    ask(request, message, take_submitted);
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
    ask(request, message, take_trace);
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
    const struct wire_job_row *row = one_job(request, call);
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
    ask(request, message, take_shown);
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
    const struct wire_job_row *row = one_job(request, call);
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
        ask(request, about_job(MESSAGE_JOB_GET, request->job), take_explained_job);
}

void job_explain(struct request *request)
{
    ask(request, about_job(MESSAGE_JOB_EXPLAIN, request->job), take_explained);
}

static void take_cancelled(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = one_job(request, call);
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
    ask(request, about_job(MESSAGE_JOB_CANCEL, request->job), take_cancelled);
}
