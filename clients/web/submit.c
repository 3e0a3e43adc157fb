/* submit.c - POST /api/jobs: `submit --no-wait`. */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/jobspec.h"
#include "clients/show/render.h"
#include "clients/web/jobs.h"
#include "clients/web/routes.h"
#include "clients/web/submit_inputs.h"
#include "clients/web/web.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

struct order {
    char *kind, *spec, *key, *plan; /* NULL: not given */
    struct submit_inputs more;
};

static void order_free(void *own)
{
    struct order *order = own;
    free(order->kind);
    free(order->spec);
    free(order->key);
    free(order->plan);
    submit_inputs_clear(&order->more);
    free(order);
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
        if (submit_inputs_has(name))
            continue;
        if (i == sizeof members / sizeof *members)
            text_add(why, "only kind, spec, key, plan, inputs, against, base and operator may be "
                          "given; ");
        else if (!json_is_string(value))
            text_add(why, "%s must be a string; ", name);
        else
            *members[i].at = mem_string(json_string_value(value));
    }
    submit_inputs_read(body, &order->more, why);
    json_decref(body);
    if (!why->len && (!order->kind || !order->spec == !order->more.inputs.lines))
        text_add(why, "kind is needed, and either spec or inputs");
    else if (!why->len && order->spec && submit_inputs_are_given(&order->more))
        text_add(why, "against, base and operator go with inputs");
    bool good = !why->len;
    while (why->len && strchr("; ", why->at[why->len - 1]))
        why->at[--why->len] = '\0';
    return good;
}

static void take_submitted(struct waiter *waiter, struct client_call *call)
{
    struct request *request = (struct request *)waiter;
    const struct wire_job_row *row = job_of_answer(request, call);
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

void jobs_submit(struct request *request)
{
    struct order *order = mem_new(1, sizeof *order);
    struct text why = {0};
    char key[JOB_KEY_TEXT_MAX];
    request->own = order;
    request->own_free = order_free;
    bool good = read_order(request, order, &why);
    if (good && order->more.inputs.lines) {
        request->own = NULL; /* it becomes a delegate */
        request->own_free = NULL;
        submit_inputs_start(request, order->kind, order->key, order->plan, &order->more);
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
    job_ask(request, message, take_submitted);
}
