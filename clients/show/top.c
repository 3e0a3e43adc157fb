#include "clients/show/top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/digits.h"
#include "clients/show/keyboard.h"
#include "clients/show/printable.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"
#include "shared/base/clock.h"

#define SILENT_US (1000 * MS_US)

/* --- what is known --- */

void top_hear(struct top *top, const struct message *message, uint64_t now_us)
{
    if (message->type == MESSAGE_EVENT) {
        struct text line = {0};
        feed_short_line(message, &line);
        text_format(top->last_event, sizeof top->last_event, "%s", line.at);
        return;
    }
    const struct wire_heartbeat *beat = &message->as.heartbeat;
    struct top_row *row = &top->rows[beat->node];
    if (row->incarnation != beat->incarnation)
        *row = (struct top_row){.incarnation = beat->incarnation,
                                .sampled_operations = beat->operations};
    row->heard_us = now_us;
    row->term = beat->term;
    row->coordinator = beat->coordinator;
    row->queued = beat->queued;
    row->held = beat->held;
    row->rejected = beat->rejected;
    row->jobs = beat->jobs;
    row->pid = beat->pid;
    row->operations = beat->operations;
    text_escape(row->role, sizeof row->role, beat->role);
    text_escape(row->host, sizeof row->host, beat->host);
}

void top_sample(struct top *top, uint64_t now_us)
{
    double seconds = (double)(now_us - top->sampled_us) / SECOND_US;
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        struct top_row *row = &top->rows[id];
        uint64_t more = row->operations > row->sampled_operations
                            ? row->operations - row->sampled_operations
                            : 0;
        row->rate = top->sampled_us && seconds > 0 ? (double)more / seconds : 0;
        row->sampled_operations = row->operations;
    }
    top->sampled_us = now_us;
}

static void describe_result(const struct wire_job_row *row, struct text *out)
{
    char room[TEXT_MAX];
    tasks_add_detail(row, out);
    if (!out->len && row->error.len)
        text_add(out, "%s", text_escape(room, sizeof room, row->error));
    else if (!out->len && row->digits)
        text_add(out, "%" PRIu64 " %s", row->digits, digits_are_bytes(row) ? "bytes" : "digits");
}

static struct top_job *place_of(struct top *top, job_id_t job)
{
    size_t at = top->n_jobs;
    while (at && top->jobs[at - 1].job > job)
        at--;
    if (at && top->jobs[at - 1].job == job)
        return &top->jobs[at - 1];
    if (top->n_jobs == TOP_JOBS_MAX) {
        if (!at)
            return NULL;
        memmove(top->jobs, top->jobs + 1, (--at) * sizeof *top->jobs);
    } else {
        memmove(top->jobs + at + 1, top->jobs + at, (top->n_jobs++ - at) * sizeof *top->jobs);
    }
    return &top->jobs[at];
}

void top_take_job(struct top *top, const struct wire_job_row *row)
{
    struct top_job *job = place_of(top, row->job);
    struct text result = {0};
    struct task_sum sum = tasks_sum(row);
    if (!job)
        return;
    *job = (struct top_job){.job = row->job,
                            .finished = job_is_finished(row),
                            .submitted_ms = row->submitted_ms,
                            .finished_ms = row->finished_ms,
                            .done = tasks_are(row) ? task_sum_ended(&sum) : row->done,
                            .total = row->total};
    text_escape(job->state, sizeof job->state, row->state);
    jobspec_label(row->kind, row->spec, job->label);
    describe_result(row, &result);
    text_format(job->result, sizeof job->result, "%s", result.at);
}

job_id_t top_after(const struct top *top)
{
    for (size_t i = 0; i < top->n_jobs; i++)
        if (!top->jobs[i].finished)
            return top->jobs[i].job - 1;
    return top->n_jobs ? top->jobs[top->n_jobs - 1].job : 0;
}

static void add_detail(struct top *top, const char *name, const char *text)
{
    if (top->n_details < TOP_DETAILS_MAX)
        text_format(top->details[top->n_details++], TEXT_MAX, "%s%s", name, text);
}

