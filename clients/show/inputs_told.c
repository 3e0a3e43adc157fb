#include "clients/show/inputs_told.h"

#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/job_inputs.h"
#include "clients/show/uploading.h"

/* With its place in a file the line is one for editors. */
void inputs_tell(const char *line, bool in_file)
{
    if (!in_file) {
        cli_note("%s", line);
        return;
    }
    fflush(stdout);
    fprintf(stderr, "%s\n", line);
}

void inputs_tell_faults(uint64_t faults)
{
    if (faults > INTEGERS_FAULTS_SHOWN)
        cli_note("and %" PRIu64 " more that are wrong", faults - INTEGERS_FAULTS_SHOWN);
}

int job_inputs_check_told(struct job_inputs *inputs)
{
    struct cli nobody = {0}; /* whose connection has the reason, and makes none */
    if (!inputs)
        return EXIT_OK;
    inputs->tell = inputs_tell;
    int code = cli_told(&nobody, job_inputs_read(&nobody.connection, true, inputs));
    inputs_tell_faults(inputs->faults);
    return code;
}

static int put(void *context, const struct content *content, const char *name, const char *what,
               struct message **value)
{
    return upload_shown(context, content, name, what, value);
}

int submission_prepare_told(struct cli *cli, struct submission *submission)
{
    const struct uploader uploader = {put, cli};
    struct job_inputs *inputs = submission->spec.inputs;
    if (!inputs)
        return EXIT_OK;
    bool read = inputs->read;
    inputs->tell = inputs_tell;
    int code = cli_told(cli, submission_prepare(submission, &cli->connection, &uploader));
    if (!read)
        inputs_tell_faults(inputs->faults);
    return code;
}
