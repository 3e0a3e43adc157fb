/* submit_inputs.h - what a job over HTTP is over, beside its spec: integers that are uploaded, and
 * results that the cluster has. */
#ifndef CONCLAVE_CLIENTS_WEB_SUBMIT_INPUTS_H
#define CONCLAVE_CLIENTS_WEB_SUBMIT_INPUTS_H

#include <jansson.h>

#include "clients/web/http.h"
#include "clients/web/web_limits.h"
#include "shared/base/text.h"

/* A list is of integers, or of references (job:ID, value:HASH), not of both: then the lines of a
 * batch GCD are the places in the list. */
struct input_list {
    char *lines; /* the integers, a line each; NULL: the list was not given */
    size_t len;
    char *references[WEB_REFERENCES_MAX];
    size_t n_references;
};

struct submit_inputs {
    struct input_list inputs, against;
    unsigned base;       /* of the integers, 10 or 16; 0: not given */
    char *operator_name; /* that folds the inputs; NULL: not given */
};

void submit_inputs_clear(struct submit_inputs *inputs);

/* Takes the members inputs, against, base and operator of a body. Adds to `why` what is wrong. */
void submit_inputs_read(const json_t *body, struct submit_inputs *inputs, struct text *why);

/* Whether any is there beside the inputs. */
bool submit_inputs_are_given(const struct submit_inputs *inputs);

/* Whether the member is one of these. */
bool submit_inputs_has(const char *member);

/* Submits the job by `conclave submit`, which uploads and checks. `key` and `plan` may be NULL. The
 * request is answered, at once or later. */
void submit_inputs_start(struct request *request, const char *kind, const char *key,
                         const char *plan, const struct submit_inputs *inputs);

#endif
