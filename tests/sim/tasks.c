#include "tests/sim/tasks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/link/peers.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "nodes/core/tasks/tasks.h"
#include "shared/base/job_id.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/sim/picture.h"
#include "tests/sim/task_values.h"

#define ASKER    (WORLD_ASKERS_MAX - 2) /* the last one founds */
#define JOBS_MAX 8
#define REST_US  (150 * MS_US)

/* Of a job whose slow tasks may have copies, each so manieth execution is slow, for so long. */
#define SLOW_EACH 8
#define SLOW_US   (TASK_COPY_MIN_US + 2 * SECOND_US)

/* What is known of a job of tasks, by whichever node. */
struct ghost_tasks {
    job_id_t job, parent;
    job_id_t files; /* the value that these are in; JOB_NONE: there are none */
    uint64_t total;
    bool commands;
    uint64_t counted[WORLD_NODES_MAX + 1]; /* outcomes that a node was found to have */
    uint8_t states[TASKS_MOST + 1];        /* enum task_state */
    uint8_t exits[TASKS_MOST + 1];
    uint8_t executions[TASKS_MOST + 1];
    struct task_begun begun[TASKS_MOST + 1]; /* the first time */
    uint32_t cancelled[TASKS_MOST + 1];      /* at these nodes; a bit each */
};

struct world_tasks {
    uint64_t random;    /* its own: the stories of other clients stay as they are */
    struct map jobs;    /* job -> struct ghost_tasks */
    struct map refused; /* values with files: those that some scratch disk did not take */
    uint64_t left, made, accepted;
    job_id_t job;    /* that it waits for; JOB_NONE: none */
    job_id_t before; /* the last one that ended */
    uint64_t total, before_total;
    bool commands, before_commands; /* it runs commands: its input is ... */
    struct task_value value;        /* ... this */
    bool cancels;
    struct wire_task_options options;
    job_id_t parent;
    node_id_t node; /* that it asks */
};

/* --- the model --- */

static uint64_t draw_of(job_id_t job, uint64_t task, uint64_t attempt)
{
    return random_mix(random_mix(job + RANDOM_GAMMA * task) + attempt);
}

/* The exit status of an attempt. In a third of the jobs all is well. */
static uint64_t exit_of(job_id_t job, uint64_t task, uint64_t attempt)
{
    uint64_t percent = random_mix(job) % 3 * 25, draw = draw_of(job, task, attempt);
    return draw % 100 < percent ? 1 + draw / 100 % 3 : 0;
}

/* How the task ends, with so many retries: as the first attempt that goes well, or as the last. */
static uint64_t final_exit(job_id_t job, uint64_t task, uint64_t retries)
{
    uint64_t exit = 1;
    for (uint64_t attempt = 1; attempt <= retries + 1 && exit; attempt++)
        exit = exit_of(job, task, attempt);
    return exit;
}

static struct map_key key_of(job_id_t job)
{
    return (struct map_key){job, 0};
}

static struct ghost_tasks *ghost_of(const struct world *world, job_id_t job)
{
    return map_get(&world->tasks->jobs, key_of(job));
}

/* Which one is, the handing out decides: so its copy is not. */
static uint64_t takes_us(const struct task_job *row, const struct task_order *order)
{
    uint64_t draw = draw_of(order->job, order->task, order->attempt + order->hand);
    uint64_t slow = row && row->options.speculate && draw / 80 % SLOW_EACH == 0 ? SLOW_US : 0;
    return MS_US + draw % (80 * MS_US) + slow;
}

