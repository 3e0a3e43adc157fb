#include "clients/show/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/digits.h"
#include "clients/ask/jobspec.h"
#include "clients/show/tasks.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/clock.h"
#include "shared/base/terminal.h"

/* --- JSON --- */

json_t *render_text(struct slice text)
{
    if (!text.len)
        return json_null();
    size_t size = 4 * text.len + 1;
    char *room = mem_new(size, 1);
    json_t *value = json_string(text_escape(room, size, text));
    free(room);
    return value;
}

json_t *render_time(uint64_t wall_ms)
{
    char at[CLOCK_TEXT_MAX];
    return wall_ms ? json_string(clock_text(wall_ms, at)) : json_null();
}

json_t *render_incarnation(incarnation_t incarnation)
{
    char at[24];
    text_format(at, sizeof at, "%016" PRIx64, incarnation);
    return incarnation ? json_string(at) : json_null();
}

static json_t *count(uint64_t number)
{
    return json_integer((json_int_t)(number & INT64_MAX));
}

json_t *render_number(uint64_t number)
{
    return number ? count(number) : json_null();
}

static json_t *render_hash(struct slice hash)
{
    char at[HASH_TEXT_MAX];
    return hash.len == HASH_BYTES ? json_string(hash_text(hash.at, at)) : json_null();
}

static json_t *render_result(const struct wire_job_row *row)
{
    if (!slice_equals(row->state, "done") || tasks_are(row))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "digits", count(row->digits), "sha256",
                     render_hash(row->sha256), "text", render_text(row->text), "head",
                     render_text(row->head), "tail", render_text(row->tail));
}

json_t *render_job(const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX];
    json_t *operations = json_pack("{s:o, s:o, s:o}", "done", count(row->done), "total",
                                   count(row->total), "executed", count(row->executed));
    json_t *job =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                  job_id_text(row->job, id), "kind", render_text(row->kind), "spec",
                  render_text(row->spec), "key", render_text(row->key), "owner",
                  render_text(row->owner), "state", render_text(row->state), "submitted",
                  render_time(row->submitted_ms), "finished", render_time(row->finished_ms),
                  "operations", operations, "result", render_result(row), "converter",
                  render_number(row->converter), "error", render_text(row->error));
    tasks_add_json(job, row);
    return job;
}

/* Cumulative counts, as Prometheus has them. */
static json_t *render_syncs(struct slice bytes)
{
    struct histogram syncs;
    uint64_t seen = 0;
    char bound[24];
    if (!histogram_unpack(bytes, &syncs))
        return json_null();
    json_t *within = json_object();
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        text_format(bound, sizeof bound, "%" PRIu64, histogram_bound_us(i));
        json_object_set_new(within, bound, count(seen += syncs.counts[i]));
    }
    return json_pack("{s:o, s:o, s:o}", "count", count(histogram_count(&syncs)), "sum_us",
                     count(syncs.sum_us), "within_us", within);
}

json_t *render_node(const struct wire_node_row *row)
{
    json_t *node = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "id", count(row->node), "host",
                             render_text(row->host), "pid", render_number(row->pid), "role",
                             render_text(row->role), "alive", row->alive, "incarnation",
                             render_incarnation(row->incarnation), "boots", count(row->boots));
    json_t *counts =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "term", count(row->term), "operations",
                  count(row->operations), "conversions", count(row->conversions), "assigned",
                  count(row->assigned), "held", count(row->held), "applied", count(row->applied),
                  "rejected", count(row->rejected));
    json_object_update(node, counts);
    json_decref(counts);
    json_object_set_new(node, "committed", render_number(row->committed));
    json_object_set_new(node, "refused", count(row->refused));
    json_object_set_new(node, "forbidden", count(row->forbidden));
    json_object_set_new(node, "insecure", json_boolean(row->insecure));
    json_object_set_new(node, "disk_full", json_boolean(row->full));
    json_object_set_new(node, "held_bytes", count(row->held_bytes));
    json_object_set_new(node, "spilled_bytes", count(row->spilled_bytes));
    json_object_set_new(node, "unspillable", json_boolean(row->unspillable));
    json_object_set_new(node, "short_of_memory", json_boolean(row->pressed));
    json_object_set_new(node, "longest_turn_us", count(row->turn_us));
    json_object_set_new(node, "longest_turn_own_us", count(row->turn_own_us));
    json_object_set_new(node, "longest_turn_in", render_text(row->turn_in));
    json_object_set_new(node, "longest_turn_own_in", render_text(row->turn_own_in));
    json_object_set_new(node, "longest_turn_page_faults", count(row->turn_faults));
    json_object_set_new(node, "longest_turn_blocked", count(row->turn_blocked));
    json_object_set_new(node, "slots", count(row->slots));
    json_object_set_new(node, "operation_slots",
                        count(row->operation_slots ? row->operation_slots : 1));
    json_object_set_new(node, "slots_used", count(row->slots_used));
    json_object_set_new(node, "behind_ms", count(row->behind_ms));
    json_object_set_new(node, "stalled_ms", count(row->stalled_ms));
    json_object_set_new(node, "fsync", render_syncs(row->syncs));
    json_object_set_new(node, "refusal", render_text(row->refusal));
    json_object_set_new(node, "version", render_text(row->version));
    return node;
}

