/* load.c - many small jobs through a few clients, each from its submit to its result.
 *
 *     load --broker ADDRESS [--access FILE | --insecure] [--clients N] [--window N] [--jobs N]
 * [KIND ARGUMENT]
 *
 * Every client is a thread with a connection of its own, and has `--window` jobs on their way, each
 * with a free key, as `conclave submit` would have it. The submissions are those of the product
 * (clients/ask/submission.h): also over lost coordinators. All results must be the same text.
 * Prints one line of JSON: jobs, seconds, jobs a second, the processor time of this program, and
 * percentiles of what a job took. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clients/ask/connection.h"
#include "clients/ask/interrupt.h"
#include "clients/ask/latency.h"
#include "clients/ask/submission.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/bus/bus.h"

#define CLIENTS_MAX 64
#define WINDOW_MAX  4096
#define POLL_US     (5 * SECOND_US)       /* how long the coordinator may hold an answer back */
#define PATIENCE_US (15 * 60 * SECOND_US) /* then something is wrong with the cluster */

static struct {
    const char *broker, *access;
    bool insecure;
    uint64_t clients, window, jobs;
} options = {.clients = 4, .window = 64, .jobs = 2000};

static const struct option_spec specs[] = {
    {"broker", OPTION_STRING, &options.broker, 0, 0, "ADDRESS", "of the cluster"},
    {"access", OPTION_STRING, &options.access, 0, 0, "FILE", "the key to come with"},
    {"insecure", OPTION_FLAG, &options.insecure, 0, 0, NULL, "for a cluster without keys"},
    {"clients", OPTION_U64, &options.clients, 1, CLIENTS_MAX, "N", "connections (default 4)"},
    {"window", OPTION_U64, &options.window, 1, WINDOW_MAX, "N",
     "jobs on their way, each client (default 64)"},
    {"jobs", OPTION_U64, &options.jobs, 1, 1000000000, "N",
     "of all clients together (default 2000)"},
    {0}};

struct flight {
    struct submission submission;
    uint64_t began_us;
};

struct worker {
    pthread_t thread;
    struct client *client;
    const struct jobspec *spec;
    struct flight *flights; /* options.window of them */
    uint64_t left, done, deadline_us;
    struct latency latency;
    char *result; /* of the first job */
    size_t result_len;
    bool failed;
};

static bool fail(struct worker *worker, const char *reason)
{
    fprintf(stderr, "load: %s\n", reason);
    worker->failed = true;
    return false;
}

static void begin(struct worker *worker, struct flight *flight)
{
    *flight = (struct flight){.began_us = clock_now_us()};
    flight->submission.spec = *worker->spec;
    flight->submission.poll_us = POLL_US;
    flight->submission.deadline_us = worker->deadline_us;
    jobspec_new_key(flight->submission.key);
    submission_start(&flight->submission, worker->client);
    worker->left--;
}

/* Looks at the end of a job. */
static bool check(struct worker *worker, const struct submission *submission)
{
    const struct wire_job_row *row = submission_row(submission);
    if (submission->exit_code)
        return fail(worker, submission->reason.at);
    if (!slice_equals(row->state, "done"))
        return fail(worker, "a job has failed or was cancelled");
    if (!worker->result) {
        worker->result_len = row->text.len;
        worker->result = mem_new(row->text.len + 1, 1);
        memcpy(worker->result, row->text.at, row->text.len);
    }
    if (!slice_equals(row->text, worker->result))
        return fail(worker, "two equal jobs have unlike results");
    return true;
}

static bool take(struct worker *worker, struct client_call *call)
{
    struct submission *submission = call->context;
    struct flight *flight = (struct flight *)(void *)submission; /* its first member */
    submission_take(submission, worker->client, call);
    if (!submission->ended)
        return true;
    bool good = check(worker, submission);
    latency_add(&worker->latency, clock_now_us() - flight->began_us);
    submission->spec = (struct jobspec){0}; /* shared by all */
    submission_clear(submission);
    worker->done++;
    if (good && worker->left)
        begin(worker, flight);
    return good;
}