void tasks_begin(struct world *world, node_id_t id, const struct task_order *order)
{
    const struct state *state = inside_state(world->nodes[id].core);
    const struct task_job *row = task_jobs_find(&state->task_jobs, order->job);
    struct ghost_tasks *ghost = world->tasks ? ghost_of(world, order->job) : NULL;
    const struct node *core = world->nodes[id].core;
    world_say(world, id, "begins attempt %" PRIu64 " of task %" PRIu64, order->attempt,
              order->task);
    executor_check_slots(world, id);
    picture_task_begins(world, id, order->job, order->task);
    if (order->spec.job)
        task_value_check(world, id, order);
    if (ghost) {
        const struct ghost_tasks *parent = ghost->parent ? ghost_of(world, ghost->parent) : NULL;
        if (!ghost->executions[order->task])
            ghost->begun[order->task] =
                (struct task_begun){id, inside_step(core)->config.incarnation,
                                    inside_links(core)->clock};
        ghost->executions[order->task] += ghost->executions[order->task] < UINT8_MAX;
        ghost->cancelled[order->task] &= ~(1u << id);
        if (row && row->options.at_most_once && ghost->executions[order->task] > 1)
            world_fail(world, "T16: no task begins twice that may begin once",
                       "task %" PRIu64 " at node %u", order->task, id);
        if (parent && parent->states[order->task] == TASK_DONE)
            world_fail(world, "a retry executes nothing that was done", "task %" PRIu64,
                       order->task);
    }
    world_post(world, &(struct pending){.at_us = world->now_us + takes_us(row, order),
                                        .kind = PENDING_TASK,
                                        .to = id,
                                        .incarnation = world->nodes[id].incarnation,
                                        .id = {order->job, order->task},
                                        .seq = order->hand,
                                        .epoch = order->attempt});
}

void tasks_cancel(struct world *world, node_id_t id, const struct task_order *order)
{
    struct ghost_tasks *ghost = world->tasks ? ghost_of(world, order->job) : NULL;
    if (ghost)
        ghost->cancelled[order->task] |= 1u << id;
    world_post(world, &(struct pending){.at_us = world->now_us + MS_US,
                                        .kind = PENDING_TASK,
                                        .to = id,
                                        .incarnation = world->nodes[id].incarnation,
                                        .id = {order->job, order->task},
                                        .seq = order->hand,
                                        .epoch = order->attempt,
                                        .ok = true});
}

/* What some attempts leave beside their outcome, of a job that keeps such: more than rides along.
 */
static struct blob *left_of(const struct world *world, const struct pending *pending)
{
    const struct state *state = inside_state(world->nodes[pending->to].core);
    const struct task_job *row = task_jobs_find(&state->task_jobs, pending->id.job);
    uint64_t draw = draw_of(pending->id.job, pending->id.op, ~pending->epoch);
    if (!row || !row->options.bundles || draw % 3)
        return NULL;
    struct blob *bytes = blob_new(VALUE_INLINE_MAX_BYTES + 1 + draw % 4096);
    memset(bytes->at, (int)(draw >> 8), bytes->len);
    return bytes;
}

/* Nothing is executed to its end at a node whose log has had the task's outcome before. */
static void check_in_vain(struct world *world, const struct pending *pending)
{
    const struct state *state = inside_state(world->nodes[pending->to].core);
    const struct task_job *row = task_jobs_find(&state->task_jobs, pending->id.job);
    const struct ghost_tasks *ghost = world->tasks ? ghost_of(world, pending->id.job) : NULL;
    if (world->nodes[pending->to].in_turn)
        return; /* it is cancelled when its turn ends */
    if (!row || !ghost || pending->ok || !ranges_has(&row->decided, pending->id.op))
        return;
    if (!(ghost->cancelled[pending->id.op] & 1u << pending->to))
        world_fail(world, "T9: what has an outcome is executed nowhere else",
                   "task %" PRIu64 " at node %u", pending->id.op, pending->to);
}