/* An operand as the second seed writes it: an integer, or R and the number of an operation. */
static const char *operand_text(const struct wire_operand *operand, char at[32])
{
    if (operand->op)
        text_format(at, 32, "R%" PRIu64, operand->op);
    else
        text_format(at, 32, "%" PRIu64, operand->literal);
    return at;
}

json_t *render_operation(const struct wire_trace_row *row)
{
    char at[32];
    json_t *operands = json_array();
    for (size_t i = 0; i < row->operands.n; i++)
        json_array_append_new(operands, json_string(operand_text(&row->operands.at[i], at)));
    text_format(at, sizeof at, "R%" PRIu64, row->op);
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", at, "operator", render_text(row->opcode),
                     "operands", operands, "node", render_number(row->node), "attempt",
                     count(row->attempt));
}

bool render_line(struct slice *text, char at[RENDER_LINE_MAX])
{
    size_t len = 0;
    if (!text->len)
        return false;
    while (len < text->len && text->at[len] != '\n')
        len++;
    text_escape(at, RENDER_LINE_MAX, (struct slice){text->at, len});
    len += len < text->len;
    *text = (struct slice){text->at + len, text->len - len};
    return true;
}

json_t *render_lines(struct slice text)
{
    char line[RENDER_LINE_MAX];
    json_t *lines = json_array();
    while (render_line(&text, line))
        json_array_append_new(lines, json_string(line));
    return lines;
}

/* "slowest: task 64 ..." as its topic and the rest; a line without one has null. */
static json_t *detail(const char *line)
{
    size_t topic = strcspn(line, ": ");
    if (line[topic] != ':' || line[topic + 1] != ' ')
        return json_pack("{s:n, s:s}", "topic", "text", line);
    const char *rest = line + topic + 1;
    return json_pack("{s:s%, s:s}", "topic", line, topic, "text", rest + strspn(rest, " "));
}

json_t *render_explanation(job_id_t job, json_t *lines)
{
    char id[JOB_TEXT_MAX];
    json_t *details = json_array();
    for (size_t i = 0; i < json_array_size(lines); i++)
        json_array_append_new(details, detail(json_string_value(json_array_get(lines, i))));
    return json_pack("{s:s, s:o, s:o}", "id", job_id_text(job, id), "details", details,
                     "explanation", lines);
}

/* --- text --- */

char *render_size(uint64_t bytes, char at[RENDER_SIZE_MAX])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double size = (double)bytes / KIB_BYTES;
    if (bytes < KIB_BYTES) {
        text_format(at, RENDER_SIZE_MAX, "%" PRIu64 " B", bytes);
        return at;
    }
    for (; size >= KIB_BYTES && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= KIB_BYTES;
    text_format(at, RENDER_SIZE_MAX, "%.1f %s", size, units[unit]);
    return at;
}

const char *render_short_time(uint64_t wall_ms, char at[CLOCK_TEXT_MAX])
{
    clock_text(wall_ms, at); /* 2026-11-27T18:46:42.000Z */
    at[10] = ' ';
    at[19] = '\0';
    return at + 5;
}

