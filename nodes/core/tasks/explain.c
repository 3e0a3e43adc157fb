/* What people are told of a job of tasks. */
#include <inttypes.h>

#include "nodes/core/tasks/failures.h"

/* Of the running ones: those before the first that has a copy, or that one. */
static struct range alike_copied(const struct tasks *tasks, const struct task_schedule *of,
                                 struct range open, struct task_place *place)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes && of->copying; id++)
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next) {
            if (hand->of != of || !hand->copy || range_end(hand->tasks) <= open.first)
                continue;
            if (hand->tasks.first > open.first) {
                uint64_t before = hand->tasks.first - open.first;
                open.count = before < open.count ? before : open.count;
                continue;
            }
            place->node = hands_other(tasks, of, open.first, hand)->node;
            place->copy = id;
            open.count = 1;
            return open;
        }
    return open;
}

struct range tasks_alike(const struct tasks *tasks, const struct task_job *job, struct range open,
                         const char **state, struct task_place *place)
{
    const struct task_schedule *of = task_schedule_of(tasks, job->id);
    struct range queued;
    *state = job->ended ? "cancelled" : "queued";
    *place = (struct task_place){0};
    if (!of)
        return open;
    /* In hands, or with an outcome that is not in the log yet: to whoever asks it runs. */
    *state = "running";
    if (!ranges_next(&of->free, open, &queued))
        return alike_copied(tasks, of, open, place);
    if (queued.first > open.first)
        return (struct range){open.first, queued.first - open.first};
    *state = "queued";
    return queued;
}

static const struct task_hand *slowest(const struct tasks *tasks, const struct task_schedule *of)
{
    const struct task_hand *oldest = NULL;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next)
            if (hand->of == of && !hand->start && (!oldest || hand->given_us < oldest->given_us))
                oldest = hand;
    return oldest;
}

static void add_seconds(struct text *out, uint64_t us)
{
    text_add(out, "%" PRIu64 ".%" PRIu64 "s", us / SECOND_US, us / (SECOND_US / 10) % 10);
}

static void explain_slowest(const struct tasks *tasks, const struct task_schedule *of,
                            struct text *out)
{
    const struct task_hand *hand = slowest(tasks, of);
    if (!hand)
        return;
    const struct task_trouble *trouble = failures_of(of, hand->tasks.first);
    text_add(out, "slowest: task %" PRIu64 " on node %u for ", hand->tasks.first, hand->node);
    add_seconds(out, tasks->step->now_us - hand->given_us);
    if (of->row->options.time_limit_ms) {
        text_add(out, " of ");
        add_seconds(out, of->row->options.time_limit_ms * MS_US);
    }
    text_add(out, ", attempt %" PRIu64 " of %" PRIu64, 1 + (trouble ? trouble->failures : 0),
             1 + of->row->options.retries);
    if (of->measured) {
        text_add(out, "; a task takes about ");
        add_seconds(out, of->task_ns / 1000);
    }
    text_add(out, "\n");
}

static void explain_copies(const struct tasks *tasks, const struct task_schedule *of,
                           struct text *out)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes && of->copying; id++)
        for (const struct task_hand *hand = tasks->slots[id].first; hand; hand = hand->next) {
            if (hand->of != of || !hand->copy)
                continue;
            const struct task_hand *slow = hands_other(tasks, of, hand->tasks.first, hand);
            text_add(out, "copy:    task %" PRIu64 " on node %u, too, for ", hand->tasks.first,
                     hand->node);
            add_seconds(out, tasks->step->now_us - hand->given_us);
            text_add(out, "; on node %u for ", slow->node);
            add_seconds(out, tasks->step->now_us - slow->given_us);
            text_add(out, "; the first that is done counts\n");
        }
}

static void explain_queue(const struct tasks *tasks, const struct task_schedule *of,
                          struct text *out)
{
    unsigned workers = schedule_count_workers(tasks->schedule), resting = 0, busy = 0;
    if (!of->free.count)
        return;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++) {
        resting += schedule_is_worker(tasks->schedule, id) && failures_rests(tasks, of, id);
        busy += tasks->slots[id].outstanding > 0;
    }
    if (!workers)
        text_add(out, "queued:  no worker is alive\n");
    else if (tasks->waits)
        text_add(out, "queued:  workers are asked what they have of an earlier coordinator\n");
    else if (batch_is_full(of))
        text_add(out, "queued:  outcomes wait for the disks of a majority\n");
    else if (resting == workers)
        text_add(out, "queued:  all workers rest after attempts that failed\n");
    else
        text_add(out, "queued:  %u of %u workers have tasks; %u rest after attempts that failed\n",
                 busy, workers, resting);
}

static void explain_next(const struct tasks *tasks, const struct task_schedule *of,
                         struct text *out)
{
    const struct task_trouble *trouble, *next = NULL;
    for (size_t at = 0; (trouble = map_next(&of->troubles, &at, NULL));)
        if (trouble->due_us && (!next || trouble->due_us < next->due_us ||
                                (trouble->due_us == next->due_us && trouble->task < next->task)))
            next = trouble;
    if (!next)
        return;
    text_add(out, "next:    task %" PRIu64 " (failed on node %u), attempt %" PRIu64 " in ",
             next->task, next->last_failed_on, 1 + next->failures);
    add_seconds(out, next->due_us > tasks->step->now_us ? next->due_us - tasks->step->now_us : 0);
    text_add(out, "\n");
}

void tasks_explain(const struct tasks *tasks, const struct job *job, struct text *out)
{
    const struct task_job *row = task_jobs_find(&tasks->state->task_jobs, job->id);
    const struct task_schedule *of = task_schedule_of(tasks, job->id);
    struct wire_task_counts counts;
    tasks_count(tasks, row, &counts);
    text_add(out, ", is %s\n", of ? "running" : job_state_name(job->state));
    text_add(out,
             "tasks:   %" PRIu64 " of %" PRIu64 " done, %" PRIu64 " running, %" PRIu64 " queued",
             counts.done, counts.total, counts.running, counts.queued);
    if (counts.failed || counts.lost || counts.cancelled)
        text_add(out, "; %" PRIu64 " failed, %" PRIu64 " lost, %" PRIu64 " cancelled",
                 counts.failed, counts.lost, counts.cancelled);
    if (counts.copies)
        text_add(out, "; %" PRIu64 " second %s", counts.copies,
                 counts.copies == 1 ? "copy" : "copies");
    text_add(out, "\n");
    if (!of)
        return;
    explain_slowest(tasks, of, out);
    explain_copies(tasks, of, out);
    explain_queue(tasks, of, out);
    explain_next(tasks, of, out);
}
