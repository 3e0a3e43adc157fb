/* tasks.c - what became of a job's tasks, and what they wrote: libconclave. It comes from where the
 * command line has it, clients/map/task_cluster.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/library/library.h"
#include "clients/map/task_cluster.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"

_Static_assert(CONCLAVE_STDOUT == (int)TASK_STDOUT && CONCLAVE_STDERR == (int)TASK_STDERR,
               "streams have the same numbers");

/* Who does not wait at all looks at least: within this an answer comes. */
#define LOOK_US (200 * MS_US)

struct conclave_tasks {
    struct conclave *connection; /* borrowed */
    struct task_cluster *cluster;
    const struct task_source *source; /* of it */
};

int conclave_tasks_open(struct conclave *cluster, const char *id, struct conclave_tasks **out,
                        uint64_t *total)
{
    struct task_cluster_wants wants = {.streams = {true, true},
                                       .deadline_us = connection_deadline_us(cluster)};
    struct task_cluster *opened = NULL;
    job_id_t job;
    *out = NULL;
    int code = library_id(cluster, id, &job);
    if (code)
        return code;
    code = task_cluster_open(cluster, job, &wants, &opened);
    if (code) {
        task_cluster_destroy(&opened);
        return code;
    }
    library_use(cluster);
    *out = mem_new(1, sizeof **out);
    **out = (struct conclave_tasks){cluster, opened, task_cluster_source(opened)};
    if (total)
        *total = (*out)->source->total;
    return EXIT_OK;
}

static void tell(const struct task_view *view, struct conclave_task *out)
{
    char room[TEXT_MAX];
    *out = (struct conclave_task){.task = view->task,
                                  .node = view->node,
                                  .attempt = view->attempt,
                                  .exit = view->exit,
                                  .signal = view->signal,
                                  .started_ms = view->started_ms,
                                  .finished_ms = view->finished_ms,
                                  .wall_us = view->wall_us,
                                  .cpu_us = view->cpu_us,
                                  .max_rss_bytes = view->max_rss,
                                  .out_bytes = view->output[TASK_STDOUT].bytes,
                                  .out_kept = view->output[TASK_STDOUT].kept,
                                  .err_bytes = view->output[TASK_STDERR].bytes,
                                  .err_kept = view->output[TASK_STDERR].kept,
                                  .files = view->files};
    text_format(out->state, sizeof out->state, "%s", task_view_state_name(view->state));
    if (task_view_is_end(view->state) && view->attempt)
        text_format(out->ended_by, sizeof out->ended_by, "%s", task_ended_by(view, room));
    text_escape(out->reason, sizeof out->reason, view->reason);
    text_escape(out->last_line, sizeof out->last_line, view->last_line);
}

/* The deadline has no answer to tell: more may come. */
static int explain(struct conclave_tasks *tasks, int error, const struct text *why)
{
    if (error == ERR_TIMEOUT)
        return connection_fail(tasks->connection, EXIT_TIMEOUT, "no further task has ended");
    return task_cluster_fail(tasks->cluster, why);
}

int conclave_tasks_next(struct conclave_tasks *tasks, uint64_t timeout_us,
                        struct conclave_task *out)
{
    uint64_t wait_us = timeout_us < TIME_NEVER_US ? timeout_us : TIME_NEVER_US;
    const struct task_source *source = tasks->source;
    struct task_view view;
    struct text why = {0};
    *out = (struct conclave_task){.exit = -1};
    if (wait_us < LOOK_US)
        wait_us = LOOK_US;
    task_cluster_set_deadline(tasks->cluster, clock_now_us() + wait_us);
    int error;
    while ((error = source->ended(source->context, &view, &why)) == ERR_NOT_FOUND) {
        error = source->wait(source->context, &why);
        if (error == ERR_NOT_FOUND)
            return connection_fail(tasks->connection, EXIT_NOT_FOUND,
                                   "no more tasks end: the job is finished");
        if (error)
            return explain(tasks, error, &why);
    }
    if (error)
        return explain(tasks, error, &why);
    tell(&view, out);
    return EXIT_OK;
}

static int check_number(struct conclave_tasks *tasks, uint64_t number)
{
    if (number >= 1 && number <= tasks->source->total)
        return EXIT_OK;
    return connection_fail(tasks->connection, EXIT_NOT_FOUND,
                           "there is no task %" PRIu64 ": they are 1 to %" PRIu64, number,
                           tasks->source->total);
}

static int look(struct conclave_tasks *tasks, uint64_t number, struct task_view *view)
{
    struct text why = {0};
    int code = check_number(tasks, number);
    if (code)
        return code;
    task_cluster_set_deadline(tasks->cluster, connection_deadline_us(tasks->connection));
    return tasks->source->get(tasks->source->context, number, view, &why)
               ? task_cluster_fail(tasks->cluster, &why)
               : EXIT_OK;
}

int conclave_tasks_get(struct conclave_tasks *tasks, uint64_t number, struct conclave_task *out)
{
    struct task_view view;
    *out = (struct conclave_task){.exit = -1};
    int code = look(tasks, number, &view);
    if (!code)
        tell(&view, out);
    return code;
}

int conclave_tasks_read(struct conclave_tasks *tasks, uint64_t number, enum conclave_stream stream,
                        uint64_t offset, void *at, size_t size, size_t *got)
{
    struct task_view view;
    struct text why = {0};
    *got = 0;
    int code =
        stream == CONCLAVE_STDOUT || stream == CONCLAVE_STDERR
            ? look(tasks, number, &view)
            : connection_fail(tasks->connection, EXIT_USAGE, "there is no stream %d", (int)stream);
    if (code)
        return code;
    enum task_stream_kind kind = stream == CONCLAVE_STDOUT ? TASK_STDOUT : TASK_STDERR;
    uint64_t kept = view.output[kind].kept, left = offset < kept ? kept - offset : 0;
    size_t len = left < size ? (size_t)left : size;
    if (!len)
        return EXIT_OK;
    if (tasks->source->read(tasks->source->context, number, kind, offset, at, len, &why))
        return task_cluster_fail(tasks->cluster, &why);
    *got = len;
    return EXIT_OK;
}

void conclave_tasks_close(struct conclave_tasks **tasks)
{
    struct conclave_tasks *it = *tasks;
    *tasks = NULL;
    if (!it)
        return;
    task_cluster_destroy(&it->cluster);
    library_let_go(it->connection);
    free(it);
}
