/* What goes wrong with tasks: attempts that fail, workers that die, and what may have been begun
 * and must not be begun again. */
#include "nodes/core/tasks/failures.h"

#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/tasks/pulls.h"
#include "shared/base/mutant.h"

static struct map_key key_of(uint64_t task)
{
    return (struct map_key){task, 0};
}

struct task_trouble *failures_of(const struct task_schedule *of, uint64_t task)
{
    return map_get(&of->troubles, key_of(task));
}

static struct task_trouble *trouble_of(struct task_schedule *of, uint64_t task)
{
    struct task_trouble *trouble = failures_of(of, task);
    if (trouble)
        return trouble;
    trouble = mem_new(1, sizeof *trouble);
    trouble->task = task;
    map_put(&of->troubles, key_of(task), trouble);
    ranges_add(&of->troubled, (struct range){task, 1});
    return trouble;
}

void failures_forget(struct task_schedule *of, struct range range)
{
    struct range troubled;
    while (ranges_next(&of->troubled, range, &troubled)) {
        struct task_trouble *trouble = map_remove(&of->troubles, key_of(troubled.first));
        ranges_remove(&of->troubled, (struct range){troubled.first, 1});
        of->delayed -= trouble->due_us > 0;
        free(trouble);
    }
}

void failures_clear(struct task_schedule *of)
{
    struct task_trouble *trouble;
    for (size_t at = 0; (trouble = map_next(&of->troubles, &at, NULL));)
        free(trouble);
    map_clear(&of->troubles);
}

uint64_t failures_attempts(const struct task_schedule *of, uint64_t task)
{
    const struct task_trouble *trouble = failures_of(of, task);
    return trouble ? trouble->failures + trouble->deaths : 0;
}

/* --- the rest is cancelled --- */

static void cancel_rest(struct tasks *tasks, struct task_schedule *of)
{
    struct task_exception cancelled = {.state = TASK_CANCELLED, .reason = "too many tasks failed"};
    struct range open, all = {1, of->row->total};
    of->stopping = true;
    pulls_end(tasks, NODE_NONE, of->row->id);
    hands_end(tasks, of);
    failures_forget(of, all);
    ranges_remove(&of->free, all);
    ranges_remove(&of->unsure, all);
    while (ranges_gap(&of->taken, all, &open))
        batch_add(tasks, of, open, &cancelled, NULL);
}

static void check_fails(struct tasks *tasks, struct task_schedule *of)
{
    const struct task_options *options = &of->row->options;
    uint64_t fails = of->failed + of->lost;
    bool many = options->max_fails && fails >= options->max_fails;
    bool percent =
        options->max_fails_percent && fails * 100 >= options->max_fails_percent * of->row->total;
    if ((many || percent) && !of->stopping)
        cancel_rest(tasks, of);
}

void failures_end(struct tasks *tasks, struct task_schedule *of, struct range range,
                  const struct task_exception *exception, const struct task_row *details)
{
    failures_forget(of, range);
    batch_add(tasks, of, range, exception, details);
    check_fails(tasks, of);
}

/* --- attempts that fail --- */

static uint64_t delay_us(const struct task_options *options, uint64_t failures)
{
    uint64_t doublings = failures - 1 < TASK_DELAY_DOUBLINGS ? failures - 1 : TASK_DELAY_DOUBLINGS;
    uint64_t delay_ms = options->retry_delay_ms << doublings;
    return (delay_ms < TASK_TIME_MAX_MS ? delay_ms : TASK_TIME_MAX_MS) * MS_US;
}

static void delay(struct tasks *tasks, struct task_schedule *of, struct task_trouble *trouble,
                  uint64_t us)
{
    trouble->due_us = tasks->step->now_us + us;
    of->next_us = of->delayed++ ? earlier_us(of->next_us, trouble->due_us) : trouble->due_us;
}

bool failures_is_earlier(const struct task_schedule *of, uint64_t task, uint64_t attempt)
{
    const struct task_trouble *trouble = failures_of(of, task);
    return trouble && attempt <= trouble->failures;
}

