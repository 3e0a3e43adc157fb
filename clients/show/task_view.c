#include "clients/show/task_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/printable.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

#define TABLE_COLUMNS 80
#define NUMBER_WIDTH  4  /* of a task, at least */
#define INPUT_WIDTH   14 /* of an input that is not wide */
#define ENDED_WIDTH   10
#define LINE_MAX_WIDE 8192 /* of a line that is wide; the rest is cut */

const char *task_view_state_name(enum task_view_state state)
{
    static const char *const names[] = {
#define X(symbol, name) [symbol] = name,
        TASK_VIEW_STATES(X)
#undef X
    };
    return names[state];
}

bool task_view_is_end(enum task_view_state state)
{
    return state != VIEW_QUEUED && state != VIEW_RUNNING;
}

const char *task_ended_by(const struct task_view *view, char at[TEXT_MAX])
{
    if (!task_view_is_end(view->state))
        return "-";
    if (view->time_limit)
        return "time limit";
    if (view->reason.len)
        return text_escape(at, TEXT_MAX, view->reason);
    if (view->state == VIEW_LOST)
        return "node died";
    if (view->signal)
        text_format(at, TEXT_MAX, "signal %d", view->signal);
    else if (view->exit >= 0)
        text_format(at, TEXT_MAX, "exit %d", view->exit);
    else
        return "-";
    return at;
}

/* --- the table --- */

