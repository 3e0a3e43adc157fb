#include "broker/settings.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/completion.h"
#include "shared/base/error.h"
#include "shared/base/options.h"
#include "shared/base/quorum.h"
#include "shared/base/text.h"

static const struct broker_settings defaults = {.port = PORT_DEFAULT,
                                                .nodes = NODES_DEFAULT,
                                                .quota_rate = QUOTA_RATE_DEFAULT,
                                                .silence_us = ELECTION_TIMEOUT_DEFAULT_US,
                                                .bind = "127.0.0.1",
                                                .level = LOG_INFO};
static struct broker_settings given;

static const struct option_spec specs[] = {
    {"port", OPTION_U64, &given.port, 1, PORT_LIMIT - 1, "P",
     "the cluster's port; node i is at P+100+10i (default 7000)"},
    {"front", OPTION_U64, &given.front, 1, PORT_LIMIT - 2, "PORT",
     "where clients connect; the feed is at the next port (default: --port)"},
    {"bind", OPTION_STRING, &given.bind, 0, 0, "ADDRESS", "listen there (default 127.0.0.1)"},
    {"access", OPTION_STRING, &given.access, 0, 0, "FILE",
     "this broker's key file; allowed.json, the list of all keys, is beside it (see conclave "
     "keys)"},
    {"insecure", OPTION_FLAG, &given.insecure, 0, 0, NULL,
     "run without keys: anyone who can reach the ports can do everything"},
    {"nodes", OPTION_U64, &given.nodes, 1, NODES_MAX, "N",
     "how many nodes the cluster has (default 6)"},
    {"voters", OPTION_U64, &given.voters, 1, NODES_MAX, "K",
     "nodes 1..K vote, until the nodes say so (default: all, at most 5)"},
    {"peers", OPTION_STRING, &given.peers, 0, 0, "HOST1,HOST2,...",
     "hosts of node 1..N (default: all 127.0.0.1)"},
    {"silence", OPTION_DURATION, &given.silence_us, 10 * MS_US, 600 * SECOND_US, "TIME",
     "a node silent for this long is not alive (default 500ms)"},
    {"quota-rate", OPTION_U64, &given.quota_rate, 0, QUOTA_RATE_MAX, "N",
     "how many requests a second a key may make (default 20000; 0: any number)"},
    {"log-level", OPTION_LEVEL, &given.level, 0, 0, "LEVEL",
     "error, warn, info or debug (default info)"},
    {"log-limit", OPTION_SIZE, &given.log_limit_bytes, 0, INT64_MAX, "SIZE",
     "when the log file on stderr reaches this size, rename it to FILE.1 (default 0: never)"},
    COMPLETION_OPTION(given.completion),
    {"help", OPTION_FLAG, &given.help, 0, 0, NULL, "show this"},
    {"version", OPTION_FLAG, &given.version, 0, 0, NULL, "show the version"},
    {0}};

int broker_settings_read(struct broker_settings *out, int argc, char **argv, int *n_words,
                         char *why)
{
    given = defaults;
    int error = options_parse(specs, argc, argv, n_words, why);
    *out = given;
    return error;
}

void broker_settings_help(FILE *out)
{
    options_help(specs, out);
}

bool broker_settings_complete(const char *shell, FILE *out)
{
    return completion_print("conclave-broker", specs, shell, out);
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

int broker_settings_apply(const struct broker_settings *settings, char *peers,
                          struct broker_config *config, char *why)
{
    uint64_t front = settings->front ? settings->front : settings->port;
    uint64_t last =
        settings->port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * settings->nodes + PLANE_COUNT;
    uint32_t voters = quorum_voters_default(settings->nodes);
    char shown[TEXT_MAX / 4];
    *config =
        (struct broker_config){.bind = settings->bind,
                               .access = settings->access,
                               .insecure = settings->insecure,
                               .port = (uint32_t)settings->port,
                               .front = (uint32_t)front,
                               .n_nodes = (uint32_t)settings->nodes,
                               .n_voters = settings->voters ? (uint32_t)settings->voters : voters,
                               .quota_rate = settings->quota_rate,
                               .silence_us = settings->silence_us};
    if (settings->access && settings->insecure) {
        text_format(why, TEXT_MAX, "--access and --insecure exclude each other");
        return ERR_MALFORMED;
    }
    if (!settings->access && !settings->insecure) {
        text_format(why, TEXT_MAX,
                    "there is no key: --access FILE names this broker's, `conclave keys init` "
                    "makes it; --insecure lets anyone who can reach %s do everything",
                    text_escape(shown, sizeof shown, slice_of(settings->bind)));
        return ERR_MALFORMED;
    }
    if (last > PORT_LIMIT || front + 1 >= PORT_LIMIT) {
        text_format(why, TEXT_MAX,
                    "--port %" PRIu64 ": the ports of %" PRIu64 " nodes would reach beyond %d",
                    settings->port, settings->nodes, PORT_LIMIT - 1);
        return ERR_MALFORMED;
    }
    if (config->n_voters > config->n_nodes) {
        text_format(why, TEXT_MAX, "--voters %" PRIu64 ": there are only %" PRIu64 " nodes",
                    settings->voters, settings->nodes);
        return ERR_MALFORMED;
    }
    for (uint32_t id = 1; id <= config->n_nodes; id++)
        config->peers[id] = "127.0.0.1";
    uint32_t hosts = peers ? split_peers(peers, config->peers) : config->n_nodes;
    if (hosts != config->n_nodes) {
        text_format(why, TEXT_MAX,
                    "--peers must name one host per node: %" PRIu64 " hosts with commas between",
                    settings->nodes);
        return ERR_MALFORMED;
    }
    return OK;
}
