#include "nodes/io/tasks_run.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/work/attempt.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

struct tasks_run {
    struct commands *commands;
    struct programs *programs; /* NULL: none */
    const struct values *values;
    struct attempts *attempts;
    struct task_order *running; /* began here, and have not ended; owned */
    size_t n_running, running_size;
    struct task_result *ended; /* to be told; owned */
    size_t n_ended, ended_size;
    size_t told;                                     /* of these, with the last call */
    struct command_result *results[TASKS_ENDED_MAX]; /* that these borrow from */
    size_t n_results;
    struct command_result *waiting; /* came, and is for the next call; a list; owned */
};

struct tasks_run *tasks_run_new(struct commands *commands, const struct values *values)
{
    struct tasks_run *run = mem_new(1, sizeof *run);
    run->commands = commands;
    run->values = values;
    run->attempts = attempts_new();
    return run;
}

void tasks_run_share(struct tasks_run *run, struct programs *programs)
{
    run->programs = programs;
}

static void free_results(struct tasks_run *run)
{
    while (run->n_results)
        command_result_free(run->results[--run->n_results]);
}

static struct command_result *next_waiting(struct tasks_run *run)
{
    struct command_result *result = run->waiting;
    run->waiting = result ? command_result_next(result) : NULL;
    return result;
}

void tasks_run_destroy(struct tasks_run **run)
{
    struct tasks_run *it = *run;
    *run = NULL;
    if (!it)
        return;
    free_results(it);
    while (it->waiting)
        command_result_free(next_waiting(it));
    attempts_destroy(&it->attempts);
    free(it->running);
    free(it->ended);
    free(it);
}

/* --- beginning --- */

static struct task_result *add_end(struct tasks_run *run)
{
    if (run->n_ended == run->ended_size) {
        run->ended_size = run->ended_size ? 2 * run->ended_size : 16;
        run->ended = mem_grow(run->ended, run->ended_size, sizeof *run->ended);
    }
    return &run->ended[run->n_ended++];
}

static struct task_result end_of(const struct task_order *order)
{
    return (struct task_result){.job = order->job,
                                .hand = order->hand,
                                .attempt = order->attempt,
                                .first = order->task,
                                .count = 1};
}

void tasks_run_begin(struct tasks_run *run, const struct task_order *order)
{
    char reason[TASK_REASON_MAX + 1] = "without keys no commands are run";
    const struct command *command = NULL;
    if (run->commands)
        command = attempts_make(run->attempts, order, values_get(run->values, order->spec),
                                values_get(run->values, order->record), reason);
    if (!command) {
        struct task_result *end = add_end(run);
        *end = end_of(order);
        text_format(end->reason, sizeof end->reason, "%s", reason);
        return;
    }
    if (run->n_running == run->running_size) {
        run->running_size = run->running_size ? 2 * run->running_size : 16;
        run->running = mem_grow(run->running, run->running_size, sizeof *run->running);
    }
    run->running[run->n_running++] = *order;
    commands_run(run->commands, command);
}

static bool is_command_of(const struct task_order *order, struct command_id id)
{
    return order->job == id.job && order->task == id.task && order->attempt == id.attempt;
}

void tasks_run_cancel(struct tasks_run *run, const struct task_order *order)
{
    struct command_id id = {order->job, order->task, order->attempt};
    for (size_t i = 0; i < run->n_running; i++)
        if (is_command_of(&run->running[i], id)) {
            commands_cancel(run->commands, id);
            return;
        }
}

/* --- ending --- */

/* Of what a command says there may be any bytes. */
static void set_reason(struct task_result *out, const char *what, const char *more)
{
    char shown[TEXT_MAX];
    text_escape(shown, sizeof shown, slice_of(more));
    text_format(out->reason, sizeof out->reason, "%s%s%s", what, *more ? ": " : "", shown);
}

static struct blob *kept_of(const struct command_output *output, uint64_t *bytes,
                            uint8_t hash[HASH_BYTES])
{
    struct blob *kept = output->bytes && output->bytes->len ? output->bytes : NULL;
    *bytes = output->total;
    if (!kept || kept->len > VALUE_INLINE_MAX_BYTES)
        return NULL;
    memcpy(hash, output->hash, HASH_BYTES);
    return kept;
}

void task_result_of(const struct command_result *result, const struct task_order *order,
                    struct task_result *out)
{
    *out = end_of(order);
    out->started_ms = result->started_ms;
    out->wall_us = result->wall_us;
    out->cpu_us = result->cpu_us;
    out->max_rss = result->max_rss_bytes;
    switch (result->end) {
    case COMMAND_EXIT:
        out->exit = (uint64_t)result->exit & TASK_EXIT_MAX;
        break;
    case COMMAND_SIGNAL:
        out->signal = (uint64_t)result->signal & TASK_EXIT_MAX;
        break;
    case COMMAND_TIME_LIMIT:
        out->limit = true;
        out->signal = (uint64_t)result->signal & TASK_EXIT_MAX;
        break;
    case COMMAND_CANCELLED:
        out->cancelled = true;
        break;
    case COMMAND_NOT_STARTED:
    case COMMAND_DISK_FULL:
    case COMMAND_UNCOLLECTED:
    case COMMAND_KILLED:
    case COMMAND_ENDS_COUNT:
        set_reason(out, command_end_text(result->end), result->error);
        break;
    }
    out->out = kept_of(&result->output[COMMAND_STDOUT], &out->out_bytes, out->out_hash);
    out->err = kept_of(&result->output[COMMAND_STDERR], &out->err_bytes, out->err_hash);
}

/* False: it is nobody's any more. */
static bool take_running(struct tasks_run *run, struct command_id id, struct task_order *order)
{
    for (size_t i = 0; i < run->n_running; i++) {
        if (!is_command_of(&run->running[i], id))
            continue;
        *order = run->running[i];
        run->running[i] = run->running[--run->n_running];
        return true;
    }
    return false;
}

static void forget_told(struct tasks_run *run)
{
    free_results(run);
    run->n_ended -= run->told;
    memmove(run->ended, run->ended + run->told, run->n_ended * sizeof *run->ended);
    run->told = 0;
}

size_t tasks_run_take(struct tasks_run *run, const struct task_result **out)
{
    struct task_order order;
    if (run->told)
        forget_told(run);
    if (run->commands && !run->waiting)
        run->waiting = commands_poll(run->commands);
    if (run->programs)
        run->waiting = programs_sift(run->programs, run->waiting);
    while (run->waiting && run->n_results < TASKS_ENDED_MAX) {
        struct command_result *result = next_waiting(run);
        run->results[run->n_results++] = result;
        if (take_running(run, result->id, &order))
            task_result_of(result, &order, add_end(run));
    }
    run->told = run->n_ended;
    *out = run->ended;
    return run->told;
}

bool tasks_run_is_due(const struct tasks_run *run)
{
    return run->waiting || run->n_ended > run->told;
}

int tasks_run_fd(const struct tasks_run *run)
{
    return run->commands ? commands_fd(run->commands) : -1;
}