/* One that was cancelled ends twice: the second time nobody knows it any more. */
void tasks_end(struct world *world, const struct pending *pending)
{
    uint64_t exit = exit_of(pending->id.job, pending->id.op, pending->epoch);
    struct blob *text = exit ? blob_copy("failed\n", 7) : NULL;
    check_in_vain(world, pending);
    struct task_result result = {.job = pending->id.job,
                                 .hand = pending->seq,
                                 .attempt = pending->epoch,
                                 .first = pending->id.op,
                                 .count = 1,
                                 .exit = pending->ok ? 0 : exit,
                                 .signal = pending->ok ? 15 : 0,
                                 .cancelled = pending->ok,
                                 .wall_us = 10 * MS_US,
                                 .err_bytes = exit ? 7 : 0,
                                 .err_hash = {1},
                                 .err = text};
    struct event event = {.kind = EVENT_TASKS, .tasks = {&result, 1}};
    struct task_piece left = {.bytes = pending->ok ? NULL : left_of(world, pending)};
    if (left.bytes) {
        hash_bytes(left.bytes->at, left.bytes->len, left.hash);
        result.pieces = &left;
        result.n_pieces = 1;
        result.bundle_len = left.bytes->len;
    }
    world_step(world, pending->to, &event);
    blob_drop(&left.bytes);
    blob_drop(&text);
}

/* --- what must hold --- */

static struct ghost_tasks *learn(struct world *world, node_id_t id, const struct task_job *row)
{
    struct ghost_tasks *ghost = ghost_of(world, row->id);
    if (ghost)
        return ghost;
    ghost = mem_new(1, sizeof *ghost);
    ghost->job = row->id;
    ghost->parent = row->parent;
    ghost->total = row->total;
    const struct job *job = jobs_find(&inside_state(world->nodes[id].core)->jobs, row->id);
    ghost->commands = job && job->plan.kind->commands;
    ghost->files = job && job->n_inputs > 1 ? job->inputs[1] : JOB_NONE;
    map_put(&world->tasks->jobs, key_of(row->id), ghost);
    return ghost;
}

void tasks_files_refused(struct world *world, job_id_t value)
{
    if (world->tasks)
        map_put(&world->tasks->refused, key_of(value), world);
}

/* An attempt may have been in vain, as what it left could not be had, or its files not be written:
 * it counts, and those after it are what they are. */
static bool may_fail(const struct world *world, const struct task_job *row, uint64_t task,
                     const struct task_exception *exception)
{
    job_id_t files = ghost_of(world, row->id)->files;
    bool refused = files && map_get(&world->tasks->refused, key_of(files));
    uint64_t exit = exit_of(row->id, task, row->options.retries + 1);
    return ((row->options.bundles || refused) && exit && exception->exit == exit) ||
           (row->options.bundles && strstr(exception->reason, "its output ")) ||
           (refused && strstr(exception->reason, "its files"));
}

static bool may_be(const struct world *world, const struct task_job *row, uint64_t task,
                   enum task_state state, const struct task_exception *exception)
{
    const struct ghost_tasks *parent = row->parent ? ghost_of(world, row->parent) : NULL;
    uint64_t exit = final_exit(row->id, task, row->options.retries);
    bool executes = world->options.tasks_execute || ghost_of(world, row->id)->commands;
    switch (state) {
    case TASK_DONE:
        return !executes || !exit || (parent && parent->states[task] == TASK_DONE);
    case TASK_FAILED:
        return (executes && exit && exception->exit == exit) ||
               may_fail(world, row, task, exception);
    case TASK_LOST:
        return row->options.at_most_once;
    default:
        return row->options.max_fails || row->parent;
    }
}

static void check_task(struct world *world, node_id_t id, const struct task_job *row,
                       struct ghost_tasks *ghost, uint64_t task)
{
    const struct task_exception *exception;
    if (!ranges_has(&row->decided, task))
        return;
    enum task_state state = task_job_state(row, task, &exception);
    uint8_t exit = exception ? (uint8_t)exception->exit : 0;
    if (ghost->states[task] && (ghost->states[task] != state || ghost->exits[task] != exit))
        world_fail(world, "T15: an outcome never changes",
                   "node %u: task %" PRIu64 " was %s (%u), is %s (%u)", id, task,
                   task_state_name(ghost->states[task]), ghost->exits[task], task_state_name(state),
                   exit);
    struct task_outcome outcome = {row->id, task, state, exit};
    if (!picture_task_ended(world, id, &outcome) && !may_be(world, row, task, state, exception))
        world_fail(world, "T19: a task ends as its attempts do",
                   "node %u: task %" PRIu64 " is %s (%u)", id, task, task_state_name(state), exit);
    ghost->states[task] = state;
    ghost->exits[task] = exit;
}

