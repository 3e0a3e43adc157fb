#include "clients/show/tasks.h"

#include <inttypes.h>

#include "clients/ask/jobspec.h"
#include "shared/base/job_id.h"

bool tasks_are(const struct wire_job_row *row)
{
    return row->tasks.n > 0;
}

struct task_sum tasks_sum(const struct wire_job_row *row)
{
    if (!tasks_are(row))
        return (struct task_sum){0};
    const struct wire_task_counts *it = &row->tasks.at[0];
    return (struct task_sum){.total = it->total,
                             .queued = it->queued,
                             .running = it->running,
                             .done = it->done,
                             .failed = it->failed,
                             .lost = it->lost,
                             .cancelled = it->cancelled};
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)(n & INT64_MAX));
}

void tasks_add_json(json_t *job, const struct wire_job_row *row)
{
    char id[JOB_TEXT_MAX];
    if (!tasks_are(row))
        return;
    const struct wire_task_counts *it = &row->tasks.at[0];
    json_t *counts =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total",
                  number(it->total), "queued", number(it->queued), "running", number(it->running),
                  "done", number(it->done), "failed", number(it->failed), "lost", number(it->lost),
                  "cancelled", number(it->cancelled), "attempts", number(it->attempts), "retries",
                  number(it->retries), "after_deaths", number(it->deaths), "copies",
                  number(it->copies));
    json_object_set_new(job, "schema", json_integer(1));
    json_object_set_new(job, "tasks", counts);
    json_object_set_new(job, "parent",
                        row->parent ? json_string(job_id_text(row->parent, id)) : json_null());
}

static void add(FILE *out, const char *before, uint64_t n, const char *what)
{
    if (n)
        fprintf(out, "%s%" PRIu64 " %s", before, n, what);
}

void tasks_show(const struct wire_job_row *row, FILE *out)
{
    char id[JOB_TEXT_MAX];
    const struct wire_task_counts *it = &row->tasks.at[0];
    fprintf(out, "%-12s%" PRIu64 " done", "tasks", it->done);
    add(out, ", ", it->failed, "failed");
    add(out, ", ", it->lost, "lost");
    add(out, ", ", it->cancelled, "cancelled");
    fprintf(out, ", %" PRIu64 " running, %" PRIu64 " queued; %" PRIu64 " attempts", it->running,
            it->queued, it->attempts);
    add(out, ": ", it->retries, "retries");
    add(out, it->retries ? ", " : ": ", it->deaths, "after a node died");
    add(out, "; ", it->copies, it->copies == 1 ? "second copy" : "second copies");
    fprintf(out, "\n");
    if (row->parent)
        fprintf(out, "%-12s%s, of whose tasks %" PRIu64 " were done\n", "repeats",
                job_id_text(row->parent, id), it->inherited);
}

void tasks_add_detail(const struct wire_job_row *row, struct text *out)
{
    struct task_sum sum = tasks_sum(row);
    const struct {
        uint64_t n;
        const char *what;
    } counts[] = {{sum.failed, "failed"}, {sum.lost, "lost"}, {sum.cancelled, "cancelled"}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n)
            text_add(out, "%s%" PRIu64 " %s", out->len ? ", " : "", counts[i].n, counts[i].what);
}

void tasks_print(const struct wire_job_row *row, FILE *out)
{
    char label[JOBSPEC_LABEL_MAX];
    fprintf(out, "%s: %" PRIu64 " %s done\n", jobspec_label(row->kind, row->spec, label),
            row->tasks.at[0].done, row->tasks.at[0].done == 1 ? "task" : "tasks");
}
