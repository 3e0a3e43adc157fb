#include "nodes/io/tasks_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/work/attempt.h"
#include "nodes/work/staging.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

/* An attempt, and the segments of its files, which the command reads. */
struct running {
    struct task_order order;
    struct staged **parts; /* as many as the order's; owned, and held */
    const char **paths;    /* theirs; owned */
};

struct tasks_run {
    struct commands *commands;
    struct staging *staging;
    struct programs *programs; /* NULL: none */
    const struct values *values;
    struct attempts *attempts;
    struct running *running; /* began here, and have not ended; owned */
    size_t n_running, running_size;
    struct task_result *ended; /* to be told; owned */
    size_t n_ended, ended_size;
    size_t told;                                     /* of these, with the last call */
    struct command_result *results[TASKS_ENDED_MAX]; /* that these borrow from */
    struct task_piece *pieces[TASKS_ENDED_MAX];      /* of their bundles; owned */
    size_t n_results;
    struct command_result *waiting; /* came, and is for the next call; a list; owned */
};

struct tasks_run *tasks_run_new(struct commands *commands, const struct values *values)
{
    struct tasks_run *run = mem_new(1, sizeof *run);
    run->commands = commands;
    run->values = values;
    run->attempts = attempts_new();
    run->staging = staging_new(commands ? commands_files(commands) : NULL);
    return run;
}

void tasks_run_share(struct tasks_run *run, struct programs *programs)
{
    run->programs = programs;
}

static size_t pieces_of(const struct command_result *result)
{
    const struct command_output *all = &result->bundle.all;
    return all->bytes ? 1 : all->n_pieces;
}

static void task_pieces_free(struct task_piece *pieces, size_t n)
{
    for (size_t i = 0; pieces && i < n; i++)
        blob_drop(&pieces[i].bytes);
    free(pieces);
}

static void free_results(struct tasks_run *run)
{
    while (run->n_results) {
        struct command_result *result = run->results[--run->n_results];
        task_pieces_free(run->pieces[run->n_results], pieces_of(result));
        command_result_free(result);
    }
}

static struct command_result *next_waiting(struct tasks_run *run)
{
    struct command_result *result = run->waiting;
    run->waiting = result ? command_result_next(result) : NULL;
    return result;
}

