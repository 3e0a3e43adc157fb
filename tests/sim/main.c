/* The simulator: seeds by number, by count, or for a time; and the mutants. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/sim/workers.h"

#define FAULTS_FROM_SEEDS 500 /* in a run of so many seeds every fault must have fired */
#define MUTANT_SEEDS_MAX  20000

struct settings {
    struct range range;
    bool has_first, story, all_mutants;
    unsigned jobs;
    const char *results; /* a file for the sum "passed failed" */
    const char *program;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void write_results(const struct settings *settings, unsigned passed, unsigned failed)
{
    FILE *file = settings->results ? fopen(settings->results, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "%u %u\n", passed, failed);
    fclose(file);
}

/* --- one seed --- */

static int tell(const struct settings *settings)
{
    uint64_t seed = settings->range.first;
    struct swarm_result result = swarm_run(seed, true);
    printf("seed %" PRIu64 ": %" PRIu64 " steps, %.1f s simulated, settled %.1f s after healing; "
           "trace hash %016" PRIx64 "\n",
           seed, result.counts.steps, (double)result.counts.simulated_us / 1e6,
           (double)result.settle_us / 1e6, result.hash);
    return EXIT_OK;
}

/* --- many seeds --- */

static void print_sums(const struct report *sum, double took)
{
    const struct world_counts *counts = &sum->counts;
    printf("%" PRIu64 " seeds in %.1f s (%.0f a minute), %.2f hours simulated, %.0f steps/s\n",
           sum->seeds, took, (double)sum->seeds * 60 / took, (double)counts->simulated_us / 3600e6,
           (double)counts->steps / took);
    printf("%" PRIu64 " messages, %" PRIu64 " elections, %" PRIu64 " jobs done, %" PRIu64
           " cancelled, %" PRIu64 " failed, %" PRIu64 " reads; settled at the latest %.1f s after "
           "healing\n",
           counts->messages, counts->elections, counts->jobs_done, counts->jobs_cancelled,
           counts->jobs_failed, counts->reads, (double)sum->settle_us / 1e6);
    printf("%" PRIu64 " transfers, %" PRIu64 " snapshots complete, %" PRIu64
           " of them with money in channels, %" PRIu64 " partial; each verified\n%" PRIu64
           " forgotten keys were refused\n%" PRIu64
           " stored values uploaded and read back, %" PRIu64 " dropped, %" PRIu64
           " too old\n%" PRIu64 " jobs folded parts, each as it should\n%" PRIu64
           " commands of tasks, with %" PRIu64
           " files, compared with what their client meant, %" PRIu64
           " second copies of slow tasks\n",
           counts->transfers, counts->snapshots_complete, counts->snapshots_holding,
           counts->snapshots_partial, counts->forgotten, counts->values, counts->values_dropped,
           counts->values_aged, counts->folds, counts->commands, counts->task_files,
           counts->copies);
    printf("%" PRIu64 " clusters restored from snapshots, in which %" PRIu64
           " tasks had ended and %" PRIu64 " that may begin once were begun\n",
           counts->restored, counts->restored_ended, counts->restored_begun);
}

static unsigned print_faults(const struct report *sum)
{
    unsigned never = 0;
    for (int fault = 0; fault < FAULT_KINDS; fault++) {
        uint64_t n = sum->counts.faults[fault];
        printf("%12" PRIu64 "  %s\n", n, swarm_fault_text((enum fault)fault));
        never += n == 0;
    }
    return never;
}

static int run_seeds(const struct settings *settings)
{
    double began = seconds();
    if (settings->range.seconds)
        printf("seeds from %" PRIu64 " on, for %u s, %u at a time\n", settings->range.first,
               settings->range.seconds, settings->jobs);
    struct report sum = workers_run(settings->range, settings->jobs);
    print_sums(&sum, seconds() - began);
    unsigned never = print_faults(&sum);
    if (sum.failed) {
        printf("FAIL  seed %" PRIu64 ": %s: %s\n      its story: make sim SEED=%" PRIu64 "\n",
               sum.seed, sum.check, sum.text, sum.seed);
        write_results(settings, 0, 1);
        return EXIT_FAILED;
    }
    if (!sum.counts.snapshots_holding && sum.seeds >= FAULTS_FROM_SEEDS) {
        printf("FAIL  no snapshot held money in a channel\n");
        write_results(settings, 0, 1);
        return EXIT_FAILED;
    }
    if (!sum.counts.copies && sum.seeds >= FAULTS_FROM_SEEDS) {
        printf("FAIL  no slow task had a second copy\n");
        write_results(settings, 0, 1);
        return EXIT_FAILED;
    }
    if (never && sum.seeds >= FAULTS_FROM_SEEDS) {
        printf("FAIL  %u kinds of faults never fired\n", never);
        write_results(settings, 0, 1);
        return EXIT_FAILED;
    }
    printf("sim: every check held\n");
    write_results(settings, 1, 0);
    return EXIT_OK;
}

/* --- mutants --- */

static const char *const mutant_names[] = {"none",
#define X(name, text) #name,
                                           MUTANTS(X)
#undef X
};

static const char *const mutant_texts[] = {"",
#define X(name, text) text,
                                           MUTANTS(X)
#undef X
};

#ifdef CONCLAVE_MUTANTS
static int plant(const char *name)
{
    for (int mutant = 1; mutant < MUTANT_KINDS; mutant++) {
        if (strcmp(name, mutant_names[mutant]) == 0) {
            mutant_planted = (enum mutant)mutant;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* The seeds that catch them at once: from seed 1 on these take hundreds. Where the stories have
 * changed since, any other beginning is as good; tests/tools/mutant-seeds.py says how good. */
static const uint64_t rare_from[MUTANT_KINDS] = {
    [MUTANT_begun_waits] = 2687,          [MUTANT_lacking_file_is_failure] = 591,
    [MUTANT_lacking_file_begins] = 591,   [MUTANT_commit_unverified] = 515,
    [MUTANT_install_keeps_suffix] = 335,  [MUTANT_old_ack_confirms] = 895,
    [MUTANT_second_source_ignored] = 217, [MUTANT_unconfirmed_reads] = 1190,
    [MUTANT_lost_is_there] = 217,
};

static struct range range_for(enum mutant mutant, struct range range)
{
    if (range.first == 1 && rare_from[mutant])
        range.first = rare_from[mutant];
    return range;
}

static int run_mutants(const struct settings *settings)
{
    struct report reports[MUTANT_KINDS];
    unsigned survivors = 0;
    int begun = 0, ended = 0, next = 1;
    double began = seconds();
    while (ended < MUTANT_KINDS - 1) {
        if (next < MUTANT_KINDS && (unsigned)(begun - ended) < settings->jobs) {
            workers_begin_mutant((enum mutant)next, range_for((enum mutant)next, settings->range));
            next++;
            begun++;
            continue;
        }
        struct report report;
        reports[workers_wait(&report)] = report;
        ended++;
    }
    for (int mutant = 1; mutant < MUTANT_KINDS; mutant++) {
        const struct report *report = &reports[mutant];
        survivors += !report->failed;
        if (report->failed)
            printf("| `%s` | %s | %" PRIu64 " | %s |\n", mutant_names[mutant], mutant_texts[mutant],
                   report->seed, report->check);
        else
            printf("FAIL  mutant %s (%s) survived %" PRIu64 " seeds\n", mutant_names[mutant],
                   mutant_texts[mutant], report->seeds);
    }
    printf("mutants: %d caught, %u survived, in %.0f s\n", MUTANT_KINDS - 1 - (int)survivors,
           survivors, seconds() - began);
    write_results(settings, MUTANT_KINDS - 1 - survivors, survivors);
    return survivors ? EXIT_FAILED : EXIT_OK;
}
#else
static int plant(const char *name)
{
    (void)name;
    (void)mutant_names;
    return ERR_UNSUPPORTED;
}

static int run_mutants(const struct settings *settings)
{
    (void)settings;
    (void)mutant_texts;
    fprintf(stderr, "this build has no mutants: make mutants\n");
    return EXIT_USAGE;
}
#endif

/* --- the command line --- */

static void usage(FILE *to)
{
    fputs("usage: sim [--seed N | --seeds N [--from N] | --seconds N [--from N]] [--jobs N]\n"
          "           [--mutant NAME | --mutants] [--results FILE]\n"
          "  --seed N      run one seed and print its story\n"
          "  --seeds N     run so many seeds, from 1 or --from\n"
          "  --seconds N   run seeds for so long, from a fresh one or --from\n"
          "  --jobs N      so many at a time (one a processor)\n"
          "  --mutant M    with a known bug planted (builds with MUTANTS=1 only)\n"
          "  --mutants     every one, each until a check catches it\n",
          to);
}

static uint64_t number(const char *text)
{
    uint64_t value;
    if (parse_u64(slice_of(text), UINT64_MAX, &value)) {
        fprintf(stderr, "sim: '%s' is no number\n", text);
        exit(EXIT_USAGE);
    }
    return value;
}

static void take_option(struct settings *settings, int option, const char *value)
{
    switch (option) {
    case 's':
        settings->story = settings->has_first = true;
        settings->range.first = number(value);
        break;
    case 'n':
        settings->range.count = number(value);
        break;
    case 'f':
        settings->has_first = true;
        settings->range.first = number(value);
        break;
    case 't':
        settings->range.seconds = (unsigned)number(value);
        break;
    case 'j':
        settings->jobs = (unsigned)number(value);
        break;
    case 'r':
        settings->results = value;
        break;
    case 'M':
        settings->all_mutants = true;
        break;
    case 'm':
        if (plant(value) == OK)
            break;
        fprintf(stderr, "sim: no mutant '%s' in this build\n", value);
        exit(EXIT_USAGE);
    case 'h':
        usage(stdout);
        exit(EXIT_OK);
    default:
        usage(stderr);
        exit(EXIT_USAGE);
    }
}

static void parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'}, {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'}, {"seconds", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'}, {"mutant", required_argument, NULL, 'm'},
        {"mutants", no_argument, NULL, 'M'},    {"results", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},       {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(settings, option, optarg);
    if (optind < argc) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!settings->jobs)
        settings->jobs = processors > 0 ? (unsigned)processors : 1;
    if (settings->jobs > WORKERS_MAX)
        settings->jobs = WORKERS_MAX;
    if (!settings->has_first && settings->range.seconds) {
        uint32_t fresh = 1;
        if (getrandom(&fresh, sizeof fresh, 0) != sizeof fresh)
            fresh = (uint32_t)time(NULL);
        settings->range.first = (uint64_t)fresh << 20;
    } else if (!settings->has_first) {
        settings->range.first = 1;
    }
    if (!settings->range.count)
        settings->range.count = settings->all_mutants ? MUTANT_SEEDS_MAX : 1000;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    parse(&settings, argc, argv);
    if (settings.story)
        return tell(&settings);
    return settings.all_mutants ? run_mutants(&settings) : run_seeds(&settings);
}
