/* job_list.c - conclave job list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/digits.h"
#include "clients/ask/job_row.h"
#include "clients/ask/jobspec.h"
#include "clients/ask/rows.h"
#include "clients/command/commands.h"
#include "clients/library/jobs.h"
#include "clients/map/map_label.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "clients/show/tasks.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"

static struct {
    const char *state;
    uint64_t limit;
    bool wide;
} options;

const struct option_spec job_list_options[] = {
    {"state", OPTION_STRING, &options.state, 0, 0, "STATE",
     "only jobs that are queued, running, done, failed or cancelled"},
    TABLE_LIMIT(options.limit, "newest"),
    TABLE_WIDE(options.wide),
    {0}};

/* A job of commands by its command, if this key may see it. */
static void add_label(struct cli *cli, const struct wire_job_row *row, struct text *out)
{
    char label[JOBSPEC_LABEL_MAX];
    struct message *spec = map_label_spec(&cli->connection, row);
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
    else if (row->text.len && !digits_are_bytes(row) && !digits_are_rows(row) &&
             row->text.len <= 2 * TEXT_EDGE_DIGITS)
        text_add(out, "%s", text_escape(room, sizeof room, row->text));
    else if (row->digits)
        text_add(out, "%" PRIu64 " %s", row->digits,
                 digits_are_bytes(row) || digits_are_rows(row) ? "bytes" : "digits");
}

static const struct table_column columns[] = {{.title = "ID"},
                                              {.title = "STATE"},
                                              {.title = "JOB", .least = 10},
                                              {.title = "PROGRESS"},
                                              {.title = "SUBMITTED UTC"},
                                              {.title = "TOOK", .right = true},
                                              {.title = "RESULT", .least = 6},
                                              {0}};

static void add_row(struct table *table, struct cli *cli, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX], state[JOB_KIND_MAX + 1], when[CLOCK_TEXT_MAX],
        took[RENDER_TOOK_MAX] = "-";
    struct text label = {0}, result = {0};
    struct task_sum sum = tasks_sum(row);
    add_label(cli, row, &label);
    add_result(row, &result);
    if (row->finished_ms >= row->submitted_ms)
        render_took((row->finished_ms - row->submitted_ms) * MS_US, took);
    table_add(table, "%s", job_id_text(row->job, id));
    table_add_state(table, text_escape(state, sizeof state, row->state));
    table_add(table, "%s", label.at);
    table_add(table, "%" PRIu64 "/%" PRIu64, tasks_are(row) ? task_sum_ended(&sum) : row->done,
              row->total);
    table_add(table, "%s", render_short_time(row->submitted_ms, when));
    table_add(table, "%s", took);
    table_add(table, "%s", result.at);
}

/* The jobs that words name; none: all. */
struct wanted {
    job_id_t *ids; /* 0: it was seen; owned */
    size_t n;
};

static int parse_wanted(int n_words, char **words, struct wanted *wanted)
{
    int code = EXIT_OK;
    wanted->ids = mem_new((size_t)n_words + 1, sizeof *wanted->ids);
    for (wanted->n = 0; !code && wanted->n < (size_t)n_words; wanted->n++)
        code = cli_job_id(1, words + wanted->n, &wanted->ids[wanted->n]);
    return code;
}

static bool is_wanted(struct wanted *wanted, job_id_t job)
{
    bool any = !wanted->n;
    for (size_t i = 0; i < wanted->n; i++)
        if (wanted->ids[i] == job) {
            any = true;
            wanted->ids[i] = 0;
        }
    return any;
}

static int check_seen(const struct wanted *wanted)
{
    char id[JOB_TEXT_MAX];
    int code = EXIT_OK;
    for (size_t i = 0; i < wanted->n; i++)
        if (wanted->ids[i])
            code = cli_fail(EXIT_NOT_FOUND, "there is no job %s", job_id_text(wanted->ids[i], id));
    return code;
}

struct listing {
    struct wanted wanted;
    struct rows rows;
};

/* A job that words name was seen, whatever its state. */
static bool take(void *context, struct message *page, const struct wire_job_row *row)
{
    struct listing *listing = context;
    if (is_wanted(&listing->wanted, row->job) &&
        (!options.state || slice_equals(row->state, options.state)))
        rows_add(&listing->rows, page, row);
    return true;
}

static void print(struct cli *cli, const struct rows *rows)
{
    json_t *array = cli->json ? json_array() : NULL;
    struct table *table = array ? NULL : table_new(columns, options.wide);
    for (size_t i = rows_first(rows->n, options.limit); i < rows->n; i++) {
        if (array)
            json_array_append_new(array, render_job(rows->at[i]));
        else
            add_row(table, cli, rows->at[i]);
    }
    if (array)
        cli_print_json(cli, array);
    else
        table_end(table, stdout);
}

int job_list_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX / 4];
    struct listing listing = {0};
    if (options.state && !job_state_is_known(options.state))
        return cli_fail(
            EXIT_USAGE,
            "--state: '%s' is not allowed; it takes queued, running, done, failed or cancelled",
            text_escape(why, sizeof why, slice_of(options.state)));
    int code = parse_wanted(n_words, words, &listing.wanted);
    if (!code)
        code = cli_told(cli, library_jobs_each(&cli->connection, NULL, take, &listing));
    if (!code) {
        print(cli, &listing.rows);
        code = check_seen(&listing.wanted);
    }
    rows_clear(&listing.rows);
    free(listing.wanted.ids);
    return code;
}
