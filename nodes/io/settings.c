#include "nodes/io/settings.h"

#include <inttypes.h>
#include <arpa/inet.h>
#include <string.h>

#include "nodes/io/disk.h"
#include "nodes/core/kinds/kinds.h"
#include "shared/base/completion.h"
#include "shared/base/error.h"
#include "shared/base/heartbeat.h"
#include "shared/base/limits.h"
#include "shared/base/options.h"
#include "shared/base/slots.h"

#define HOST_MAX        253 /* RFC 1035 */
#define SHOWN_MAX       64
#define DURATION_MAX_US (3600 * SECOND_US)

/* --- options --- */

/* What holds when nothing is said. */
static const struct settings defaults = {.port = PORT_DEFAULT,
                                         .bind = "127.0.0.1",
                                         .cluster = "conclave",
                                         .durability = "fsync",
                                         .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                         .max_result_bytes = RESULT_MAX_DEFAULT_BYTES,
                                         .checkpoint_us = CHECKPOINT_INTERVAL_DEFAULT_US,
                                         .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT,
                                         .compact_entries = COMPACT_ENTRIES,
                                         .quota_jobs = QUOTA_JOBS_DEFAULT,
                                         .quota_bytes = QUOTA_BYTES_DEFAULT,
                                         .keep_values_us = KEEP_VALUES_DEFAULT_US,
                                         .snapshot_timeout_us = SNAPSHOT_TIMEOUT_DEFAULT_US,
                                         .snapshot_keep = SNAPSHOTS_PERIODIC_KEEP,
                                         .memory_limit_bytes = MEMORY_LIMIT_DEFAULT_BYTES,
                                         .nodes_here = 1,
                                         .pieces_from = PIECES_FROM,
                                         .failure = {.stall_us = STALL_DEFAULT_US},
                                         .log_level = LOG_INFO};

static struct settings given;