char *render_took(uint64_t us, char at[RENDER_TOOK_MAX])
{
    uint64_t seconds = us / SECOND_US;
    if (us < 60 * SECOND_US)
        text_format(at, RENDER_TOOK_MAX, "%.*fs", us < SECOND_US ? 3 : 1, (double)us / SECOND_US);
    else if (seconds < 3600)
        text_format(at, RENDER_TOOK_MAX, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60, seconds % 60);
    else
        text_format(at, RENDER_TOOK_MAX, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600,
                    seconds / 60 % 60);
    return at;
}

void render_operation_text(const struct wire_trace_row *row, struct text *out)
{
    char at[32], name[JOB_KIND_MAX * 4 + 1];
    text_add(out, "R%" PRIu64 "=", row->op);
    enum opcode opcode;
    const char *sign = row->opcode.len ? " " : "*"; /* a newer node may know more operators */
    if (operator_find(row->opcode, &opcode) && operator_traits(opcode)->sign)
        sign = operator_traits(opcode)->sign;
    if (strcmp(sign, "*"))
        text_add(out, "%s ", text_escape(name, sizeof name, row->opcode));
    for (size_t i = 0; i < row->operands.n; i++)
        text_add(out, "%s%s", i ? sign : "", operand_text(&row->operands.at[i], at));
}

#define NAME_COLUMNS 12

static void show_words(FILE *out, const char *name, const char *words)
{
    fprintf(out, "%-*s", NAME_COLUMNS, name);
    terminal_wrap(words, NAME_COLUMNS, NAME_COLUMNS, out);
}

static void show(FILE *out, const char *name, struct slice text)
{
    char room[TEXT_MAX];
    if (text.len)
        show_words(out, name, text_escape(room, sizeof room, text));
}

static void show_result(const struct wire_job_row *row, FILE *out)
{
    char label[JOBSPEC_LABEL_MAX], head[4 * TEXT_EDGE_DIGITS + 1], tail[4 * TEXT_EDGE_DIGITS + 1];
    char hash[HASH_TEXT_MAX], text[TEXT_INLINE_DIGITS + 1], id[JOB_TEXT_MAX];
    bool rows = digits_are_rows(row);
    jobspec_label(row->kind, row->spec, label);
    if (rows && row->digits)
        fprintf(out, "%-12sa table: `conclave job wait %s` prints it\n", "result",
                job_id_text(row->job, id));
    else if (row->text.len)
        fprintf(out, "%-12s%s=%s\n", "result", label, text_escape(text, sizeof text, row->text));
    else if (!row->digits)
        fprintf(out, "%-12sempty\n", "result");
    else if (!row->head.len)
        fprintf(out, "%-12snot for this key\n", "result");
    else
        fprintf(out, "%-12s%s=%s...%s\n", "result", label,
                text_escape(head, sizeof head, row->head),
                text_escape(tail, sizeof tail, row->tail));
    fprintf(out, "%-12s%" PRIu64 "\n", digits_are_bytes(row) || rows ? "bytes" : "digits",
            row->digits);
    if (row->sha256.len == HASH_BYTES)
        fprintf(out, "%-12s%s\n", "sha256", hash_text(row->sha256.at, hash));
}

void render_job_text(const struct wire_job_row *row, const char *given, const struct slice *name,
                     FILE *out)
{
    char id[JOB_TEXT_MAX], when[CLOCK_TEXT_MAX], label[JOBSPEC_LABEL_MAX];
    fprintf(out, "%-12s%s\n", "job", job_id_text(row->job, id));
    if (name)
        show(out, "name", *name);
    if (given)
        show_words(out, "job spec", given);
    else
        show_words(out, "computes", jobspec_label(row->kind, row->spec, label));
    show(out, "key", row->key);
    show(out, "owner", row->owner);
    show(out, "state", row->state);
    fprintf(out, "%-12s%s\n", "submitted", clock_text(row->submitted_ms, when));
    if (row->finished_ms)
        fprintf(out, "%-12s%s\n", "finished", clock_text(row->finished_ms, when));
    if (tasks_are(row))
        tasks_show(row, out);
    else
        fprintf(out, "%-12s%" PRIu64 " of %" PRIu64 " done, %" PRIu64 " executed\n", "operations",
                row->done, row->total, row->executed);
    if (slice_equals(row->state, "done") && !tasks_are(row))
        show_result(row, out);
    show(out, "error", row->error);
}
