#include "clients/show/task_sum.h"

#include <inttypes.h>

#include "clients/show/bar.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

static void add_count(struct text *out, const char *before, uint64_t n, const char *what)
{
    if (n)
        text_add(out, "%s%" PRIu64 " %s", before, n, what);
}

uint64_t task_sum_ended(const struct task_sum *sum)
{
    return sum->done + sum->failed + sum->lost + sum->cancelled;
}

void task_sum_bar(const struct task_sum *sum, uint64_t first_ended, uint64_t elapsed_us,
                  struct text *out)
{
    struct text what = {0};
    text_add(&what, "tasks");
    add_count(&what, "  ", sum->failed, "failed");
    add_count(&what, "  ", sum->lost, "lost");
    add_count(&what, "  ", sum->running, "running");
    bar_line(out, task_sum_ended(sum), sum->total, first_ended, elapsed_us, what.at);
}

void task_sum_line(const struct task_sum *sum, const char *job, struct text *out)
{
    text_add(out, "%s: %" PRIu64 " of %" PRIu64 " done", job, sum->done, sum->total);
    add_count(out, ", ", sum->failed, "failed");
    add_count(out, ", ", sum->lost, "lost");
    add_count(out, ", ", sum->cancelled, "cancelled");
    if (sum->failed || sum->lost)
        text_add(out, "; `conclave job tasks %s --failed`, `conclave job retry %s`", job, job);
}

int task_sum_code(const struct task_sum *sum)
{
    if (sum->failed || sum->lost)
        return EXIT_FAILED;
    return sum->cancelled ? EXIT_CANCELLED : EXIT_OK;
}
