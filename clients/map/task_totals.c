#include "clients/map/task_totals.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clients/show/render.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

int task_totals_read(const struct task_source *source, struct task_totals *totals, struct text *why)
{
    struct task_view view;
    int error;
    while (!(error = source->ended(source->context, &view, why))) {
        if (!view.attempt)
            continue;
        if (totals->n == totals->size) {
            totals->size = totals->size ? 2 * totals->size : 256;
            totals->walls = mem_grow(totals->walls, totals->size, sizeof *totals->walls);
        }
        totals->walls[totals->n++] = view.wall_us;
        totals->cpu_us += view.cpu_us;
        for (int kind = 0; kind < TASK_STREAMS; kind++)
            totals->bytes[kind] += view.output[kind].bytes;
    }
    return error == ERR_NOT_FOUND ? OK : error;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void add_time(struct text *out, const char *before, uint64_t us)
{
    char at[RENDER_TOOK_MAX];
    text_add(out, "%s%s", before, render_took(us, at));
}

/* The nearest rank: of n values in their order, at least that share of them is no greater. */
static uint64_t percentile(const struct task_totals *totals, unsigned percent)
{
    size_t rank = (totals->n * percent + 99) / 100;
    return totals->walls[rank ? rank - 1 : 0];
}

void task_totals_text(struct task_totals *totals, uint64_t took_ms, struct text *out)
{
    char size[RENDER_SIZE_MAX];
    if (!totals->n)
        return;
    qsort(totals->walls, totals->n, sizeof *totals->walls, compare);
    text_add(out, "%-12s", "time");
    if (took_ms)
        add_time(out, "", took_ms * MS_US);
    add_time(out, took_ms ? "; a task: median " : "a task: median ", percentile(totals, 50));
    add_time(out, ", p90 ", percentile(totals, 90));
    add_time(out, ", max ", totals->walls[totals->n - 1]);
    add_time(out, "; CPU ", totals->cpu_us);
    text_add(out, "\n%-12sstdout %s", "output", render_size(totals->bytes[TASK_STDOUT], size));
    text_add(out, ", stderr %s\n", render_size(totals->bytes[TASK_STDERR], size));
}

void task_totals_clear(struct task_totals *totals)
{
    free(totals->walls);
    *totals = (struct task_totals){0};
}