static const struct option_spec specs[] = {
    {"id", OPTION_U64, &given.id, 1, NODES_MAX, "N", "the id of this node, from 1"},
    {"dir", OPTION_STRING, &given.dir, 0, 0, "DIR",
     "its data directory; created if it does not exist"},
    {"restore", OPTION_STRING, &given.restore, 0, 0, "FILE",
     "start with this share of a snapshot, when DIR is new (see conclave snapshot restore)"},
    {"nodes", OPTION_U64, &given.nodes, 1, NODES_MAX, "N",
     "how many nodes the cluster has (DIR's, else 6)"},
    {"port", OPTION_U64, &given.port, 1, PORT_LIMIT - 1, "PORT", "port of the cluster (7000)"},
    {"bind", OPTION_STRING, &given.bind, 0, 0, "ADDRESS", "address to listen on (127.0.0.1)"},
    {"peers", OPTION_STRING, &given.peers, 0, 0, "HOST,HOST,...",
     "hosts of node 1..N (all 127.0.0.1)"},
    {"access", OPTION_STRING, &given.access, 0, 0, "FILE",
     "this node's key file; allowed.json, the list of all keys, is beside it (see conclave keys)"},
    {"insecure", OPTION_FLAG, &given.insecure, 0, 0, NULL,
     "run without keys: anyone who can reach the ports can do everything"},
    {"voters", OPTION_U64, &given.voters, 1, NODES_MAX, "K",
     "nodes 1..K vote (the cluster's; in a new one all, at most 5)"},
    {"cluster", OPTION_STRING, &given.cluster, 0, 0, "NAME", "the cluster's name (conclave)"},
    {"heartbeat", OPTION_DURATION, &given.heartbeat_us, MS_US, 60 * SECOND_US, "TIME",
     "time between two heartbeats (50ms; from 13 nodes on 100ms, and 200ms for those that do not "
     "vote; 200ms from 37)"},
    {"election-timeout", OPTION_DURATION, &given.election_timeout_us, ELECTION_TIMEOUT_MIN_US,
     ELECTION_TIMEOUT_MAX_US, "TIME", "silence after which a coordinator is replaced (500ms)"},
    {"delay", OPTION_DURATION, &given.delay_us, 0, DURATION_MAX_US, "TIME",
     "hold back each result for this long (0ms)"},
    {"checkpoint-interval", OPTION_DURATION, &given.checkpoint_us, MS_US, DURATION_MAX_US, "TIME",
     "replicate finished operations this often (100ms)"},
    {"checkpoint-bytes", OPTION_SIZE, &given.checkpoint_bytes, 1, 1024 * MIB_BYTES, "SIZE",
     "or whenever their values are this large (4MiB)"},
    {"compact-entries", OPTION_U64, &given.compact_entries, COMPACT_ENTRIES_MIN,
     COMPACT_ENTRIES_MAX, "N", "write a checkpoint after this many log entries (8192)"},
    {"keep-jobs", OPTION_U64, &given.keep_jobs, 1, JOBS_KEPT_LIMIT, "N",
     "forget the oldest finished jobs when there are more (the cluster's, else 10000)"},
    {"keep-bytes", OPTION_SIZE, &given.keep_bytes, 1, KEEP_BYTES_LIMIT, "SIZE",
     "or when their results are larger, but never the last one (the cluster's, else 4GiB)"},
    {"quota-jobs", OPTION_U64, &given.quota_jobs, 0, JOBS_OPEN_MAX, "N",
     "how many jobs a key may have open, except admin's; 0: any number (2500)"},
    {"quota-bytes", OPTION_SIZE, &given.quota_bytes, 0, KEEP_BYTES_LIMIT, "SIZE",
     "refuse a key's jobs and values when it keeps this much; 0: any number (1GiB)"},
    {"keep-values", OPTION_DURATION, &given.keep_values_us, SECOND_US, KEEP_VALUES_LIMIT_US, "TIME",
     "drop a stored value that no job has named for this long (24h)"},
    {"snapshot-timeout", OPTION_DURATION, &given.snapshot_timeout_us, 10 * MS_US, DURATION_MAX_US,
     "TIME", "a node silent for this long is missing in a snapshot (2s)"},
    {"snapshot-every", OPTION_DURATION, &given.snapshot_every_us, 0, SNAPSHOT_EVERY_MAX_US, "TIME",
     "the coordinator takes a snapshot this often; 0: never (0)"},
    {"snapshot-memory", OPTION_SIZE, &given.snapshot_memory_bytes, 1, 1024 * 1024 * MIB_BYTES,
     "SIZE", "memory for all snapshots in progress; beyond it they are refused or partial (1GiB)"},
    {"snapshot-keep", OPTION_U64, &given.snapshot_keep, 1, SNAPSHOTS_KEPT_MAX, "N",
     "how many of these snapshots every node keeps (5)"},
    {"durability", OPTION_STRING, &given.durability, 0, 0, "fsync|os|off",
     "os: a power cut may undo votes; off: keep no log, only to measure (fsync)"},
    {"max-result", OPTION_SIZE, &given.max_result_bytes, 1, RESULT_MAX_MOST_BYTES, "SIZE",
     "refuse jobs whose result would be larger (128MiB)"},
    {"memory-limit", OPTION_SIZE, &given.memory_limit_bytes, 1, 1024 * 1024 * MIB_BYTES, "SIZE",
     "how much memory a worker's values may take; more are spilled to its disk (1GiB)"},
    {"slots", OPTION_U64, &given.slots, 1, SLOTS_MAX, "N",
     "how many operations and commands together are executed at a time (one operation, and a "
     "command for each processor)"},
    {"nodes-here", OPTION_U64, &given.nodes_here, 1, NODES_MAX, "N",
     "how many nodes run on this machine: without --slots each has its share of processors (1)"},
    {"scratch", OPTION_STRING, &given.scratch, 0, 0, "DIR",
     "where commands have their scratch directories (below the data directory)"},
    {"commands-user", OPTION_STRING, &given.commands_user, 0, 0, "USER",
     "the account that commands run as, if this node runs as root or has the capabilities; it must "
     "not be able to read the "
     "data directory, and must reach --scratch"},
    {"pieces-from", OPTION_U64, &given.pieces_from, 0, PLAN_DIGITS_MAX, "DIGITS",
     "convert results of this many digits to text in pieces, on several workers (10000000; 0: "
     "never)"},
    {"fail-exit", OPTION_CHANCE, &given.failure.exit_ppm, 0, 0, "P",
     "fail on purpose: exit with this probability, a worker with each batch of operations, a "
     "coordinator with each batch of log entries (0)"},
    {"fail-stall", OPTION_CHANCE, &given.failure.stall_ppm, 0, 0, "P",
     "stall with this probability, likewise (0)"},
    {"stall", OPTION_DURATION, &given.failure.stall_us, MS_US, DURATION_MAX_US, "TIME",
     "how long such a stall lasts (3s)"},
    {"fail-seed", OPTION_U64, &given.failure.seed, 0, UINT64_MAX, "N",
     "seed of these failures, with the node's id and boot count (0: random; it is logged)"},
    {"fail-on", OPTION_STRING, &given.fail_on, 0, 0, "R17",
     "for tests: kill this process whenever it executes the operation of that number"},
    {"start-jitter", OPTION_DURATION, &given.start_jitter_us, 0, 60 * SECOND_US, "TIME",
     "wait up to this long before starting, so that nodes that failed together do not start "
     "together "
     "(0ms)"},
    {"log-level", OPTION_LEVEL, &given.log_level, 0, 0, "LEVEL",
     "error, warn, info or debug (info)"},
    {"log-limit", OPTION_SIZE, &given.log_limit_bytes, 0, INT64_MAX, "SIZE",
     "when the log file on stderr reaches this size, rename it to FILE.1 (0: never)"},
    COMPLETION_OPTION(given.completion),
    {"help", OPTION_FLAG, &given.help, 0, 0, NULL, "show this"},
    {"version", OPTION_FLAG, &given.version, 0, 0, NULL, "show the version"},
    {0}};