static const char *time_text(const struct task_view *view, char at[32])
{
    uint64_t us = view->wall_us, seconds = us / SECOND_US;
    if (!task_view_is_end(view->state) || !view->attempt)
        return "-";
    if (us < 10 * SECOND_US)
        text_format(at, 32, "%.1fs", (double)us / SECOND_US);
    else if (seconds < 60)
        text_format(at, 32, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        text_format(at, 32, seconds % 60 ? "%" PRIu64 "m%02" PRIu64 "s" : "%" PRIu64 "m",
                    seconds / 60, seconds % 60);
    else
        text_format(at, 32, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    return at;
}

static const char *number_text(uint64_t number, char at[24])
{
    if (!number)
        return "-";
    text_format(at, 24, "%" PRIu64, number);
    return at;
}

/* "1+": a second worker executes, or executed, the same attempt. */
static const char *attempt_text(const struct task_view *view, char at[24])
{
    char number[24];
    text_format(at, 24, "%s%s", number_text(view->attempt, number), view->copy ? "+" : "");
    return at;
}

static int number_width(uint64_t total)
{
    char room[24];
    size_t len = text_format(room, sizeof room, "%" PRIu64, total);
    return len > NUMBER_WIDTH ? (int)len : NUMBER_WIDTH;
}

/* Bytes before the last line of stderr. */
static int columns_before(uint64_t total)
{
    return number_width(total) + 1 + 9 + 1 + INPUT_WIDTH + 1 + 4 + 1 + 3 + 1 + ENDED_WIDTH + 1 + 6 +
           2;
}

void task_table_head(uint64_t total, FILE *out)
{
    fprintf(out, "%*s %-9s %-*s %4s %3s %-*s %6s  %s\n", number_width(total), "TASK", "STATE",
            INPUT_WIDTH, "INPUT", "NODE", "TRY", ENDED_WIDTH, "ENDED BY", "TIME", "LAST OF STDERR");
}

/* What stands in the last column: the last line of stderr; or, of a task that wrote none, the end
 * of a reason that is too long for its own column, which says "error". */
static struct slice last_column(const struct task_view *view, bool wide, const char **ended)
{
    struct slice reason = view->reason;
    if (wide || view->last_line.len || strlen(*ended) <= ENDED_WIDTH || view->time_limit)
        return view->last_line;
    const uint8_t *colon = memmem(reason.at, reason.len, ": ", 2);
    size_t before = colon ? (size_t)(colon - reason.at) + 2 : 0;
    *ended = "error";
    return (struct slice){reason.at + before, reason.len - before};
}

void task_table_row(const struct task_view *view, uint64_t total, bool wide, FILE *out)
{
    char input[LINE_MAX_WIDE], line[LINE_MAX_WIDE], ended[TEXT_MAX], node[24], attempt[24],
        time[32];
    int left = TABLE_COLUMNS - columns_before(total);
    size_t line_columns = wide ? SIZE_MAX : left > 8 ? (size_t)left : 8;
    size_t padding =
        printable_text(view->input, input, sizeof input, wide ? SIZE_MAX : INPUT_WIDTH);
    const char *ended_by = task_ended_by(view, ended);
    printable_text(last_column(view, wide, &ended_by), line, sizeof line, line_columns);
    padding = padding < INPUT_WIDTH ? INPUT_WIDTH - padding : 0;
    fprintf(out, "%*" PRIu64 " %-9s %s%*s %4s %3s %-*.*s %6s  %s\n", number_width(total),
            view->task, task_view_state_name(view->state), input, (int)padding, "",
            number_text(view->node, node), attempt_text(view, attempt), ENDED_WIDTH,
            wide ? TEXT_MAX : ENDED_WIDTH, ended_by, time_text(view, time), line[0] ? line : "-");
}

/* --- JSON --- */

static json_t *copy_json(enum task_view_copy copy)
{
    static const char *const names[] = {
        [COPY_RUNS] = "runs", [COPY_COUNTS] = "counts", [COPY_STOPPED] = "stopped"};
    return copy == COPY_NONE ? json_null() : json_string(names[copy]);
}

static json_t *number(uint64_t value, bool known)
{
    return known ? json_integer((json_int_t)(value & INT64_MAX)) : json_null();
}

static json_t *time_json(uint64_t ms)
{
    char at[CLOCK_TEXT_MAX];
    return ms ? json_string(clock_text(ms, at)) : json_null();
}

static json_t *output_json(const struct task_view *view, enum task_stream_kind kind)
{
    const struct task_view_output *output = &view->output[kind];
    char hash[HASH_TEXT_MAX];
    if (!task_view_is_end(view->state) || !view->attempt)
        return json_null();
    return json_pack("{s:o, s:s, s:b}", "bytes", number(output->bytes, true), "sha256",
                     hash_text(output->sha256, hash), "cut", output->kept < output->bytes);
}

json_t *task_view_json(const struct task_view *view)
{
    bool ended = task_view_is_end(view->state) && view->attempt;
    char room[TEXT_MAX];
    json_t *object = json_object();
    json_object_set_new(object, "task", number(view->task, true));
    json_object_set_new(object, "input", printable_json(view->input));
    json_object_set_new(object, "state", json_string(task_view_state_name(view->state)));
    json_object_set_new(object, "node", number(view->node, view->node));
    json_object_set_new(object, "attempt", number(view->attempt, view->attempt));
    json_object_set_new(object, "copy", copy_json(view->copy));
    json_object_set_new(object, "reason",
                        ended && view->state != VIEW_DONE ? json_string(task_ended_by(view, room))
                                                          : json_null());
    json_object_set_new(object, "exit", number((uint64_t)view->exit, ended && view->exit >= 0));
    json_object_set_new(object, "signal", number((uint64_t)view->signal, ended && view->signal));
    json_object_set_new(object, "started", time_json(view->started_ms));
    json_object_set_new(object, "finished", time_json(view->finished_ms));
    json_object_set_new(object, "wall_us", number(view->wall_us, ended));
    json_object_set_new(object, "cpu_us", number(view->cpu_us, ended));
    json_object_set_new(object, "max_rss", number(view->max_rss, ended));
    json_object_set_new(object, "stdout", output_json(view, TASK_STDOUT));
    json_object_set_new(object, "stderr", output_json(view, TASK_STDERR));
    json_object_set_new(object, "files", number(view->files, ended));
    return object;
}

/* --- GNU parallel's log --- */

void joblog_head(FILE *out)
{
    fprintf(out, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
}

void joblog_line(const struct task_view *view, FILE *out)
{
    char host[32] = ":";
    if (view->node)
        text_format(host, sizeof host, "node%" PRIu64, view->node);
    fprintf(out, "%" PRIu64 "\t%s\t%10.3f\t%10.3f\t0\t%" PRIu64 "\t%d\t%d\t", view->task, host,
            (double)view->started_ms / 1000, (double)view->wall_us / SECOND_US,
            view->output[TASK_STDOUT].bytes, view->exit, view->signal);
    fwrite(view->command.at, 1, view->command.len, out);
    fputc('\n', out);
}
