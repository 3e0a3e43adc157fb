/* library_calls.c - what the examples of libconclave do not show; run by test_library.py on a real
 * cluster. Prints one line for each thing that it looked at, and ends with 1 at the first surprise.
 */
#include <inttypes.h>
#include <string.h>

#include "library_expect.h"

/* --- waiting --- */

struct seen {
    unsigned calls;
    struct conclave_job last;
};

static int look(void *context, const struct conclave_job *job)
{
    struct seen *seen = context;
    seen->calls++;
    seen->last = *job;
    return 0;
}

static int leave(void *context, const struct conclave_job *job)
{
    (void)job;
    ++*(unsigned *)context;
    return 1;
}

static void wait_watched(void)
{
    struct conclave_job job, again;
    struct seen seen = {0};
    EXPECT(!conclave_submit(cluster, "factorial", "3000", "watched", &job));
    EXPECT(!conclave_wait_watched(cluster, job.id, CONCLAVE_FOR_EVER, look, &seen, &again));
    EXPECT(seen.calls && !strcmp(seen.last.state, "done") && seen.last.done == seen.last.total);
    EXPECT(!strcmp(job.id, again.id) && again.result_bytes == 9131);
    printf("waited\n");
}

/* --- results --- */

struct pieces {
    char at[10000];
    size_t len, calls, most;
};

static int take(void *context, const void *bytes, size_t len)
{
    struct pieces *pieces = context;
    EXPECT(pieces->len + len <= sizeof pieces->at);
    memcpy(pieces->at + pieces->len, bytes, len);
    pieces->len += len;
    return ++pieces->calls == pieces->most;
}

static void read_results(void)
{
    struct pieces pieces = {.most = 1000000}, few = {.most = 1};
    struct conclave_job job;
    char *whole, some[100];
    size_t len, got;
    EXPECT(!conclave_submit(cluster, "factorial", "3000", "watched", &job));
    EXPECT(!conclave_result(cluster, job.id, &whole, &len));
    EXPECT(!conclave_result_each(cluster, job.id, take, &pieces));
    EXPECT(pieces.len == len && !memcmp(pieces.at, whole, len));
    EXPECT(!conclave_result_each(cluster, job.id, take, &few) && few.calls == 1);
    EXPECT(!conclave_result_read(cluster, job.id, 9000, some, sizeof some, &got));
    EXPECT(got == 100 && !memcmp(some, whole + 9000, 100));
    free(whole);
    EXPECT(!conclave_result_read(cluster, job.id, 9131, some, sizeof some, &got) && !got);
    EXPECT(conclave_result(cluster, "999-1", &whole, &len) == CONCLAVE_NOT_FOUND && !whole);
    printf("read %zu digits\n", pieces.len);
}

/* --- commands --- */

static void refuse_maps(void)
{
    static const char *const inputs[] = {"a", "b", "c"}, *const bare[] = {"NAME", NULL},
                             *const command[] = {"echo", NULL};
    struct conclave_job job;
    const struct conclave_map good = {.size = sizeof good,
                                      .command = command,
                                      .inputs = inputs,
                                      .n_inputs = 3};
    struct conclave_map map = good;
    map.shell = "echo";
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE); /* two commands */
    map = good;
    map.n_inputs = 0;
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    map = good;
    map.inputs_per_task = 2; /* of three */
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    map = good;
    map.env = bare;
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    map = good;
    map.time_limit_us = 1;
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    EXPECT(strstr(conclave_reason(cluster), "time_limit_us: 1 is not allowed; it takes 100000 to"));
    map = good;
    map.max_fails = map.max_fails_percent = 1;
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    map = good;
    map.uploads = (const char *const[]){"/nonexistent", NULL};
    EXPECT(conclave_map_submit(cluster, &map, &job) == CONCLAVE_USAGE);
    EXPECT(strstr(conclave_reason(cluster), "/nonexistent"));
    printf("refused\n");
}

static void expect_output(struct conclave_tasks *tasks, uint64_t number,
                          enum conclave_stream stream, const char *wanted)
{
    char room[100] = "";
    size_t got;
    EXPECT(!conclave_tasks_read(tasks, number, stream, 0, room, sizeof room, &got));
    EXPECT(got == strlen(wanted) && !memcmp(room, wanted, got));
    EXPECT(!conclave_tasks_read(tasks, number, stream, got, room, sizeof room, &got) && !got);
}