void top_take_details(struct top *top, const struct wire_job_row *row, struct slice explanation)
{
    char label[JOBSPEC_LABEL_MAX], when[CLOCK_TEXT_MAX], took[RENDER_TOOK_MAX], id[JOB_TEXT_MAX],
        state[JOB_KIND_MAX + 1];
    struct text done = {0};
    size_t i;
    json_t *lines = render_lines(explanation), *line;
    top->n_details = 0;
    add_detail(top, "job         ", job_id_text(row->job, id));
    add_detail(top, "computes    ", jobspec_label(row->kind, row->spec, label));
    add_detail(top, "state       ", text_escape(state, sizeof state, row->state));
    add_detail(top, "submitted   ", clock_text(row->submitted_ms, when));
    if (row->finished_ms >= row->submitted_ms)
        add_detail(top, "took        ",
                   render_took((row->finished_ms - row->submitted_ms) * MS_US, took));
    text_add(&done, "%" PRIu64 " of %" PRIu64 " done, %" PRIu64 " executed", row->done, row->total,
             row->executed);
    add_detail(top, tasks_are(row) ? "tasks       " : "operations  ", done.at);
    add_detail(top, "", "");
    json_array_foreach(lines, i, line) add_detail(top, "", json_string_value(line));
    json_decref(lines);
}

/* --- keys --- */

static void order_by(struct top *top, enum top_order order)
{
    top->reversed = top->order == order && !top->reversed;
    top->order = order;
}

/* Jobs are shown with the newest first: down is older. */
static void choose(struct top *top, int down)
{
    size_t at = 0;
    if (!top->n_jobs)
        return;
    for (at = top->n_jobs - 1; at && top->chosen && top->jobs[at].job > top->chosen; at--)
        continue;
    if (down > 0 && at)
        at--;
    else if (down < 0 && at + 1 < top->n_jobs)
        at++;
    top->chosen = at + 1 == top->n_jobs ? 0 : top->jobs[at].job;
}

static job_id_t chosen_job(const struct top *top)
{
    return top->chosen || !top->n_jobs ? top->chosen : top->jobs[top->n_jobs - 1].job;
}

static void open_job(struct top *top, job_id_t job)
{
    top->opened = job;
    top->n_details = 0;
}

bool top_press(struct top *top, int key)
{
    static const char orders[] = {[TOP_BY_NODE] = 'n',
                                  [TOP_BY_OPERATIONS] = 'o',
                                  [TOP_BY_RATE] = 's',
                                  [TOP_BY_QUEUED] = 'u',
                                  [TOP_BY_HELD] = 'h'};
    if (key == 'q' && !top->opened)
        return false;
    if (key == 'q' || key == KEY_ESCAPE || key == KEY_BACKSPACE || key == KEY_LEFT)
        open_job(top, 0);
    else if ((key == KEY_ENTER || key == KEY_RIGHT) && !top->opened)
        open_job(top, chosen_job(top));
    else if (key == KEY_DOWN || key == 'j')
        choose(top, 1);
    else if (key == KEY_UP || key == 'k')
        choose(top, -1);
    for (size_t i = 0; i < sizeof orders; i++)
        if (key == orders[i])
            order_by(top, (enum top_order)i);
    if (top->opened && (key == KEY_DOWN || key == KEY_UP || key == 'j' || key == 'k'))
        open_job(top, chosen_job(top));
    return true;
}

/* --- nodes --- */

/* What matters least stands last: a narrow terminal leaves it out. */
static const struct table_column node_columns[] = {{.title = "NODE", .right = true},
                                                   {.title = "ROLE", .least = 6},
                                                   {.title = "OPERATIONS", .right = true},
                                                   {.title = "PER S", .right = true},
                                                   {.title = "QUEUED", .right = true},
                                                   {.title = "HELD", .right = true},
                                                   {.title = "SILENT", .right = true},
                                                   {.title = "TERM", .right = true},
                                                   {.title = "FOLLOWS", .right = true},
                                                   {.title = "HOST", .least = 4},
                                                   {0}};

static double weight(const struct top *top, node_id_t id)
{
    const struct top_row *row = &top->rows[id];
    switch (top->order) {
    case TOP_BY_OPERATIONS:
        return (double)row->operations;
    case TOP_BY_RATE:
        return row->rate;
    case TOP_BY_QUEUED:
        return (double)row->queued;
    case TOP_BY_HELD:
        return (double)row->held;
    case TOP_BY_NODE:
        break;
    }
    return -(double)id;
}

