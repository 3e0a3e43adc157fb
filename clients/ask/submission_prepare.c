/* submission_prepare.c - what a job needs before it can be on its way: its inputs. */
#include "clients/ask/job_inputs.h"
#include "clients/ask/submission.h"

int submission_prepare(struct submission *submission, struct conclave *cluster,
                       const struct uploader *uploader)
{
    struct jobspec *spec = &submission->spec;
    struct text argument = {0}, why = {0};
    struct plan plan;
    if (!spec->inputs)
        return EXIT_OK;
    int code = job_inputs_upload(cluster, spec->inputs, uploader, &argument);
    if (code)
        return code;
    if (plan_parse(&plan, slice_of(spec->kind), slice_of(argument.at), &why))
        return connection_fail(cluster, EXIT_USAGE, "%s", why.at);
    text_format(spec->spec, sizeof spec->spec, "%s", argument.at);
    for (size_t i = 0; i < spec->inputs->n; i++)
        if (spec->inputs->at[i].value) /* without integers there is none */
            submission->values[submission->n_values++] = spec->inputs->at[i].value;
    return EXIT_OK;
}

void submission_clear(struct submission *submission)
{
    message_drop(&submission->last);
    jobspec_clear(&submission->spec);
}
