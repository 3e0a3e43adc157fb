#include "clients/show/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/digits.h"
#include "clients/ask/job_inputs.h"
#include "clients/ask/result.h"
#include "clients/local/outfile.h"
#include "clients/show/gcds.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"

int report_state(struct cli *cli, const struct wire_job_row *row)
{
    return cli_told(cli, result_state(&cli->connection, row));
}

/* --- numbers --- */

static int print_result(struct cli *cli, const struct wire_job_row *row)
{
    char label[JOBSPEC_LABEL_MAX], head[4 * TEXT_EDGE_DIGITS + 1], tail[4 * TEXT_EDGE_DIGITS + 1],
        id[JOB_TEXT_MAX];
    if (digits_are_bytes(row)) /* as the program wrote it */
        return digits_line(cli, row, NULL, stdout);
    printf("%s=", jobspec_label(row->kind, row->spec, label));
    if (row->text.len || !isatty(STDOUT_FILENO)) {
        int code = digits_write(cli, row, stdout);
        printf("\n");
        return code;
    }
    bool negative = row->head.len && row->head.at[0] == '-'; /* the sign is no digit */
    printf("%s...%s (%" PRIu64 " digits)\n", text_escape(head, sizeof head, row->head),
           text_escape(tail, sizeof tail, row->tail), row->digits - negative);
    cli_note("`conclave job result %s` prints all of them", job_id_text(row->job, id));
    return EXIT_OK;
}

/* --- the rows of batch-gcd --- */

static bool has_rows(const struct wire_job_row *row)
{
    return slice_equals(row->kind, "batch-gcd");
}

/* How many integers the job is about: the second number of its argument. */
static uint64_t integers_of(const struct wire_job_row *row)
{
    struct plan plan;
    return plan_parse(&plan, row->kind, row->spec, NULL) ? 0 : plan.numbers[1];
}

static const struct integers_lines *lines_of(const struct submission *submission, size_t input)
{
    const struct job_inputs *inputs = submission->spec.inputs;
    return inputs && inputs->at[input].numbers.has_lines ? &inputs->at[input].numbers.lines : NULL;
}

/* All of it is checked against its SHA-256 before a row is shown. */
static int read_rows(struct cli *cli, const struct submission *submission, struct gcds *gcds)
{
    const struct wire_job_row *row = submission_row(submission);
    char *text = NULL;
    size_t len = 0;
    *gcds = (struct gcds){0};
    FILE *memory = open_memstream(&text, &len);
    if (!memory)
        return cli_fail(EXIT_FAILED, "no memory for the result: %s", strerror(errno));
    int code = digits_write(cli, row, memory);
    fclose(memory);
    if (gcds_parse(gcds, text, len, integers_of(row)) && !code)
        code = cli_fail(EXIT_FAILED, "the result is not a list of common factors");
    gcds->lines = lines_of(submission, 0);
    gcds->known = lines_of(submission, 1);
    return code;
}

static int save_rows(const struct gcds *gcds, const char *path)
{
    struct outfile out;
    int code = outfile_open(&out, "--output", path);
    if (code)
        return code;
    gcds_rows(gcds, out.file);
    code = outfile_close(&out, EXIT_OK);
    if (!code && strcmp(path, "-"))
        cli_note("%zu rows are in %s", gcds->n, path);
    return code;
}

static int print_rows(struct cli *cli, const struct submission *submission,
                      const struct report_choice *choice)
{
    struct gcds gcds;
    char id[JOB_TEXT_MAX];
    int code = read_rows(cli, submission, &gcds);
    if (!code && choice->output)
        code = save_rows(&gcds, choice->output);
    if (!code && cli->json) {
        json_t *object = gcds_json(&gcds);
        json_object_set_new(object, "id",
                            json_string(job_id_text(submission_row(submission)->job, id)));
        cli_print_json(cli, object);
    } else if (!code && !choice->output) {
        (isatty(STDOUT_FILENO) ? gcds_table : gcds_rows)(&gcds, stdout);
    }
    if (!code && choice->exit_status && gcds.n)
        code = EXIT_FAILED;
    gcds_clear(&gcds);
    return code;
}

/* --- all jobs --- */

static int print_job(struct cli *cli, const struct submission *submission,
                     const struct report_choice *choice)
{
    const struct wire_job_row *row = submission_row(submission);
    int code = report_state(cli, row);
    if (!code && has_rows(row))
        return print_rows(cli, submission, choice);
    if (!code && choice->output && tasks_are(row)) {
        code = cli_fail(EXIT_USAGE, "%s", REPORT_NO_RESULT);
    } else if (!code && choice->output) {
        code = digits_save(cli, row, NULL, choice->output);
        if (!code && strcmp(choice->output, "-"))
            cli_note("%" PRIu64 " %s are in %s", row->digits,
                     digits_are_bytes(row) ? "bytes" : "digits", choice->output);
    }
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else if (!code && tasks_are(row))
        tasks_print(row, stdout);
    else if (!code && !choice->output)
        code = print_result(cli, row);
    return code;
}

int report_submission(struct cli *cli, const struct submission *submission,
                      const struct report_choice *choice)
{
    const struct wire_job_row *row = submission_row(submission);
    char id[JOB_TEXT_MAX];
    if (submission->exit_code && submission->line)
        return cli_fail(submission->exit_code, "line %" PRIu64 ": %s", submission->line,
                        submission->reason.at);
    if (submission->exit_code)
        return cli_fail(submission->exit_code, "%s", submission->reason.at);
    if (!submission->no_wait)
        return print_job(cli, submission, choice);
    if (cli->json)
        cli_print_json(cli, render_job(row));
    else
        printf("%s\n", job_id_text(row->job, id));
    return EXIT_OK;
}