/* The largest first, but nodes by their ids. Returns how many there are. */
static size_t sort_nodes(const struct top *top, node_id_t ids[NODES_MAX])
{
    size_t n = 0;
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        size_t at = n;
        if (!top->rows[id].heard_us)
            continue;
        for (; at; at--) {
            double mine = weight(top, id), other = weight(top, ids[at - 1]);
            if (top->reversed ? mine >= other : mine <= other)
                break;
            ids[at] = ids[at - 1];
        }
        ids[at] = id;
        n++;
    }
    return n;
}

static struct table *node_table(const struct top *top, uint64_t now_us, size_t *n)
{
    struct table *table = table_new(node_columns, false);
    node_id_t ids[NODES_MAX];
    *n = sort_nodes(top, ids);
    for (size_t i = 0; i < *n; i++) {
        const struct top_row *row = &top->rows[ids[i]];
        uint64_t silent_us = now_us - row->heard_us;
        table_add(table, "%" PRIu32, ids[i]);
        table_add_state(table, row->role);
        table_add(table, "%" PRIu64, row->operations);
        table_add(table, "%.0f", row->rate);
        table_add(table, "%" PRIu64, row->queued);
        table_add(table, "%" PRIu64, row->held);
        if (silent_us > SILENT_US)
            table_add(table, "%" PRIu64 "s", silent_us / SECOND_US);
        else
            table_add(table, "-");
        table_add(table, "%" PRIu64, row->term);
        table_add(table, "%" PRIu64, row->coordinator);
        table_add(table, "%s", row->host);
    }
    return table;
}

void top_print(struct top *top, uint64_t now_us, FILE *out)
{
    size_t n;
    table_end(node_table(top, now_us, &n), out);
    fprintf(out, "%s%s\n\n", top->last_event[0] ? "last event: " : "", top->last_event);
}

json_t *top_json(const struct top *top, uint64_t now_us)
{
    json_t *nodes = json_array();
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        const struct top_row *row = &top->rows[id];
        if (row->heard_us)
            json_array_append_new(
                nodes, json_pack("{s:i, s:s, s:I, s:I, s:o, s:I, s:f, s:I, s:I, s:I, s:s}", "node",
                                 (int)id, "role", row->role, "silent_ms",
                                 (json_int_t)((now_us - row->heard_us) / MS_US), "term",
                                 (json_int_t)row->term, "coordinator",
                                 render_number(row->coordinator), "operations",
                                 (json_int_t)row->operations, "operations_per_second", row->rate,
                                 "queued", (json_int_t)row->queued, "held", (json_int_t)row->held,
                                 "rejected", (json_int_t)row->rejected, "host", row->host));
    }
    return json_pack("{s:o, s:o}", "nodes", nodes, "last_event",
                     top->last_event[0] ? json_string(top->last_event) : json_null());
}

/* --- the screen --- */

static const struct table_column job_columns[] = {{.title = " "},
                                                  {.title = "JOB"},
                                                  {.title = "STATE"},
                                                  {.title = "COMPUTES", .least = 12},
                                                  {.title = "PROGRESS"},
                                                  {.title = "TOOK", .right = true},
                                                  {.title = "RESULT", .least = 6},
                                                  {0}};

static struct table *job_table(const struct top *top, size_t first, size_t n)
{
    struct table *table = table_new(job_columns, false);
    for (size_t i = 0; i < n; i++) {
        const struct top_job *job = &top->jobs[first - i];
        char id[JOB_TEXT_MAX], took[RENDER_TOOK_MAX] = "-";
        if (job->finished_ms >= job->submitted_ms)
            render_took((job->finished_ms - job->submitted_ms) * MS_US, took);
        table_add(table, "%s", job->job == chosen_job(top) ? ">" : "");
        table_add(table, "%s", job_id_text(job->job, id));
        table_add_state(table, job->state);
        table_add(table, "%s", job->label);
        table_add(table, "%" PRIu64 "/%" PRIu64, job->done, job->total);
        table_add(table, "%s", took);
        table_add(table, "%s", job->result);
    }
    return table;
}