bool failures_retry(struct tasks *tasks, struct task_schedule *of, uint64_t task, uint64_t attempt,
                    node_id_t node)
{
    const struct task_options *options = &of->row->options;
    struct task_trouble *trouble = trouble_of(of, task);
    /* Two coordinators gave the same one to two workers: it counts once. */
    bool again = attempt && attempt <= trouble->failures && !MUTANT(same_attempt_counts);
    /* What an earlier coordinator knew of others is known from the number. */
    if (!again)
        trouble->failures = attempt > trouble->failures ? attempt : trouble->failures + 1;
    trouble->last_failed_on = node;
    if (trouble->failures > options->retries)
        return false;
    of->retries += !again;
    delay(tasks, of, trouble, delay_us(options, trouble->failures));
    return true;
}

bool failures_waits(const struct task_schedule *of, uint64_t task)
{
    const struct task_trouble *trouble = failures_of(of, task);
    return trouble && trouble->due_us;
}

bool failures_resume(struct task_schedule *of, uint64_t task, uint64_t attempt)
{
    struct task_trouble *trouble = failures_of(of, task);
    if (!trouble || !trouble->due_us || attempt <= trouble->failures || MUTANT(attempt_begun_twice))
        return false;
    trouble->due_us = 0;
    of->delayed--;
    return true;
}

/* It was accepted, so its inputs are on a majority of the voters' disks: they will be there again.
 */
void failures_return(struct tasks *tasks, struct task_schedule *of, uint64_t task, node_id_t node)
{
    struct task_trouble *trouble = trouble_of(of, task);
    trouble->last_failed_on = node;
    delay(tasks, of, trouble, error_pause_us(trouble->returns++));
}

void failures_look(struct tasks *tasks, struct task_schedule *of)
{
    uint64_t now_us = tasks->step->now_us;
    struct task_trouble *trouble;
    if (!of->delayed || now_us < of->next_us)
        return;
    of->next_us = UINT64_MAX;
    for (size_t at = 0; (trouble = map_next(&of->troubles, &at, NULL));) {
        if (!trouble->due_us)
            continue;
        if (trouble->due_us > now_us) {
            of->next_us = earlier_us(of->next_us, trouble->due_us);
            continue;
        }
        trouble->due_us = 0;
        of->delayed--;
        ranges_add(&of->free, (struct range){trouble->task, 1});
    }
}

uint64_t failures_deadline(const struct tasks *tasks, const struct task_schedule *of)
{
    uint64_t at = of->delayed ? of->next_us : UINT64_MAX;
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes && of->free.count; id++)
        if (of->workers[id].rests_until_us > tasks->step->now_us)
            at = earlier_us(at, of->workers[id].rests_until_us);
    return at;
}

/* --- workers that fail fast --- */

/* Another worker does well, or has not shown yet how it does. */
static bool others_may_do_better(const struct tasks *tasks, const struct task_schedule *of,
                                 node_id_t node)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        if (id != node && schedule_is_worker(tasks->schedule, id) && !of->workers[id].failed)
            return true;
    return false;
}

void failures_note(struct tasks *tasks, struct task_schedule *of, node_id_t node, bool failed)
{
    struct task_worker *worker = &of->workers[node];
    worker->failed = failed ? worker->failed + 1 : 0;
    if (worker->failed < 2 || !others_may_do_better(tasks, of, node))
        return; /* once is no sign, and tasks that fail everywhere are none either */
    worker->rests_until_us = tasks->step->now_us + error_pause_us(worker->failed - 2);
}

bool failures_rests(const struct tasks *tasks, const struct task_schedule *of, node_id_t node)
{
    return tasks->step->now_us < of->workers[node].rests_until_us;
}

bool failures_has_others(const struct tasks *tasks, const struct task_schedule *of,
                         const struct task_trouble *trouble)
{
    for (node_id_t id = 1; id <= tasks->step->config.n_nodes; id++)
        if (id != trouble->last_failed_on && hands_is_suitable(tasks, of, id))
            return true;
    return false;
}

/* --- workers that die --- */

bool failures_are_alone(const struct task_slot *slot)
{
    const struct task_trouble *trouble =
        slot->first ? failures_of(slot->first->of, slot->first->tasks.first) : NULL;
    return trouble && trouble->alone;
}

