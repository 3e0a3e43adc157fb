/* library_trouble.c - libconclave where its caller does what is not usual: closes in another order,
 * forks, does not wait, uses many threads; run by test_library.py. Prints a line when all is well,
 * and ends with 1 at the first surprise. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library_expect.h"

#define THREADS 8

static const char *const command[] = {"echo", "{}", NULL};
static const char *const inputs[] = {"one", "two"};

static struct conclave_job run(struct conclave *of)
{
    struct conclave_map map = {.size = sizeof map,
                               .command = command,
                               .inputs = inputs,
                               .n_inputs = 2};
    struct conclave_job job;
    EXPECT(!conclave_map_submit(of, &map, &job));
    return job;
}

/* The connection first, then what was opened of it: that goes on meanwhile. */
static void close_in_another_order(void)
{
    struct conclave_tasks *tasks;
    struct conclave_feed *feed;
    struct conclave_event event;
    struct conclave_task task;
    struct conclave_job job = run(cluster);
    EXPECT(!conclave_tasks_open(cluster, job.id, &tasks, NULL));
    EXPECT(!conclave_feed_open(cluster, &feed));
    conclave_close(&cluster);
    EXPECT(!conclave_feed_next(feed, 5000000, &event));
    EXPECT(!conclave_tasks_next(tasks, 20000000, &task) && !strcmp(task.state, "done"));
    conclave_tasks_close(&tasks);
    EXPECT(!conclave_feed_next(feed, 5000000, &event));
    conclave_feed_close(&feed);
    cluster = conclave_open(NULL);
}

static void use_after_a_fork(void)
{
    struct conclave_status status;
    int end;
    EXPECT(!conclave_status(cluster, &status));
    pid_t child = fork();
    EXPECT(child >= 0);
    if (!child) {
        EXPECT(!conclave_status(cluster, &status) && status.coordinator);
        conclave_close(&cluster);
        _exit(0);
    }
    EXPECT(waitpid(child, &end, 0) == child && WIFEXITED(end) && !WEXITSTATUS(end));
    EXPECT(!conclave_status(cluster, &status));
    child = fork();
    if (!child) {
        conclave_close(&cluster); /* of the parent: nothing waits for its threads */
        _exit(0);
    }
    EXPECT(waitpid(child, &end, 0) == child && WIFEXITED(end) && !WEXITSTATUS(end));
    EXPECT(!conclave_status(cluster, &status));
}

/* Who looks again and again without waiting sees the end, and how it stands until then. */
static void look_without_waiting(void)
{
    struct conclave_tasks *tasks;
    struct conclave_task task;
    struct conclave_job job;
    int code, seen = 0;
    EXPECT(!conclave_submit(cluster, "factorial", "20000", NULL, &job));
    while ((code = conclave_wait(cluster, job.id, 0, &job)) == CONCLAVE_TIMEOUT)
        EXPECT(job.id[0] && job.state[0]);
    EXPECT(!code && !strcmp(job.state, "done"));
    job = run(cluster);
    EXPECT(!conclave_tasks_open(cluster, job.id, &tasks, NULL));
    while ((code = conclave_tasks_next(tasks, 0, &task)) != CONCLAVE_NOT_FOUND)
        seen += !code;
    EXPECT(seen == 2);
    conclave_tasks_close(&tasks);
}

static void *use_in_a_thread(void *unused)
{
    struct conclave *own = conclave_open(NULL);
    struct conclave_job job;
    struct conclave_feed *feed;
    struct conclave_event event;
    EXPECT(!conclave_submit(own, "factorial", "100", NULL, &job));
    EXPECT(!conclave_wait(own, job.id, CONCLAVE_FOR_EVER, &job));
    EXPECT(!conclave_feed_open(own, &feed));
    EXPECT(!conclave_feed_next(feed, 5000000, &event));
    conclave_close(&own);
    conclave_feed_close(&feed);
    return unused;
}

static void use_in_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        EXPECT(!pthread_create(&threads[i], NULL, use_in_a_thread, NULL));
    for (int i = 0; i < THREADS; i++)
        EXPECT(!pthread_join(threads[i], NULL));
}

/* --- answers that are none: any error, and nothing worse --- */

static void ask_a_liar(void)
{
    struct conclave_job job;
    struct conclave_status status;
    struct conclave_tasks *tasks = NULL;
    char *text = NULL, at[8];
    size_t len;
    unsigned long long told = 0;
    uint64_t number = 0;
    struct conclave_map map = {.size = sizeof map,
                               .command = command,
                               .inputs = inputs,
                               .n_inputs = 2};
    const int codes[] = {conclave_submit(cluster, "factorial", "10", NULL, &job),
                         conclave_job_get(cluster, "1-1", &job),
                         conclave_wait(cluster, "1-1", 300000, &job),
                         conclave_cancel(cluster, "1-1"),
                         conclave_result(cluster, "1-1", &text, &len),
                         conclave_result_read(cluster, "1-1", 0, at, sizeof at, &len),
                         conclave_map_submit(cluster, &map, &job),
                         conclave_tasks_open(cluster, "1-1", &tasks, NULL),
                         conclave_kv_get(cluster, 1, "a", &text),
                         conclave_progress_get(cluster, 1, NULL, &number),
                         conclave_status(cluster, &status)};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        told += codes[i] != 0;
    free(text);
    conclave_tasks_close(&tasks);
    printf("%llu errors\n", told);
}

int main(int argc, char **argv)
{
    struct conclave_options options = {.size = sizeof options, .timeout_us = 500000};
    (void)argv;
    cluster = conclave_open(argc > 1 ? &options : NULL);
    if (argc > 1) {
        ask_a_liar();
    } else {
        close_in_another_order();
        use_after_a_fork();
        look_without_waiting();
        use_in_threads();
        puts("all is well");
    }
    conclave_close(&cluster);
    return 0;
}