int settings_read(struct settings *out, int argc, char **argv, int *n_words, char *why)
{
    given = defaults;
    int error = options_parse(specs, argc, argv, n_words, why);
    *out = given;
    return error;
}

void settings_help(FILE *out)
{
    options_help(specs, out);
}

bool settings_complete(const char *shell, FILE *out)
{
    return completion_print("conclave-node", specs, shell, out);
}

/* --- checks --- */

static bool is_name(const char *text, size_t len, size_t max, const char *punctuation)
{
    if (!len || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !strchr(punctuation, c))
            return false;
    }
    return true;
}

void settings_settle_heartbeat(struct settings *is)
{
    if (!is->heartbeat_us)
        is->heartbeat_us =
            heartbeat_default_us(is->nodes, is->id <= is->voters, is->election_timeout_us);
}

int settings_check_size(const struct settings *is, char why[TEXT_MAX])
{
    uint64_t last = is->port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * is->nodes + PLANE_COUNT - 1;
    why[0] = '\0';
    if (is->id > is->nodes)
        text_format(why, TEXT_MAX, "--id %" PRIu64 " is outside the cluster of %" PRIu64 " nodes",
                    is->id, is->nodes);
    else if (is->voters > is->nodes)
        text_format(why, TEXT_MAX, "--voters %" PRIu64 " is more than the %" PRIu64 " nodes",
                    is->voters, is->nodes);
    else if (is->election_timeout_us < 2 * is->heartbeat_us)
        text_format(why, TEXT_MAX, "--election-timeout must be at least twice --heartbeat");
    else if (last >= PORT_LIMIT)
        text_format(why, TEXT_MAX,
                    "--port %" PRIu64 " is too high: node %" PRIu64 " would use port %" PRIu64
                    "; ports from %d on are left to the system",
                    is->port, is->nodes, last, PORT_LIMIT);
    return why[0] ? ERR_MALFORMED : OK;
}

