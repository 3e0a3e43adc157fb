#include "clients/ask/single.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clients/ask/job_row.h"
#include "clients/library/library.h"
#include "clients/show/bar.h"
#include "shared/base/clock.h"

#define PROGRESS_MS  200 /* how often a terminal is drawn */
#define FAST_POLL_MS 250 /* long polls are this short when somebody watches the bar */

static bool draw(void *context, const struct wire_job_row *row)
{
    struct bar *bar = context;
    if (job_is_finished(row))
        bar_erase(bar);
    else if (row->tasks.n)
        bar_draw(bar, row->done, row->total, "tasks", clock_now_us());
    else
        bar_draw_operations(bar, row->done, row->total, clock_now_us());
    return true;
}

void single_note_open(uint64_t jobs)
{
    cli_note("%" PRIu64 " %s in the cluster; `conclave job list` shows %s", jobs,
             jobs == 1 ? "job continues" : "jobs continue", jobs == 1 ? "it" : "them");
}

int single_run(const struct single *single, struct submission *submission)
{
    struct bar bar;
    const struct library_watch watch = {draw, &bar, PROGRESS_MS * MS_US};
    bar_begin(&bar, clock_now_us());
    submission->no_wait = single->no_wait;
    submission->plan = single->plan;
    submission->poll_us = (bar.on ? FAST_POLL_MS : CLIENT_POLL_MS) * MS_US;
    submission->deadline_us = cli_wait_deadline_us(single->cli);
    int code = library_settle(&single->cli->connection, submission, &watch);
    bar_erase(&bar);
    if (submission->ended)
        code = report_submission(single->cli, submission, &single->report);
    else if (!single->temporary)
        single_note_open(1);
    submission_clear(submission);
    free(submission);
    return code;
}