static void *work(void *context)
{
    struct worker *worker = context;
    uint64_t wanted = worker->left;
    for (uint64_t i = 0; i < options.window && worker->left; i++)
        begin(worker, &worker->flights[i]);
    while (worker->done < wanted && !worker->failed) {
        if (client_work(worker->client, UINT64_MAX) == ERR_INTERRUPTED) {
            fail(worker, "interrupted");
            break;
        }
        for (struct client_call *call; (call = client_finished(worker->client));)
            if (!take(worker, call))
                break;
    }
    return NULL;
}

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / SECOND_US;
}

static void add_up(struct latency *sum, const struct latency *latency)
{
    sum->n += latency->n;
    if (sum->max_us < latency->max_us)
        sum->max_us = latency->max_us;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        sum->counts[i] += latency->counts[i];
}

/* Returns the exit code. */
static int report(struct worker *workers, double seconds)
{
    static struct latency all;
    uint64_t done = 0;
    int code = EXIT_OK;
    for (uint64_t i = 0; i < options.clients; i++) {
        struct worker *worker = &workers[i];
        add_up(&all, &worker->latency);
        done += worker->done;
        if (worker->failed)
            code = EXIT_FAILED;
        else if (worker->result && workers[0].result &&
                 strcmp(worker->result, workers[0].result) != 0)
            code = EXIT_FAILED;
    }
    const char *text = workers[0].result ? workers[0].result : "";
    json_t *times =
        json_pack("{s:f, s:f, s:f}", "p50", (double)latency_percentile(&all, 50) / MS_US, "p99",
                  (double)latency_percentile(&all, 99) / MS_US, "max", (double)all.max_us / MS_US);
    json_t *line =
        json_pack("{s:I, s:f, s:f, s:f, s:o, s:s}", "jobs", (json_int_t)done, "seconds", seconds,
                  "jobs_per_second", (double)done / seconds, "processor_seconds",
                  processor_seconds(), "latency_ms", times, "result", text);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(line);
    return code;
}

static int run(void *context, const struct addresses *brokers, const struct entry *entry,
               const struct jobspec *spec)
{
    struct worker *workers = mem_new(options.clients, sizeof *workers);
    uint64_t start_us = clock_now_us();
    for (uint64_t i = 0; i < options.clients; i++) {
        struct worker *worker = &workers[i];
        worker->client = client_new(context, brokers, entry);
        worker->spec = spec;
        worker->left = options.jobs / options.clients + (i < options.jobs % options.clients);
        worker->deadline_us = start_us + PATIENCE_US;
        worker->flights = mem_new(options.window, sizeof *worker->flights);
        if (pthread_create(&worker->thread, NULL, work, worker))
            panic("no thread for a client");
    }
    for (uint64_t i = 0; i < options.clients; i++)
        pthread_join(workers[i].thread, NULL);
    int code = report(workers, (double)(clock_now_us() - start_us) / SECOND_US);
    for (uint64_t i = 0; i < options.clients; i++) {
        client_destroy(&workers[i].client);
        free(workers[i].flights);
        free(workers[i].result);
    }
    free(workers);
    return code;
}

int main(int argc, char **argv)
{
    char kind[] = "factorial", number[] = "10", *tiny[] = {kind, number};
    char why[TEXT_MAX];
    int n_words = 0;
    struct addresses brokers;
    struct jobspec spec;
    struct entry entry;
    if (options_parse(specs, argc, argv, &n_words, why) ||
        addresses_parse(options.broker ? options.broker : BROKER_DEFAULT, &brokers, why) ||
        jobspec_parse(n_words ? n_words : 2, n_words ? argv + 1 : tiny, &spec, why)) {
        fprintf(stderr, "load: %s\n", why);
        return EXIT_USAGE;
    }
    if (options.insecure)
        entry_without_keys(&entry);
    else
        entry_find(options.access, NULL, &entry);
    interrupt_open();
    void *context = bus_open();
    int code = spec.inputs ? EXIT_USAGE : run(context, &brokers, &entry, &spec);
    if (spec.inputs)
        fprintf(stderr, "load: %s takes inputs; jobs without are submitted here\n", spec.kind);
    bus_close(context);
    entry_clear(&entry);
    jobspec_clear(&spec);
    return code;
}