/* Reads "R17". */
static int read_fail_on(struct settings *is, char why[TEXT_MAX])
{
    char shown[SHOWN_MAX];
    struct slice text = slice_of(is->fail_on ? is->fail_on : "R0");
    if (text.at[0] == 'R' &&
        !parse_u64((struct slice){text.at + 1, text.len - 1}, UINT64_MAX, &is->failure.on))
        return OK;
    text_format(why, TEXT_MAX, "--fail-on '%s' is not an operation; write R and its number",
                text_escape(shown, sizeof shown, text));
    return ERR_MALFORMED;
}

int settings_check(struct settings *is, char why[TEXT_MAX])
{
    char shown[SHOWN_MAX];
    enum durability durability;
    why[0] = '\0';
    if (!is->id)
        text_format(why, TEXT_MAX, "--id is missing; --help lists the options");
    else if (!is->dir)
        text_format(why, TEXT_MAX, "--dir is missing; --help lists the options");
    else if (!is_name(is->cluster, strlen(is->cluster), JOB_KIND_MAX, "-_."))
        text_format(
            why, TEXT_MAX,
            "--cluster '%s' is not allowed; it takes 1 to %d letters, digits, '-', '_' and '.'",
            text_escape(shown, sizeof shown, slice_of(is->cluster)), JOB_KIND_MAX);
    else if (!is_name(is->bind, strlen(is->bind), HOST_MAX, "-_.*:[]"))
        text_format(why, TEXT_MAX, "--bind '%s' is not an address of this machine",
                    text_escape(shown, sizeof shown, slice_of(is->bind)));
    else if (is->access && is->insecure)
        text_format(why, TEXT_MAX, "--access and --insecure exclude each other");
    else if (!is->access && !is->insecure)
        text_format(why, TEXT_MAX,
                    "there is no key: --access FILE names this node's, `conclave keys init` makes "
                    "it; --insecure lets anyone who can reach %s do everything",
                    is->bind);
    else if (is->insecure && (is->commands_user || is->scratch))
        text_format(why, TEXT_MAX,
                    "--%s means nothing with --insecure: without keys there are no "
                    "commands",
                    is->commands_user ? "commands-user" : "scratch");
    else if (durability_parse(is->durability, &durability))
        text_format(why, TEXT_MAX, "--durability '%s' is not allowed; it takes fsync, os or off",
                    text_escape(shown, sizeof shown, slice_of(is->durability)));
    return why[0] ? ERR_MALFORMED : read_fail_on(is, why);
}

/* An address of IPv6, in brackets or not; or a name, which begins with a letter or a digit (RFC
 * 1123): ZeroMQ refuses to connect to others. */
static bool is_host(const char *at, size_t len)
{
    bool brackets = len > 2 && at[0] == '[' && at[len - 1] == ']';
    char address[HOST_MAX + 1];
    struct in6_addr ignored;
    if (!is_name(at, len, HOST_MAX, "-_.:[]"))
        return false;
    text_format(address, sizeof address, "%.*s", (int)len - 2 * brackets, at + brackets);
    return inet_pton(AF_INET6, address, &ignored) == 1 ||
           (is_name(at, 1, 1, "") && is_name(at, len, HOST_MAX, "-_."));
}

int settings_split_hosts(char *list, uint64_t n, const char **hosts, char why[TEXT_MAX])
{
    uint64_t found = 0;
    for (uint64_t i = 1; i <= n && !list; i++)
        hosts[i] = "127.0.0.1";
    for (char *at = list; at;) {
        char *comma = strchr(at, ','), shown[SHOWN_MAX];
        size_t len = comma ? (size_t)(comma - at) : strlen(at);
        if (!is_host(at, len)) {
            text_format(why, TEXT_MAX, "--peers: '%s' is not a host name",
                        text_escape(shown, sizeof shown, (struct slice){(uint8_t *)at, len}));
            return ERR_MALFORMED;
        }
        if (++found <= n)
            hosts[found] = at;
        if (comma)
            *comma = '\0';
        at = comma ? comma + 1 : NULL;
    }
    if (!list || found == n)
        return OK;
    text_format(why, TEXT_MAX, "--peers names %" PRIu64 " hosts, but --nodes says %" PRIu64, found,
                n);
    return ERR_MALFORMED;
}
