#include "clients/web/submit_inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/jobspec.h"
#include "clients/ask/stored.h"
#include "clients/web/delegate.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"
#include "shared/tasks/operator.h"

#define JOB_PREFIX "job:"

static void list_clear(struct input_list *list)
{
    free(list->lines);
    for (size_t i = 0; i < list->n_references; i++)
        free(list->references[i]);
    *list = (struct input_list){0};
}

void submit_inputs_clear(struct submit_inputs *inputs)
{
    list_clear(&inputs->inputs);
    list_clear(&inputs->against);
    free(inputs->operator_name);
    inputs->operator_name = NULL;
}

/* --- reading --- */

static bool is_integer(const char *text, unsigned base)
{
    text += *text == '-';
    return *text && !text[strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789")];
}

static bool is_job(const char *text)
{
    job_id_t job;
    return !strncmp(text, JOB_PREFIX, strlen(JOB_PREFIX)) &&
           !parse_job_id(slice_of(text + strlen(JOB_PREFIX)), &job) && job;
}

/* They become words of a command. */
static bool is_reference(const char *text)
{
    size_t prefix = strlen(STORED_PREFIX);
    bool value = !strncmp(text, STORED_PREFIX, prefix) && text[prefix] &&
                 !text[prefix + strspn(text + prefix, "0123456789abcdef")];
    return is_job(text) || value;
}

static void read_list(const json_t *given, const char *name, unsigned base, struct input_list *list,
                      struct text *why)
{
    FILE *out = open_memstream(&list->lines, &list->len);
    size_t i, n = 0;
    const json_t *value;
    if (!out)
        panic("no memory for inputs");
    bool good = json_array_size(given) > 0;
    json_array_foreach(given, i, value)
    {
        const char *text = json_string_value(value);
        if (text && is_integer(text, base)) {
            fprintf(out, "%s\n", text);
            n++;
        } else if (text && is_reference(text) && list->n_references < WEB_REFERENCES_MAX) {
            list->references[list->n_references++] = mem_string(text);
        } else {
            good = false;
        }
    }
    fclose(out);
    if (!good || (n && list->n_references))
        text_add(why,
                 "%s must be a list of integers, each a string of %s digits, or of results, "
                 "job:ID or value:HASH, %d at most; ",
                 name, base == 16 ? "hexadecimal" : "decimal", WEB_REFERENCES_MAX);
}

bool submit_inputs_has(const char *member)
{
    return !strcmp(member, "inputs") || !strcmp(member, "against") || !strcmp(member, "base") ||
           !strcmp(member, "operator");
}

void submit_inputs_read(const json_t *body, struct submit_inputs *inputs, struct text *why)
{
    const json_t *list = json_object_get(body, "inputs"), *base = json_object_get(body, "base"),
                 *against = json_object_get(body, "against"),
                 *name = json_object_get(body, "operator");
    json_int_t number = json_integer_value(base);
    if (base && number != 10 && number != 16)
        text_add(why, "base must be 10 or 16; ");
    inputs->base = base ? (unsigned)number : 0;
    if (list)
        read_list(list, "inputs", inputs->base, &inputs->inputs, why);
    if (against)
        read_list(against, "against", inputs->base, &inputs->against, why);
    if (name && json_is_string(name))
        inputs->operator_name = mem_string(json_string_value(name));
    else if (name)
        text_add(why, "operator must be a string; ");
}

bool submit_inputs_are_given(const struct submit_inputs *inputs)
{
    return inputs->against.lines || inputs->base || inputs->operator_name;
}

/* --- submitting --- */

static bool are_jobs(const struct input_list *list)
{
    for (size_t i = 0; i < list->n_references; i++)
        if (!is_job(list->references[i]))
            return false;
    return list->n_references > 0;
}

/* What `submit` would not take, or would take for something else. NULL: nothing. */
static const char *find_fault(const char *kind, const char *key, const char *plan,
                              const struct submit_inputs *inputs)
{
    bool folds = !strcmp(kind, "reduce"), gcd = !strcmp(kind, "batch-gcd");
    if (!folds && !gcd && strcmp(kind, "product") != 0)
        return "inputs are for product, batch-gcd and reduce";
    if (key && !jobspec_key_is_valid(key))
        return "key takes 1 to 64 printable characters without spaces";
    if (plan)
        return "plan is not for product, batch-gcd or reduce";
    if (inputs->against.lines && !gcd)
        return "against is for batch-gcd";
    if (inputs->against.n_references > 1)
        return "against takes integers, or one result";
    if (folds != (inputs->operator_name != NULL))
        return "operator, the name of a program that folds, is for reduce, which needs it";
    if (folds && !operator_name_is_valid(slice_of(inputs->operator_name)))
        return "operator is not a name of an operator";
    if (folds && inputs->base)
        return "base is for product and batch-gcd";
    if (folds && !are_jobs(&inputs->inputs))
        return "inputs of reduce are results of jobs: job:ID";
    return NULL;
}

_Static_assert(JOB_KEY_MAX == 64, "as the words above say");

void submit_inputs_start(struct request *request, const char *kind, const char *key,
                         const char *plan, const struct submit_inputs *inputs)
{
    const struct input_list *list = &inputs->inputs, *against = &inputs->against;
    const char *fault = find_fault(kind, key, plan, inputs);
    if (fault) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "invalid", EXIT_USAGE, "%s", fault);
        return;
    }
    struct child *child = delegate_begin(request);
    if (!child)
        return;
    child_add(child, "submit");
    child_add(child, "--no-wait");
    if (key)
        child_add(child, "--key=%s", key);
    if (inputs->base)
        child_add(child, "--base=%u", inputs->base);
    if (against->n_references)
        child_add(child, "--against=%s", against->references[0]);
    else if (against->lines)
        child_add(child, "--against=@%s", DELEGATE_MORE);
    child_add(child, "--");
    child_add(child, "%s", kind);
    if (inputs->operator_name)
        child_add(child, "%s", inputs->operator_name);
    for (size_t i = 0; i < list->n_references; i++)
        child_add(child, "%s", list->references[i]);
    if (!list->n_references) {
        child_add(child, "@-");
        delegate_feed(request, DELEGATE_STDIN, list->lines, list->len);
    }
    if (against->len)
        delegate_feed(request, DELEGATE_FILE, against->lines, against->len);
    delegate_start(request, MHD_HTTP_ACCEPTED, "application/json");
}