/* The task that the worker executed when it died: the first that it had. */
static void blame(struct tasks *tasks, node_id_t worker)
{
    struct task_hand *hand = tasks->slots[worker].first;
    struct task_schedule *of = hand ? hand->of : NULL;
    uint64_t most = tasks->step->config.poison_deaths;
    bool instant = of && task_schedule_is_instant(tasks, of);
    if (!hand || instant || hand->start || tasks->links->peers[worker].excused)
        return;
    uint64_t task = hand->tasks.first;
    struct task_trouble *trouble = trouble_of(of, task);
    if (trouble->deaths < POISON_DEATHS)
        trouble->killed[trouble->deaths] = worker;
    trouble->deaths++;
    /* One of several may well be innocent: nobody must be idle for it, until it happens again. */
    bool several = hands_slots(tasks, worker) > 1 && tasks->slots[worker].outstanding > 1;
    trouble->alone = !several || trouble->deaths > 1;
    if (of->row->options.at_most_once || !most || trouble->deaths < most)
        return;
    struct task_exception exception = {.state = TASK_FAILED,
                                       .attempts = failures_attempts(of, task),
                                       .node = worker,
                                       .reason = "its workers died"};
    struct task_row details = {.first = task,
                               .count = 1,
                               .state = TASK_FAILED,
                               .node = worker,
                               .attempts = exception.attempts,
                               .reason = slice_of(exception.reason)};
    hands_take_from_all(tasks, of, (struct range){task, 1});
    of->attempts++;
    failures_end(tasks, of, (struct range){task, 1}, &exception, &details);
}

static void lose(struct tasks *tasks, struct task_schedule *of, struct range range, node_id_t node)
{
    struct task_exception lost = {.state = TASK_LOST,
                                  .attempts = 1,
                                  .node = node,
                                  .reason = "its worker died, or was cut off"};
    of->attempts += range.count;
    failures_end(tasks, of, range, &lost, NULL);
}

/* Those that nobody else executes are free; returns how many. A single one may get
 * another copy. */
static uint64_t leave_all(struct tasks *tasks, struct task_hand *hand)
{
    struct task_schedule *of = hand->of;
    struct range range = hand->tasks;
    uint64_t lost = 0;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        if (hands_leave(tasks, hand, task)) {
            struct task_hand *left = hands_other(tasks, of, task, NULL);
            left->copied = left->copied && left->tasks.count > 1;
            continue;
        }
        of->deaths++;
        ranges_add(&of->free, (struct range){task, 1});
        lost++;
    }
    return lost;
}

void tasks_worker_lost(struct tasks *tasks, node_id_t worker, bool died)
{
    struct task_slot *slot = &tasks->slots[worker];
    pulls_end(tasks, worker, JOB_NONE);
    if (died)
        blame(tasks, worker);
    uint64_t lost = 0;
    while (slot->first) {
        struct task_hand *hand = slot->first;
        struct task_schedule *of = hand->of;
        struct range range = hand->tasks;
        bool begun = of->row->options.at_most_once && !hand->start;
        if (of->copying) {
            lost += leave_all(tasks, hand);
            continue;
        }
        lost += range.count;
        hands_take(tasks, hand, range);
        if (begun && !MUTANT(lost_is_free)) {
            lose(tasks, of, range, worker); /* may take all from all, of that job */
            continue;
        }
        of->deaths += range.count;
        ranges_add(&of->free, range);
        for (uint64_t task = range.first; MUTANT(death_is_failure) && task < range_end(range);
             task++)
            trouble_of(of, task)->failures++;
    }
    if (lost)
        step_event(tasks->step, "tasks_reassigned", worker, JOB_NONE,
                   "%" PRIu64 " tasks of node %u go to others", lost, worker);
}

/* --- at most once --- */

void failures_begin(struct tasks *tasks, struct task_hand *hand)
{
    struct message *entry = message_new(MESSAGE_ENTRY_TASKS_STARTED);
    struct wire_entry_tasks_started *started = &entry->as.entry_tasks_started;
    started->job = hand->of->row->id;
    started->starts.n = 1;
    started->starts.at = message_room(entry, 1, sizeof *started->starts.at);
    started->starts.at[0] =
        (struct wire_task_start){.first = hand->tasks.first,
                                 .count = hand->tasks.count,
                                 .node = hand->node,
                                 .incarnation = tasks->links->peers[hand->node].incarnation};
    hand->start = raft_log_propose(tasks->raft, entry);
}

void failures_lose_unsure(struct tasks *tasks, struct task_schedule *of)
{
    struct range unsure, all = {1, of->row->total};
    while (ranges_next(&of->unsure, all, &unsure)) {
        ranges_remove(&of->unsure, unsure);
        lose(tasks, of, unsure, NODE_NONE);
    }
}