/* The newest job that is shown, so that the chosen one is on the screen. */
static size_t first_job(const struct top *top, size_t lines)
{
    size_t first = top->n_jobs - 1;
    while (first && first + 1 > lines && top->chosen &&
           top->jobs[first + 1 - lines].job > top->chosen)
        first--;
    return first;
}

static void line(const char *text, size_t columns, enum colour colour, FILE *out)
{
    char at[4 * TEXT_MAX];
    printable_text(slice_of(text), at, sizeof at, columns < 4 ? 4 : columns);
    fprintf(out, "%s%s%s\n", terminal_colour(colour), at, colour ? TERMINAL_PLAIN : "");
}

static void add_title(const struct top *top, struct text *out)
{
    uint64_t term = 0, coordinator = 0, nodes = 0, unfinished = 0;
    double rate = 0;
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        const struct top_row *row = &top->rows[id];
        nodes += row->heard_us != 0;
        rate += row->rate;
        if (row->heard_us && row->term >= term && row->coordinator) {
            term = row->term;
            coordinator = row->coordinator;
        }
    }
    for (size_t i = 0; i < top->n_jobs; i++)
        unfinished += !top->jobs[i].finished;
    if (coordinator)
        text_add(out, "coordinator: node %" PRIu64 ", term %" PRIu64, coordinator, term);
    else
        text_add(out, "no coordinator");
    text_add(out, "  nodes: %" PRIu64 "  operations: %.0f/s  unfinished jobs: %" PRIu64, nodes,
             rate, unfinished);
}

/* Returns the lines that it took. */
static size_t draw_jobs(const struct top *top, size_t columns, size_t lines, FILE *out)
{
    if (!top->n_jobs || lines < 2) {
        line(top->n_jobs ? "" : "no jobs", columns, COLOUR_FAINT, out);
        return 1;
    }
    size_t first = first_job(top, lines - 1), n = first + 1 < lines - 1 ? first + 1 : lines - 1;
    struct table *table = job_table(top, first, n);
    size_t drawn = table_print_in(table, columns, lines, true, out);
    table_destroy(&table);
    return drawn;
}

static size_t draw_details(const struct top *top, size_t columns, size_t lines, FILE *out)
{
    size_t n = top->n_details < lines ? top->n_details : lines;
    for (size_t i = 0; i < n; i++)
        line(top->details[i], columns, i ? COLOUR_NONE : COLOUR_STRONG, out);
    if (!n)
        line("...", columns, COLOUR_FAINT, out);
    return n ? n : 1;
}

#define FRAME_LINES 5 /* the title, the keys, the last event, and two empty ones */

void top_draw(struct top *top, size_t columns, size_t rows, uint64_t now_us, FILE *out)
{
    static const char keys[] = "q quit  n o s u h sort  up down choose a job  enter open it",
                      back[] = "q back  up down another job";
    size_t n, used = 0, room = rows > FRAME_LINES ? rows - FRAME_LINES : 1;
    struct text title = {0};
    add_title(top, &title);
    line(title.at, columns, COLOUR_STRONG, out);
    if (top->opened) {
        line("", columns, COLOUR_NONE, out);
        used = 1 + draw_details(top, columns, room, out);
    } else {
        struct table *table = node_table(top, now_us, &n);
        /* Nodes have what they need, but never more than half when there are jobs. */
        size_t most = top->n_jobs && n + 1 > room / 2 ? room / 2 : room - (room > 2 ? 2 : 0);
        line("", columns, COLOUR_NONE, out);
        used = 1 + table_print_in(table, columns, most, true, out);
        table_destroy(&table);
        line("", columns, COLOUR_NONE, out);
        used += 1 + draw_jobs(top, columns, room + 1 > used ? room + 1 - used : 1, out);
    }
    for (; used + 3 < rows; used++)
        fputc('\n', out);
    line(top->last_event, columns, COLOUR_FAINT, out);
    char at[sizeof keys];
    printable_text(slice_of(top->opened ? back : keys), at, sizeof at,
                   columns < 4 ? 4 : columns - 1);
    fprintf(out, "%s%s%s", terminal_colour(COLOUR_STRONG), at, TERMINAL_PLAIN);
}