static void running_clear(struct tasks_run *run, struct running *running)
{
    for (size_t i = 0; i < running->order.n_parts; i++)
        staging_release(run->staging, &running->parts[i]);
    free(running->parts);
    free(running->paths);
    *running = (struct running){0};
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
    for (size_t i = 0; i < it->n_running; i++)
        running_clear(it, &it->running[i]);
    staging_destroy(&it->staging);
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

static void hold_parts(struct tasks_run *run, struct running *running)
{
    size_t n = running->order.n_parts;
    running->parts = mem_new(n + 1, sizeof *running->parts);
    running->paths = mem_new(n + 1, sizeof *running->paths);
    for (size_t i = 0; i < n; i++) {
        const struct task_part *part = &running->order.parts[i];
        struct staged *staged = staging_hold(run->staging, part->id);
        running->parts[i] = staged;
        running->paths[i] = staged && staged_len(staged) == part->len ? staged_path(staged) : NULL;
    }
}

static const struct command *make(struct tasks_run *run, const struct running *running,
                                  char reason[TASK_REASON_MAX + 1])
{
    const struct task_order *order = &running->order;
    return attempts_make(run->attempts, order, values_get(run->values, order->spec),
                         values_get(run->values, order->record), running->paths, reason);
}

void tasks_run_begin(struct tasks_run *run, const struct task_order *order)
{
    char reason[TASK_REASON_MAX + 1] = "without keys no commands are run";
    struct running running = {.order = *order};
    hold_parts(run, &running);
    const struct command *command = run->commands ? make(run, &running, reason) : NULL;
    running.order.parts = NULL; /* the outbox's */
    if (!command) {
        struct task_result *end = add_end(run);
        *end = end_of(order);
        text_format(end->reason, sizeof end->reason, "%s", reason);
        running_clear(run, &running);
        return;
    }
    if (run->n_running == run->running_size) {
        run->running_size = run->running_size ? 2 * run->running_size : 16;
        run->running = mem_grow(run->running, run->running_size, sizeof *run->running);
    }
    run->running[run->n_running++] = running;
    commands_run(run->commands, command);
}

/* --- files --- */

void tasks_run_keep(struct tasks_run *run, struct value_id id, struct blob *bytes)
{
    staging_write(run->staging, id, bytes);
}

void tasks_run_drop(struct tasks_run *run, struct value_id id)
{
    staging_drop(run->staging, id);
}

bool tasks_run_file(struct tasks_run *run, struct event *event)
{
    struct value_id id;
    int error;
    if (!staging_take(run->staging, &id, &error))
        return false;
    *event = (struct event){.kind = error ? EVENT_VALUE_FAILED : EVENT_VALUE_KEPT};
    event->value.user = USER_FILES;
    event->value.id = id;
    event->value.full = error == ENOSPC || error == EDQUOT;
    if (error)
        log_write(LOG_WARN, "cannot write a file of a task: %s", strerror(error));
    return true;
}

/* --- cancelling --- */

static bool is_command_of(const struct task_order *order, struct command_id id)
{
    return order->job == id.job && order->task == id.task && order->attempt == id.attempt;
}

void tasks_run_cancel(struct tasks_run *run, const struct task_order *order)
{
    struct command_id id = {order->job, order->task, order->attempt};
    for (size_t i = 0; i < run->n_running; i++)
        if (is_command_of(&run->running[i].order, id)) {
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

/* --- what it has left --- */

struct mapped {
    void *at;
    size_t len;
};

static void unmap(void *hint)
{
    struct mapped *it = hint;
    munmap(it->at, it->len);
    free(it);
}

/* Nothing is read here: the thread that stores it does that. The file's name goes with the result,
 * and the file when the blob does. NULL: it cannot be mapped. */
static struct blob *map_file(const struct command_file *file)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, (size_t)file->len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (at == MAP_FAILED)
        return NULL;
    struct mapped *it = mem_new(1, sizeof *it);
    *it = (struct mapped){at, (size_t)file->len};
    return blob_lend(at, (size_t)file->len, unmap, it);
}

static bool map_pieces(const struct command_output *all, struct task_piece *pieces)
{
    for (size_t i = 0; i < all->n_pieces; i++) {
        pieces[i].bytes = map_file(&all->pieces[i]);
        if (!pieces[i].bytes)
            return false;
        memcpy(pieces[i].hash, all->pieces[i].hash, HASH_BYTES);
    }
    if (all->bytes) {
        pieces[0].bytes = blob_ref(all->bytes);
        memcpy(pieces[0].hash, all->hash, HASH_BYTES);
    }
    return true;
}

static void add_bundle(const struct command_result *result, struct task_piece **pieces,
                       struct task_result *out)
{
    const struct command_bundle *bundle = &result->bundle;
    if (!bundle->all.len)
        return;
    *pieces = mem_new(pieces_of(result) + 1, sizeof **pieces);
    if (!map_pieces(&bundle->all, *pieces)) {
        set_reason(out, "its output is gone", strerror(errno));
        return;
    }
    out->pieces = *pieces;
    out->n_pieces = pieces_of(result);
    out->bundle_len = bundle->all.len;
    out->head_len = bundle->head_len;
    out->files = bundle->files;
    out->out_len = bundle->out_len;
    out->err_len = bundle->err_len;
    memcpy(out->head_hash, bundle->head_hash, HASH_BYTES);
    if (bundle->out_len)
        memcpy(out->out_hash, result->output[COMMAND_STDOUT].hash, HASH_BYTES);
    if (bundle->err_len)
        memcpy(out->err_hash, result->output[COMMAND_STDERR].hash, HASH_BYTES);
    out->err_line_len = strlen(bundle->err_line);
    memcpy(out->err_line, bundle->err_line, out->err_line_len);
}

/* False: it is nobody's any more. */
static bool take_running(struct tasks_run *run, struct command_id id, struct task_order *order)
{
    for (size_t i = 0; i < run->n_running; i++) {
        if (!is_command_of(&run->running[i].order, id))
            continue;
        *order = run->running[i].order;
        running_clear(run, &run->running[i]);
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
        struct task_piece **pieces = &run->pieces[run->n_results];
        *pieces = NULL;
        run->results[run->n_results++] = result;
        if (!take_running(run, result->id, &order))
            continue;
        struct task_result *end = add_end(run);
        task_result_of(result, &order, end);
        add_bundle(result, pieces, end);
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

int tasks_run_files_fd(const struct tasks_run *run)
{
    return staging_fd(run->staging);
}