static void run_map(void)
{
    static const char *const inputs[] = {"a b", "1", "c", "0"};
    static const char *const env[] = {"COLOUR=red", NULL};
    struct conclave_map map = {.size = sizeof map,
                               .shell = "echo $COLOUR {1}; echo at {#} >&2; test -s data; exit {2}",
                               .inputs = inputs,
                               .n_inputs = 4,
                               .inputs_per_task = 2,
                               .env = env,
                               .uploads = (const char *const[]){"data", NULL},
                               .name = "library",
                               .key = "map-key"};
    struct conclave_job job, again;
    struct conclave_tasks *tasks = NULL;
    struct conclave_task task;
    uint64_t total = 0, ended = 0;
    EXPECT(!conclave_map_submit(cluster, &map, &job) && !strcmp(job.kind, "map"));
    EXPECT(!conclave_map_submit(cluster, &map, &again) && !strcmp(job.id, again.id));
    EXPECT(conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job) == CONCLAVE_FAILED);
    EXPECT(job.tasks == 2 && job.tasks_done == 1 && job.tasks_failed == 1);
    EXPECT(!conclave_tasks_open(cluster, job.id, &tasks, &total) && total == 2);
    while (!conclave_tasks_next(tasks, CONCLAVE_FOR_EVER, &task))
        ended += task.task;
    EXPECT(ended == 3);
    EXPECT(!conclave_tasks_get(tasks, 1, &task) && task.exit == 1 &&
           !strcmp(task.state, "failed") && !strcmp(task.ended_by, "exit 1") &&
           !strcmp(task.last_line, "at 1"));
    EXPECT(!conclave_tasks_get(tasks, 2, &task) && task.exit == 0 && !strcmp(task.state, "done"));
    EXPECT(task.out_bytes == 6 && task.out_kept == 6 && task.err_bytes == 5 && task.node);
    expect_output(tasks, 1, CONCLAVE_STDOUT, "red a b\n");
    expect_output(tasks, 2, CONCLAVE_STDOUT, "red c\n");
    expect_output(tasks, 2, CONCLAVE_STDERR, "at 2\n");
    EXPECT(conclave_tasks_get(tasks, 3, &task) == CONCLAVE_NOT_FOUND);
    conclave_tasks_close(&tasks);
    EXPECT(!tasks);
    map.key = "map-key";
    map.n_inputs = 2;
    EXPECT(conclave_map_submit(cluster, &map, &again) == CONCLAVE_USAGE); /* another job's key */
    EXPECT(!conclave_submit(cluster, "factorial", "10", NULL, &job));
    EXPECT(conclave_tasks_open(cluster, job.id, &tasks, &total) == CONCLAVE_USAGE && !tasks);
    printf("ran commands\n");
}

/* A job that goes on: nothing to tell in time, then cancelled. */
static void leave_map(void)
{
    static const char *const command[] = {"sleep", "{}", NULL}, *const inputs[] = {"600"};
    const struct conclave_map map = {.size = sizeof map,
                                     .command = command,
                                     .inputs = inputs,
                                     .n_inputs = 1};
    struct conclave_job job;
    struct conclave_tasks *tasks;
    struct conclave_task task;
    unsigned left = 0;
    EXPECT(!conclave_map_submit(cluster, &map, &job));
    EXPECT(conclave_wait_watched(cluster, job.id, CONCLAVE_FOR_EVER, leave, &left, &job) ==
               CONCLAVE_TIMEOUT &&
           left == 1);
    EXPECT(!strcmp(job.kind, "map") && strcmp(job.state, "cancelled"));
    EXPECT(!conclave_tasks_open(cluster, job.id, &tasks, NULL));
    EXPECT(conclave_tasks_next(tasks, 100000, &task) == CONCLAVE_TIMEOUT);
    EXPECT(!conclave_cancel(cluster, job.id));
    EXPECT(conclave_cancel(cluster, job.id) == CONCLAVE_OK); /* it is: the same again */
    int error;
    while (!(error = conclave_tasks_next(tasks, 10000000, &task)))
        ;
    EXPECT(error == CONCLAVE_NOT_FOUND);
    EXPECT(!conclave_tasks_get(tasks, 1, &task) && !strcmp(task.state, "cancelled"));
    conclave_tasks_close(&tasks);
    EXPECT(conclave_wait(cluster, job.id, CONCLAVE_FOR_EVER, &job) == CONCLAVE_CANCELLED);
    printf("left\n");
}

static void ask_status(void)
{
    struct conclave_status status;
    EXPECT(!conclave_status(cluster, &status));
    EXPECT(status.nodes == 3 && status.alive == 3 && status.coordinator && status.term);
    EXPECT(status.done >= 2 && status.failed == 1 && status.cancelled == 1 && status.slots);
    printf("%" PRIu64 " nodes\n", status.nodes);
}

int main(void)
{
    cluster = conclave_open(NULL);
    wait_watched();
    read_results();
    refuse_maps();
    run_map();
    leave_map();
    ask_status();
    conclave_close(&cluster);
    return 0;
}
