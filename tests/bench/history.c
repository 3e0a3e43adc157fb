/* history.c - what the replicated state costs when so many jobs are remembered: processor time of
 * one job from its acceptance to its end, with the oldest one forgotten; of a page of jobs, of a
 * search by key; of a checkpoint after so many jobs as come between two; of taking one in.
 *
 *     history REMEMBERED[:FORGOTTEN]...
 *
 * One line for each number of remembered jobs, after so many others were forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

#define BETWEEN 4096  /* jobs between two checkpoints: an entry for the submit, one for the end */
#define ASKED   20000 /* searches */
#define PAGES   200
#define WINDOW  100000 /* jobs that are forgotten before anything is measured */
#define MOST    20000000

struct bed {
    struct step step;
    struct state state;
    uint64_t submitted, finished, forgotten;
};

static uint64_t cpu_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static void apply(struct state *state, struct message *entry)
{
    state_apply(state, state->applied + 1, 1, entry);
    message_drop(&entry);
}

static void key_of(uint64_t number, char key[JOB_KEY_MAX])
{
    text_format(key, JOB_KEY_MAX, "8c5a7f0e-6f1d-4c7a-9b1e-%012llu", (unsigned long long)number);
}

static job_id_t submit(struct bed *bed)
{
    char key[JOB_KEY_MAX];
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    key_of(++bed->submitted, key);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "10"),
                                          .time_ms = bed->submitted};
    apply(&bed->state, entry);
    return (job_id_t)1 << JOB_INDEX_BITS | bed->state.applied;
}

/* As 10! ends: its four operations with the entry that ends it. */
static void finish(struct bed *bed, job_id_t job)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    done->job = job;
    done->source = 1;
    done->digits = 7;
    done->converter = 2;
    done->sha256 = (struct slice){hash, sizeof hash};
    done->text = done->head = done->tail = message_text(entry, "3628800");
    done->tallies.n = 1;
    done->tallies.at = message_room(entry, 1, sizeof *done->tallies.at);
    done->tallies.at[0] =
        (struct wire_tally){.node = 2, .operations = 4, .incarnation = 9, .executed = 4};
    done->ops.n = 4;
    done->ops.at = message_room(entry, 4, sizeof *done->ops.at);
    for (op_id_t op = 1; op <= 4; op++)
        done->ops.at[op - 1] = (struct wire_done_op){.op = op, .node = 2, .attempt = 1};
    apply(&bed->state, entry);
    bed->finished++;
}

static void one_job(struct bed *bed)
{
    finish(bed, submit(bed));
    struct job *job = state_forget_one(&bed->state);
    bed->forgotten += job != NULL;
    job_destroy(&job);
}

static struct checkpoint_build *build(struct bed *bed, uint64_t *longest_ns)
{
    uint64_t began = cpu_ns(), longest = 0;
    struct checkpoint_build *it = checkpoint_begin(&bed->state, CHECKPOINT_WHOLE);
    for (;;) {
        uint64_t took = cpu_ns() - began;
        longest = took > longest ? took : longest;
        if (checkpoint_is_done(it))
            break;
        bed->step.now_us += CHECKPOINT_SLICE_GAP_US;
        began = cpu_ns();
        checkpoint_pump(&bed->state);
    }
    *longest_ns = longest;
    return it;
}

static uint64_t measure_load(const struct bed *bed, const struct checkpoint *checkpoint)
{
    uint64_t began = cpu_ns();
    struct state *loaded = checkpoint_scratch_new(&bed->state);
    for (size_t i = 0; i < checkpoint->n; i++)
        if (checkpoint_load_part(loaded,
                                 (struct slice){checkpoint->parts[i]->at,
                                                checkpoint->parts[i]->len},
                                 NULL, NULL))
            panic("a part of the checkpoint cannot be read");
    uint64_t took = cpu_ns() - began;
    checkpoint_scratch_drop(&loaded);
    return took;
}

