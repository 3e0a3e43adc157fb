/* job_list.c - conclave job list. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/ask/digits.h"
#include "clients/command/commands.h"
#include "clients/ask/jobspec.h"
#include "clients/map/map_label.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"
#include "shared/base/clock.h"

static struct {
    const char *state;
} options;

const struct option_spec job_list_options[] = {
    {"state", OPTION_STRING, &options.state, 0, 0, "STATE",
     "only jobs that are queued, running, done, failed or cancelled"},
    {0}};

static bool state_is_known(void)
{
    static const char *const states[] = {"queued", "running", "done", "failed", "cancelled"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (!options.state || !strcmp(options.state, states[i]))
            return true;
    return false;
}

/* A job of commands by its command, if this key may see it. */
static void add_label(struct cli *cli, const struct wire_job_row *row, struct text *out)
{
    char label[JOBSPEC_LABEL_MAX];
    struct message *spec = map_label_spec(cli, row);
    if (spec)
        map_label_short(spec, row->tasks.n ? row->tasks.at[0].total : row->total, out);
    else
        text_add(out, "%s", jobspec_label(row->kind, row->spec, label));
    message_drop(&spec);
}

static void add_result(const struct wire_job_row *row, struct text *out)
{
    char room[TEXT_MAX];
    tasks_add_detail(row, out);
    if (out->len)
        return;
    if (row->error.len)
        text_add(out, "%s", text_escape(room, sizeof room, row->error));
    else if (row->text.len && !digits_are_bytes(row) && row->text.len <= 2 * TEXT_EDGE_DIGITS)
        text_add(out, "%s", text_escape(room, sizeof room, row->text));
    else if (row->digits)
        text_add(out, "%" PRIu64 " %s", row->digits, digits_are_bytes(row) ? "bytes" : "digits");
}

#define TABLE "%-8s %-9s %-25s %-11s %-14s %-7s%s%s\n"

static void print_head(void)
{
    printf(TABLE, "ID", "STATE", "JOB", "PROGRESS", "SUBMITTED UTC", "TOOK", " ", "RESULT");
}

static void print_row(struct cli *cli, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX], state[JOB_KIND_MAX + 1], when[CLOCK_TEXT_MAX], progress[48],
        took[RENDER_TOOK_MAX] = "-";
    struct text label = {0}, result = {0};
    struct task_sum sum = tasks_sum(row);
    add_label(cli, row, &label);
    add_result(row, &result);
    text_format(progress, sizeof progress, "%" PRIu64 "/%" PRIu64,
                tasks_are(row) ? task_sum_ended(&sum) : row->done, row->total);
    if (row->finished_ms >= row->submitted_ms)
        render_took((row->finished_ms - row->submitted_ms) * MS_US, took);
    clock_text(row->submitted_ms, when); /* 2026-11-27T18:46:42.000Z */
    when[10] = ' ';
    when[19] = '\0';
    printf(TABLE, job_id_text(row->job, id), text_escape(state, sizeof state, row->state), label.at,
           progress, when + 5, took, result.len ? " " : "", result.at);
}

static void take_page(struct cli *cli, const struct wire_job_page *page, json_t *array,
                      uint64_t *after)
{
    for (size_t i = 0; i < page->jobs.n; i++) {
        const struct wire_job_row *row = &page->jobs.at[i];
        *after = row->job > *after ? row->job : *after;
        if (options.state && !slice_equals(row->state, options.state))
            continue;
        if (array)
            json_array_append_new(array, render_job(row));
        else
            print_row(cli, row);
    }
}

int job_list_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX / 4];
    uint64_t after = 0;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (!state_is_known())
        return cli_fail(
            EXIT_USAGE,
            "--state: '%s' is not allowed; it takes queued, running, done, failed or cancelled",
            text_escape(why, sizeof why, slice_of(options.state)));
    json_t *array = cli->json ? json_array() : NULL;
    for (bool more = true, first = true; more; first = false) {
        struct message *request = message_new(MESSAGE_JOB_LIST), *reply = NULL;
        request->as.job_list.after = after;
        code = cli_ask(cli, request, MESSAGE_JOB_PAGE, &reply);
        if (code)
            break;
        if (first && !array)
            print_head();
        uint64_t before = after;
        take_page(cli, &reply->as.job_page, array, &after);
        if (reply->as.job_page.after > after)
            after = reply->as.job_page.after;
        more = reply->as.job_page.more && after > before;
        message_drop(&reply);
    }
    if (array && !code)
        cli_print_json(cli, array);
    else
        json_decref(array);
    return code;
}
