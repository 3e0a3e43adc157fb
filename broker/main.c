/* main.c - conclave-broker: options, and what is wrong with them. */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/base/text.h"
#include "shared/base/version.h"

#define ARENAS_MAX 2 /* the loop's and that of ZeroMQ's thread */
/* Pieces of results have pages of their own, which go back to the system at once. Left alone, glibc
 * would take the first one that is freed for a sign to keep all of that size. */
#define LARGE_BYTES (128 * 1024)

static struct {
    uint64_t port, front, nodes, voters, silence_us;
    const char *bind, *peers;
    enum log_level level;
    bool help, version;
} options = {.port = PORT_DEFAULT,
             .nodes = NODES_DEFAULT,
             .silence_us = ELECTION_TIMEOUT_DEFAULT_US,
             .bind = "127.0.0.1",
             .level = LOG_INFO};

static const struct option_spec specs[] = {
    {"port", OPTION_U64, &options.port, 1, PORT_LIMIT - 1, "P",
     "the cluster's port; node i is at P+100+10i (default 7000)"},
    {"front", OPTION_U64, &options.front, 1, PORT_LIMIT - 2, "PORT",
     "where clients connect; the feed is at the next port (default: --port)"},
    {"bind", OPTION_STRING, &options.bind, 0, 0, "ADDRESS", "listen there (default 127.0.0.1)"},
    {"nodes", OPTION_U64, &options.nodes, 1, NODES_MAX, "N",
     "how many nodes the cluster has (default 6)"},
    {"voters", OPTION_U64, &options.voters, 1, NODES_MAX, "K", "nodes 1..K vote (default: all)"},
    {"peers", OPTION_STRING, &options.peers, 0, 0, "HOST1,HOST2,...",
     "hosts of node 1..N (default: all 127.0.0.1)"},
    {"silence", OPTION_DURATION, &options.silence_us, 10 * MS_US, 600 * SECOND_US, "TIME",
     "a node silent for this long is not alive (default 500ms)"},
    {"log-level", OPTION_LEVEL, &options.level, 0, 0, "LEVEL",
     "error, warn, info or debug (default info)"},
    {"help", OPTION_FLAG, &options.help, 0, 0, NULL, "show this"},
    {"version", OPTION_FLAG, &options.version, 0, 0, NULL, "show the version"},
    {0}};

static void help(void)
{
    printf("usage: conclave-broker [options]\n\n"
           "The front door of a cluster: passes requests of clients on to the coordinator and\n"
           "relays the nodes' heartbeats and events. Any number of brokers may run.\n\n");
    options_help(specs, stdout);
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

/* Cuts the copy of --peers at its commas. Returns how many hosts there are, 0 when one is empty. */
static uint32_t split_peers(char *list, const char *hosts[NODES_MAX + 1])
{
    uint32_t n = 0;
    char *rest = list;
    for (char *host; (host = strsep(&rest, ", ")) && n <= NODES_MAX;) {
        if (!*host)
            return 0;
        if (++n <= NODES_MAX)
            hosts[n] = host;
    }
    return n;
}

static int configure(struct broker_config *config, char *peers)
{
    uint64_t front = options.front ? options.front : options.port;
    uint64_t last =
        options.port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * options.nodes + PLANE_COUNT;
    *config = (struct broker_config){.bind = options.bind,
                                     .port = (uint32_t)options.port,
                                     .front = (uint32_t)front,
                                     .n_nodes = (uint32_t)options.nodes,
                                     .n_voters = (uint32_t)(options.voters ? options.voters
                                                                           : options.nodes),
                                     .silence_us = options.silence_us};
    if (last > PORT_LIMIT || front + 1 >= PORT_LIMIT)
        return refuse("--port %" PRIu64 ": the ports of %" PRIu64 " nodes would reach beyond %d",
                      options.port, options.nodes, PORT_LIMIT - 1);
    if (config->n_voters > config->n_nodes)
        return refuse("--voters %" PRIu64 ": there are only %" PRIu64 " nodes", options.voters,
                      options.nodes);
    for (uint32_t id = 1; id <= config->n_nodes; id++)
        config->peers[id] = "127.0.0.1";
    uint32_t hosts = peers ? split_peers(peers, config->peers) : config->n_nodes;
    if (hosts != config->n_nodes)
        return refuse("--peers must name one host per node: %" PRIu64 " hosts with commas between",
                      options.nodes);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    char why[TEXT_MAX];
    int n_words;
    if (options_parse(specs, argc, argv, &n_words, why))
        return refuse("%s", why);
    if (n_words) {
        char word[TEXT_MAX / 4];
        return refuse("'%s' is not an option; --help lists them",
                      text_escape(word, sizeof word, slice_of(argv[1])));
    }
    if (options.help || options.version) {
        if (options.help)
            help();
        else
            printf("conclave-broker %s\n", CONCLAVE_VERSION);
        return EXIT_OK;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    log_open("broker", options.level);
    struct broker_config config;
    char *peers = options.peers ? mem_string(options.peers) : NULL;
    int code = configure(&config, peers);
    if (code == EXIT_OK)
        code = broker_run(&config);
    free(peers);
    return code;
}
