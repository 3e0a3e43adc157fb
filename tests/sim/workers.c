#include "tests/sim/workers.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/text.h"

#define SEED_SECONDS_MAX 120 /* of a processor: a seed that takes longer hangs */
#define TWICE_EVERY      64  /* so many seeds: one is run twice, and must tell the same story */

/* Shared by the parent and its children. */
struct board {
    uint64_t next; /* seed to run; taken atomically */
    bool stop;
    struct report reports[WORKERS_MAX];
};

struct child {
    pid_t pid;
    FILE *output; /* its stderr */
    struct board *board;
    struct report *report;
    enum mutant mutant;
};

static struct child children[WORKERS_MAX];
static struct report *own; /* in a child: where it reports */

static void note_failure(const char *check, const char *text)
{
    own->failed = true;
    text_format(own->check, sizeof own->check, "%s", check);
    text_format(own->text, sizeof own->text, "%s", text);
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct report *sum, const struct swarm_result *result)
{
    const uint64_t *from = (const uint64_t *)&result->counts;
    uint64_t *to = (uint64_t *)&sum->counts;
    for (size_t i = 0; i < sizeof sum->counts / sizeof *to; i++)
        to[i] += from[i];
    if (result->settle_us > sum->settle_us)
        sum->settle_us = result->settle_us;
}

/* A seed that hangs ends by SIGPROF. It counts the time that the processor gave it: by the clock on
 * the wall, a heavy seed under sanitizers on a machine that is busy with others would hang, too. A
 * seed never waits for anything, so one that makes no progress uses its processor. */
static void limit_time(void)
{
    struct itimerval timer = {.it_value.tv_sec = SEED_SECONDS_MAX};
    if (setitimer(ITIMER_PROF, &timer, NULL))
        panic("cannot limit the time of a seed");
}

static void run_seed(uint64_t seed)
{
    own->seed = seed;
    limit_time();
    struct swarm_result result = swarm_run(seed, false);
    if (seed % TWICE_EVERY == 0 && swarm_run(seed, false).hash != result.hash) {
        note_failure("the same seed tells the same story", "it told another");
        exit(1);
    }
    add(own, &result);
    own->seeds++;
}

static void run_child(struct board *board, struct range range, enum mutant mutant)
{
    double end = now_seconds() + range.seconds;
#ifdef CONCLAVE_MUTANTS
    if (mutant)
        mutant_planted = mutant;
#else
    (void)mutant;
#endif
    world_on_failure = note_failure;
    while (!board->stop && (!range.seconds || now_seconds() < end)) {
        uint64_t seed = __atomic_fetch_add(&board->next, 1, __ATOMIC_RELAXED);
        if (!range.seconds && seed - range.first >= range.count)
            break;
        run_seed(seed);
    }
    exit(0);
}

static struct board *new_board(struct range range)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        panic("no shared memory for the workers");
    board->next = range.first;
    return board;
}

static void begin(struct child *child, struct board *board, struct report *report,
                  struct range range, enum mutant mutant)
{
    *child =
        (struct child){.output = tmpfile(), .board = board, .report = report, .mutant = mutant};
    if (!child->output)
        panic("no temporary file for a worker");
    fflush(stdout);
    child->pid = fork();
    if (child->pid < 0)
        panic("cannot start a worker");
    if (child->pid)
        return;
    own = report;
    dup2(fileno(child->output), STDERR_FILENO);
    run_child(board, range, mutant);
}

/* What it said last: an assertion of the cores, a sanitizer's finding. */
static void read_output(struct child *child)
{
    struct report *report = child->report;
    char line[TEXT_MAX];
    rewind(child->output);
    while (!report->text[0] && fgets(line, sizeof line, child->output)) {
        line[strcspn(line, "\n")] = '\0';
        text_format(report->text, sizeof report->text, "%s", line);
    }
    fclose(child->output);
}

/* Waits for any child. */
static struct child *wait_for_one(void)
{
    int status;
    pid_t pid = wait(&status);
    for (size_t i = 0; pid > 0 && i < WORKERS_MAX; i++) {
        struct child *child = &children[i];
        if (child->pid != pid)
            continue;
        child->pid = 0;
        if (status && !child->report->failed) {
            bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
            child->report->failed = true;
            text_format(child->report->check, sizeof child->report->check, "%s",
                        hangs ? "a seed ends" : "no assertion of the cores fails");
        }
        read_output(child);
        return child;
    }
    panic("no worker to wait for");
}

struct report workers_run(struct range range, unsigned jobs)
{
    struct board *board = new_board(range);
    struct report sum = {0};
    for (unsigned i = 0; i < jobs; i++)
        begin(&children[i], board, &board->reports[i], range, MUTANT_none);
    for (unsigned i = 0; i < jobs; i++) {
        const struct report *report = wait_for_one()->report;
        add(&sum, &(struct swarm_result){.counts = report->counts, .settle_us = report->settle_us});
        sum.seeds += report->seeds;
        if (report->failed && !sum.failed) {
            board->stop = true;
            sum.failed = true;
            sum.seed = report->seed;
            memcpy(sum.check, report->check, sizeof sum.check);
            memcpy(sum.text, report->text, sizeof sum.text);
        }
    }
    munmap(board, sizeof *board);
    return sum;
}

void workers_begin_mutant(enum mutant mutant, struct range range)
{
    size_t free = 0;
    while (children[free].pid)
        free++;
    struct board *board = new_board(range);
    begin(&children[free], board, &board->reports[0], range, mutant);
}

enum mutant workers_wait(struct report *report)
{
    struct child *child = wait_for_one();
    *report = *child->report;
    munmap(child->board, sizeof *child->board);
    return child->mutant;
}
