/* gearman_jobs.c - jobs a second of gearmand, to put beside Conclave's: 10! as text, in memory.
 *
 *     gearman_jobs PORT WORKERS CLIENTS WINDOW JOBS
 *
 * Workers and clients are threads with a connection each, by Gearman's own library. A client hands
 * in WINDOW jobs, and the next WINDOW when all of them are answered. Prints jobs a second and the
 * processor time of this program in seconds. The workers are never joined: the process ends with
 * the last answer. */
#include <libgearman/gearman.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define HOST        "127.0.0.1"
#define FUNCTION    "factorial"
#define THREADS_MAX 64
#define TEXT_ROOM   32 /* 20! has 19 digits */

static in_port_t port;
static uint64_t window;

struct client {
    pthread_t thread;
    gearman_client_st *client;
    uint64_t jobs, right;
};

static void *factorial(gearman_job_st *job, void *context, size_t *len, gearman_return_t *outcome)
{
    (void)context;
    char number[TEXT_ROOM] = {0}, *text = malloc(TEXT_ROOM); /* the library frees it */
    size_t given = gearman_job_workload_size(job);
    memcpy(number, gearman_job_workload(job), given < sizeof number ? given : sizeof number - 1);
    uint64_t product = 1;
    for (uint64_t i = strtoul(number, NULL, 10); i > 1; i--)
        product *= i;
    *len = text ? (size_t)snprintf(text, TEXT_ROOM, "%lu", (unsigned long)product) : 0;
    *outcome = text ? GEARMAN_SUCCESS : GEARMAN_FAIL;
    return text;
}

static void *work(void *context)
{
    gearman_worker_st *worker = context;
    while (gearman_worker_work(worker) == GEARMAN_SUCCESS)
        continue;
    fprintf(stderr, "gearman_jobs: a worker: %s\n", gearman_worker_error(worker));
    exit(1);
}

static gearman_return_t take(gearman_task_st *task)
{
    struct client *client = gearman_task_context(task);
    size_t len = gearman_task_data_size(task);
    client->right += len == 7 && !memcmp(gearman_task_data(task), "3628800", len);
    return GEARMAN_SUCCESS;
}

static void *ask(void *context)
{
    struct client *client = context;
    gearman_return_t outcome = GEARMAN_SUCCESS;
    for (uint64_t asked = 0; asked < client->jobs && outcome == GEARMAN_SUCCESS;) {
        for (uint64_t i = 0; i < window && asked < client->jobs; i++, asked++)
            gearman_client_add_task(client->client, NULL, client, FUNCTION, NULL, "10", 2,
                                    &outcome);
        if (outcome == GEARMAN_SUCCESS)
            outcome = gearman_client_run_tasks(client->client);
        gearman_client_task_free_all(client->client);
    }
    if (outcome != GEARMAN_SUCCESS)
        fprintf(stderr, "gearman_jobs: a client: %s\n", gearman_client_error(client->client));
    return NULL;
}

static void start_worker(void)
{
    pthread_t thread;
    gearman_worker_st *worker = gearman_worker_create(NULL);
    if (!worker || gearman_worker_add_server(worker, HOST, port) != GEARMAN_SUCCESS ||
        gearman_worker_add_function(worker, FUNCTION, 0, factorial, NULL) != GEARMAN_SUCCESS ||
        pthread_create(&thread, NULL, work, worker))
        panic("no worker");
}

static void start_client(struct client *client)
{
    client->client = gearman_client_create(NULL);
    if (!client->client || gearman_client_add_server(client->client, HOST, port) != GEARMAN_SUCCESS)
        panic("no client");
    gearman_client_set_complete_fn(client->client, take);
    if (pthread_create(&client->thread, NULL, ask, client))
        panic("no thread for a client");
}

int main(int argc, char **argv)
{
    uint64_t given[5] = {0};
    for (int i = 0; i < 5 && argc == 6; i++)
        given[i] = strtoull(argv[i + 1], NULL, 10);
    uint64_t workers = given[1], clients = given[2], jobs = given[4], right = 0;
    if (!given[0] || !workers || !clients || !given[3] || !jobs || workers > THREADS_MAX ||
        clients > THREADS_MAX) {
        fprintf(stderr, "usage: gearman_jobs PORT WORKERS CLIENTS WINDOW JOBS\n");
        return 2;
    }
    port = (in_port_t)given[0];
    window = given[3];
    for (uint64_t i = 0; i < workers; i++)
        start_worker();
    static struct client all[THREADS_MAX];
    uint64_t start_us = clock_now_us();
    for (uint64_t i = 0; i < clients; i++) {
        all[i].jobs = jobs / clients + (i < jobs % clients);
        start_client(&all[i]);
    }
    for (uint64_t i = 0; i < clients; i++) {
        pthread_join(all[i].thread, NULL);
        right += all[i].right;
    }
    double seconds = (double)(clock_now_us() - start_us) / SECOND_US;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.0f %.3f\n", (double)jobs / seconds,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / SECOND_US);
    if (right != jobs)
        fprintf(stderr, "gearman_jobs: %lu of %lu results are right\n", (unsigned long)right,
                (unsigned long)jobs);
    fflush(stdout);
    _Exit(right != jobs);
}
