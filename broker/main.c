/* main.c - conclave-broker: options, and what is wrong with them. */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/settings.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/log_file.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/base/standard.h"
#include "shared/base/text.h"
#include "shared/base/urgency.h"
#include "shared/base/version.h"

#define ARENAS_MAX 2 /* the loop's and that of ZeroMQ's thread */
/* Pieces of results have pages of their own, which go back to the system at once. Left alone, glibc
 * would take the first one that is freed for a sign to keep all of that size. */
#define LARGE_BYTES (128 * 1024)

static void help(void)
{
    printf("usage: conclave-broker [options]\n\n"
           "The front door of a cluster: passes requests of clients on to the coordinator and\n"
           "relays the nodes' heartbeats and events. Any number of brokers may run.\n\n");
    broker_settings_help(stdout);
    printf(
        "\nEvery option is also an environment variable: --log-level is CONCLAVE_LOG_LEVEL.\n"
        "Exit codes: 0 ended by SIGTERM or SIGINT, 1 failure, 2 bad options, 8 a port in use or\n"
        "too few descriptors.\n");
}

static int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int refuse(const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    fprintf(stderr, "conclave-broker: %s\n", line.at);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    char why[TEXT_MAX];
    int n_words;
    struct broker_settings options;
    standard_take();
    if (broker_settings_read(&options, argc, argv, &n_words, why))
        return refuse("%s", why);
    if (n_words) {
        char word[TEXT_MAX / 4];
        return refuse("'%s' is not an option; --help lists them",
                      text_escape(word, sizeof word, slice_of(argv[1])));
    }
    if (options.help || options.version || options.completion) {
        if (options.help)
            help();
        else if (options.version)
            printf("conclave-broker %s\n", CONCLAVE_VERSION);
        else if (!broker_settings_complete(options.completion, stdout))
            return refuse("--completion takes bash, zsh or fish");
        return options_printed("conclave-broker");
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    urgency_high();
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    log_open("broker", options.level);
    log_file_limit(options.log_limit_bytes);
    struct broker_config config;
    char *peers = options.peers ? mem_string(options.peers) : NULL;
    int code = broker_settings_apply(&options, peers, &config, why) ? refuse("%s", why)
                                                                    : broker_run(&config);
    free(peers);
    return code;
}