static void check_job(struct world *world, node_id_t id, const struct task_job *row)
{
    struct ghost_tasks *ghost = learn(world, id, row);
    uint64_t sum = 0;
    for (enum task_state state = TASK_OPEN; state < TASK_STATES; state++)
        sum += task_job_count(row, state);
    if (sum != row->total)
        world_fail(world, "the tasks of a job add up", "node %u: %" PRIu64 " of %" PRIu64, id, sum,
                   row->total);
    if (row->total > TASKS_MOST || ghost->counted[id] == row->decided.count)
        return;
    ghost->counted[id] = row->decided.count;
    for (uint64_t task = 1; task <= row->total; task++)
        check_task(world, id, row, ghost, task);
}

void tasks_check(struct world *world, node_id_t id)
{
    const struct task_jobs *jobs = &inside_state(world->nodes[id].core)->task_jobs;
    for (size_t i = 0; world->tasks && i < jobs->n; i++)
        check_job(world, id, jobs->at[i]);
}

void tasks_outcome(const struct world *world, job_id_t job, uint64_t task, struct task_outcome *out)
{
    const struct ghost_tasks *ghost = world->tasks ? ghost_of(world, job) : NULL;
    *out = (struct task_outcome){job, task, TASK_OPEN, 0};
    if (!ghost || task > TASKS_MOST)
        return;
    out->state = ghost->states[task];
    out->exit = ghost->exits[task];
}

bool tasks_begun(const struct world *world, job_id_t job, uint64_t task, struct task_begun *out)
{
    const struct ghost_tasks *ghost = world->tasks ? ghost_of(world, job) : NULL;
    if (!ghost || task > TASKS_MOST || !ghost->executions[task])
        return false;
    *out = ghost->begun[task];
    return true;
}

/* --- the client --- */

static uint64_t draw(struct world_tasks *it, uint64_t below)
{
    return random_below(&it->random, below);
}

static struct message *submit(const struct world_tasks *it)
{
    struct text key = {0}, spec = {0};
    struct message *message = message_new(it->commands ? MESSAGE_SUBMIT_COMMANDS : MESSAGE_SUBMIT);
    text_add(&key, "tasks-%" PRIu64, it->commands ? it->value.number : it->made);
    if (it->commands && it->parent)
        text_add(&key, "-again-%" PRIu64 "-%" PRIu64, it->made, it->value.number);
    if (it->commands) {
        task_value_submit(&it->value, message);
    } else {
        text_add(&spec, "%" PRIu64, it->total);
        message->as.submit.kind = slice_of("empty");
        message->as.submit.spec = message_text(message, spec.at);
    }
    message->as.submit.key = message_text(message, key.at);
    message->as.submit.parent = it->parent;
    message->as.submit.tasks.n = 1;
    message->as.submit.tasks.at = message_room(message, 1, sizeof it->options);
    message->as.submit.tasks.at[0] = it->options;
    return message;
}

static void ask(struct world *world, unsigned asker)
{
    struct world_tasks *it = world->tasks;
    struct message *message;
    if (it->job && it->cancels) {
        message = message_new(MESSAGE_JOB_CANCEL);
        message->as.job_cancel.job = it->job;
        it->cancels = false;
    } else if (it->job) {
        message = message_new(MESSAGE_JOB_GET);
        message->as.job_get.job = it->job;
    } else if (it->commands && !task_value_is_whole(&it->value)) {
        message = task_value_ask(&it->value);
    } else {
        message = submit(it);
    }
    world_ask(world, asker, it->node, message);
}