static uint64_t measure_searches(const struct bed *bed)
{
    char key[JOB_KEY_MAX];
    uint64_t began = cpu_ns(), found = 0;
    for (uint64_t i = 0; i < ASKED; i++) { /* half of them remembered, half forgotten */
        key_of(bed->submitted - i * 7919 % bed->submitted, key);
        found += jobs_find_key(&bed->state.jobs, slice_of(key)) ||
                 keys_is_forgotten(&bed->state.keys, KEY_OF_JOB, slice_of(key));
    }
    if (found != ASKED)
        panic("%llu keys are unknown", (unsigned long long)(ASKED - found));
    return cpu_ns() - began;
}

static uint64_t measure_pages(const struct bed *bed)
{
    const struct jobs *jobs = &bed->state.jobs;
    uint64_t began = cpu_ns();
    for (uint64_t page = 0; page < PAGES; page++) {
        struct message *message = message_new(MESSAGE_JOB_PAGE);
        struct wire_job_page *rows = &message->as.job_page;
        size_t at = jobs_after(jobs, jobs->at[page * 7919 % jobs->n]->id);
        rows->jobs.at = message_room(message, JOB_PAGE_MAX, sizeof *rows->jobs.at);
        for (; at < jobs->n && rows->jobs.n < JOB_PAGE_MAX; at++)
            job_write_row(message, jobs->at[at], &rows->jobs.at[rows->jobs.n++]);
        message_drop(&message);
    }
    return cpu_ns() - began;
}

static void measure(size_t remembered, uint64_t forgotten)
{
    struct bed bed = {
        .step = {.config = {.id = 1, .n_nodes = 3, .n_voters = 3, .jobs_kept_max = remembered},
                 .identity = {.cluster_id = {1}},
                 .term = 1,
                 .now_us = SECOND_US}};
    uint64_t first_ns, next_ns, longest_ns;
    state_init(&bed.state, &bed.step);
    while (bed.forgotten < forgotten)
        one_job(&bed);
    struct checkpoint_build *it = build(&bed, &first_ns); /* all of it is packed once */
    checkpoint_end(&bed.state, &it);

    uint64_t began = cpu_ns();
    for (size_t i = 0; i < BETWEEN; i++)
        one_job(&bed);
    uint64_t jobs_ns = cpu_ns() - began;
    began = cpu_ns();
    it = build(&bed, &longest_ns);
    next_ns = cpu_ns() - began;
    struct checkpoint *checkpoint = checkpoint_of(it);
    printf("%9zu %10llu %10.2f %10.2f %10.2f %12.2f %10.2f %12.2f\n", remembered,
           (unsigned long long)bed.forgotten, (double)jobs_ns / 1000 / BETWEEN,
           (double)measure_searches(&bed) / 1000 / ASKED,
           (double)measure_pages(&bed) / 1000 / PAGES, (double)next_ns / 1e6,
           (double)longest_ns / 1e6,
           (double)measure_load(&bed, checkpoint) / 1000 / (double)remembered);
    fflush(stdout);
    checkpoint_end(&bed.state, &it);
    state_clear(&bed.state);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: history REMEMBERED[:FORGOTTEN]...\n");
        return EXIT_USAGE;
    }
    printf("%9s %10s %10s %10s %10s %12s %10s %12s\n", "jobs", "jobs", "a job", "a search",
           "a page", "a checkpoint", "its slice", "loading");
    printf("%9s %10s %10s %10s %10s %12s %10s %12s\n", "kept", "forgotten", "us", "us", "us", "ms",
           "ms", "us a job");
    for (int i = 1; i < argc; i++) {
        const char *colon = strchr(argv[i], ':');
        struct slice first = {(const uint8_t *)argv[i],
                              colon ? (size_t)(colon - argv[i]) : strlen(argv[i])};
        uint64_t remembered, forgotten = WINDOW;
        if (parse_u64(first, MOST, &remembered) || !remembered ||
            (colon && parse_u64(slice_of(colon + 1), MOST, &forgotten))) {
            fprintf(stderr, "history: '%s' is not two numbers up to %d\n", argv[i], MOST);
            return EXIT_USAGE;
        }
        measure((size_t)remembered, forgotten);
    }
    return EXIT_OK;
}
