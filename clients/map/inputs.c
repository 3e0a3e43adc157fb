#include "clients/map/inputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/map/inputs_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

/* Which form is asked for; NULL: more than one is. */
static const struct inputs_form *choose(const struct inputs_request *request, struct text *why)
{
    const struct {
        bool given;
        const struct inputs_form *form;
    } forms[] = {{request->n_sources > 0, &inputs_sources},
                 {request->csv, &inputs_csv},
                 {request->array, &inputs_array},
                 {request->files.n > 0, &inputs_files},
                 {request->given, &inputs_given}};
    const struct inputs_form *found = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!forms[i].given)
            continue;
        if (found) {
            text_add(why, "inputs come from %s or from %s, not from both", found->option,
                     forms[i].form->option);
            return NULL;
        }
        found = forms[i].form;
    }
    if (request->link && found != &inputs_sources) {
        text_add(why, "--link pairs several ::: or ::::; there are none");
        return NULL;
    }
    return found ? found : &inputs_sources;
}

int inputs_open(const struct inputs_request *request, struct inputs **out, struct text *why)
{
    struct inputs_request from_stdin = *request;
    char *words[] = {(char[]){"::::"}, (char[]){"-"}};
    const struct inputs_form *form = choose(request, why);
    *out = NULL;
    if (!form)
        return ERR_MALFORMED;
    if (form == &inputs_sources && !request->n_sources) {
        if (isatty(STDIN_FILENO)) {
            text_add(why,
                     "there are no inputs: give ::: A B, :::: FILE, --csv, --array or --files, "
                     "or pipe lines into stdin");
            return ERR_NOT_FOUND;
        }
        from_stdin.sources = words;
        from_stdin.n_sources = 2;
        request = &from_stdin;
    }
    struct inputs *inputs = mem_new(1, sizeof *inputs);
    inputs->form = form;
    int error = form->open(inputs, request, why);
    if (error)
        inputs_destroy(&inputs);
    *out = inputs;
    return error;
}

size_t inputs_per_task(const struct inputs *inputs)
{
    return inputs->n_inputs;
}

const struct slice *inputs_names(const struct inputs *inputs)
{
    return inputs->names;
}

bool inputs_are_files(const struct inputs *inputs)
{
    return inputs->form == &inputs_files;
}

const char *inputs_path(const struct inputs *inputs)
{
    return inputs->path;
}

uint64_t inputs_count(const struct inputs *inputs)
{
    return inputs->count;
}

int inputs_next(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct text what = {0};
    out->n_inputs = inputs->n_inputs;
    out->has_file = false;
    int error = inputs->form->next(inputs, out, why);
    if (error)
        return error;
    if (inputs->count == MAP_TASKS_MAX) {
        text_add(why, "there are more than %d tasks; several jobs take more", MAP_TASKS_MAX);
        return ERR_TOO_BIG;
    }
    inputs->count++;
    error = task_record_check(out, &what);
    if (error)
        text_add(why, "%s%s", inputs->where, what.at);
    return error;
}

void inputs_describe(const struct inputs *inputs, struct text *out)
{
    text_add(out, "%" PRIu64 " %s", inputs->count, inputs->what);
}

const char *inputs_what(const struct inputs *inputs)
{
    return inputs->what;
}

void inputs_destroy(struct inputs **inputs)
{
    if (!*inputs)
        return;
    if ((*inputs)->own)
        (*inputs)->form->close(*inputs);
    free((*inputs)->names);
    free(*inputs);
    *inputs = NULL;
}
