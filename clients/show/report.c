#include "clients/show/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/digits.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"

int report_state(const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX], room[TEXT_MAX];
    job_id_text(row->job, id);
    if (slice_equals(row->state, "done"))
        return EXIT_OK;
    if (slice_equals(row->state, "cancelled"))
        return cli_fail(EXIT_CANCELLED, "job %s was cancelled", id);
    if (slice_equals(row->state, "failed"))
        return cli_fail(EXIT_FAILED, "job %s failed: %s", id,
                        text_escape(room, sizeof room, row->error));
    return cli_fail(EXIT_FAILED, "job %s is not finished (%s); `conclave job wait %s` waits for it",
                    id, text_escape(room, sizeof room, row->state), id);
}

static int print_result(struct cli *cli, const struct wire_job_row *row)
{
    char label[JOBSPEC_LABEL_MAX], head[4 * TEXT_EDGE_DIGITS + 1], tail[4 * TEXT_EDGE_DIGITS + 1],
        id[JOB_TEXT_MAX];
    printf("%s=", jobspec_label(row->kind, row->spec, label));
    if (row->text.len || !isatty(STDOUT_FILENO)) {
        int code = digits_write(cli, row, stdout);
        printf("\n");
        return code;
    }
    printf("%s...%s (%" PRIu64 " digits)\n", text_escape(head, sizeof head, row->head),
           text_escape(tail, sizeof tail, row->tail), row->digits);
    cli_note("`conclave job result %s` prints all of them", job_id_text(row->job, id));
    return EXIT_OK;
}

static int print_job(struct cli *cli, const struct wire_job_row *row, const char *output)
{
    int code = report_state(row);
    if (!code && output && tasks_are(row))
        code = cli_fail(EXIT_USAGE, "%s", REPORT_NO_RESULT);
    else if (!code && output) {
        code = digits_save(cli, row, output);
        if (!code && strcmp(output, "-"))
            cli_note("%" PRIu64 " digits are in %s", row->digits, output);
    }
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else if (!code && tasks_are(row))
        tasks_print(row, stdout);
    else if (!code && !output)
        code = print_result(cli, row);
    return code;
}

int report_submission(struct cli *cli, const struct submission *submission, const char *output)
{
    const struct wire_job_row *row = submission_row(submission);
    char id[JOB_TEXT_MAX];
    if (submission->exit_code && submission->line)
        return cli_fail(submission->exit_code, "line %" PRIu64 ": %s", submission->line,
                        submission->reason.at);
    if (submission->exit_code)
        return cli_fail(submission->exit_code, "%s", submission->reason.at);
    if (!submission->no_wait)
        return print_job(cli, row, output);
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else
        printf("%s\n", job_id_text(row->job, id));
    return EXIT_OK;
}
