/* map.c - runs a command over inputs, and shows each task as it ends and all outputs in their
 * order. Built and run by a test:
 *
 *   cc map.c $(pkg-config --cflags --libs conclave) -o map && ./map 'echo {} | tr a-z A-Z' one two
 */
#include <conclave.h>
#include <inttypes.h>
#include <stdio.h>

/* Its stdout, in pieces: a task may write more than fits in here. */
static int print_output(struct conclave_tasks *tasks, uint64_t number)
{
    char room[4096];
    uint64_t offset = 0;
    size_t got;
    int error;
    while (!(error = conclave_tasks_read(tasks, number, CONCLAVE_STDOUT, offset, room, sizeof room,
                                         &got)) &&
           got) {
        fwrite(room, 1, got, stdout);
        offset += got;
    }
    return error;
}

static int follow(struct conclave *cluster, const char *id)
{
    struct conclave_tasks *tasks;
    struct conclave_task task;
    uint64_t total, n;
    int error = conclave_tasks_open(cluster, id, &tasks, &total);
    if (error)
        return error;
    while (!(error = conclave_tasks_next(tasks, CONCLAVE_FOR_EVER, &task)))
        fprintf(stderr, "task %" PRIu64 " of %" PRIu64 ": %s (%s)\n", task.task, total, task.state,
                task.ended_by);
    if (error == CONCLAVE_NOT_FOUND) /* nothing more ends: the job is finished */
        for (error = CONCLAVE_OK, n = 1; n <= total && !error; n++)
            error = print_output(tasks, n);
    conclave_tasks_close(&tasks);
    return error;
}

int main(int argc, char **argv)
{
    struct conclave *cluster = conclave_open(NULL);
    struct conclave_job job;
    struct conclave_map map = {.size = sizeof map,
                               .shell = argc > 1 ? argv[1] : NULL,
                               .inputs = (const char *const *)argv + 2,
                               .n_inputs = argc > 2 ? (size_t)argc - 2 : 0,
                               .retries = 1,
                               .retry_delay_us = 100000};
    int error = conclave_map_submit(cluster, &map, &job);
    if (!error)
        error = follow(cluster, job.id);
    if (!error) /* 1 when a task has failed */
        error = conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job);
    if (error)
        fprintf(stderr, "map: %s: %s\n", conclave_error_name(error), conclave_reason(cluster));
    conclave_close(&cluster);
    return error;
}