static void next_job(struct world *world)
{
    struct world_tasks *it = world->tasks;
    it->left--;
    it->made++;
    it->job = it->parent = JOB_NONE;
    it->total = 1 + draw(it, TASKS_MOST);
    it->options = (struct wire_task_options){.retry_delay_ms = draw(it, 100),
                                             .slots = it->made % 4,
                                             .bundles = it->made % 2};
    if (draw(it, 3) == 0)
        it->options.at_most_once = true;
    else
        it->options.retries = draw(it, 3);
    it->options.speculate = !it->options.at_most_once && it->made % 3;
    it->options.max_fails = draw(it, 4) ? 0 : 1 + draw(it, 5);
    it->cancels = draw(it, 8) == 0;
    if (it->before && draw(it, 2)) {
        it->parent = it->before;
        it->total = it->before_total;
        it->commands = it->before_commands;
    } else {
        it->commands = world->options.owners && draw(it, 2);
        it->value = (struct task_value){.number = it->made,
                                        .tasks = it->total,
                                        .segments = 1 + draw(it, it->total < 4 ? it->total : 4),
                                        .files = files_given_of(world, it->made, it->total)};
    }
    world_wake_asker(world, ASKER, REST_US + draw(it, 4 * REST_US));
}

static void job_ended(struct world *world, const struct wire_job_row *row)
{
    struct world_tasks *it = world->tasks;
    if (row && row->tasks.n) {
        const struct wire_task_counts *counts = &row->tasks.at[0];
        if (counts->done + counts->failed + counts->lost + counts->cancelled != it->total)
            world_fail(world, "when a job ends all its tasks have an outcome",
                       "%" PRIu64 " of %" PRIu64, counts->done, it->total);
        world->counts.copies += counts->copies;
    }
    it->before = row ? it->job : JOB_NONE;
    it->before_total = it->total;
    it->before_commands = it->commands;
    it->job = JOB_NONE;
    if (it->left)
        next_job(world);
    else
        it->made = 0;
}

static void answered(struct world *world, unsigned asker)
{
    struct world_tasks *it = world->tasks;
    const struct message *answer = world->askers[asker].answer;
    const struct wire_error *error = &answer->as.error;
    if (answer->type == MESSAGE_VALUE || answer->type == MESSAGE_VALUE_CHUNK_TAKEN) {
        (void)task_value_answered(&it->value, answer);
    } else if (answer->type == MESSAGE_JOB) {
        const struct wire_job_row *row = &answer->as.job.jobs.at[0];
        it->accepted += !it->job;
        it->job = row->job;
        if (row->finished_ms) {
            job_ended(world, row);
            return;
        }
    } else if (slice_equals(error->code, "not_coordinator")) {
        it->node = error->coordinator ? (node_id_t)error->coordinator
                                      : 1 + (node_id_t)draw(it, world->options.n_nodes);
    } else if (slice_equals(error->code, "unknown")) {
        (void)task_value_answered(&it->value, answer); /* another coordinator: from the begin */
    } else if (slice_equals(error->code, "forgotten") || slice_equals(error->code, "not_found") ||
               slice_equals(error->code, "invalid")) {
        job_ended(world, NULL); /* nobody knows it any more, or its parent */
        return;
    }
    world_wake_asker(world, asker, REST_US);
}

void tasks_open(struct world *world)
{
    if (world->options.n_nodes < 2 || world->hostile)
        return;
    world->tasks = mem_new(1, sizeof *world->tasks);
    world->tasks->random = ~world->options.seed * 5;
    world->tasks->left = 1 + draw(world->tasks, JOBS_MAX);
    world->tasks->node = 1;
    world->askers[ASKER].done = answered;
    world->askers[ASKER].awake = ask;
    next_job(world);
}

void tasks_watch(struct world *world)
{
    world->tasks = mem_new(1, sizeof *world->tasks);
}

bool tasks_are_idle(const struct world *world)
{
    return !world->tasks || (!world->tasks->made && !world->tasks->left);
}

uint64_t tasks_jobs(const struct world *world)
{
    return world->tasks ? world->tasks->accepted : 0;
}

void tasks_free(struct world *world)
{
    struct ghost_tasks *ghost;
    for (size_t at = 0; world->tasks && (ghost = map_next(&world->tasks->jobs, &at, NULL));)
        free(ghost);
    if (world->tasks)
        map_clear(&world->tasks->jobs);
    if (world->tasks)
        map_clear(&world->tasks->refused);
    free(world->tasks);
    world->tasks = NULL;
}
