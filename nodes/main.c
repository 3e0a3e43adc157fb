/* main.c - conclave-node: reads its options, refuses bad ones, runs a node. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nodes/io/runtime.h"
#include "nodes/io/tool.h"
#include "nodes/work/heap.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/base/version.h"

#define HOST_MAX        253 /* RFC 1035 */
#define HOST_SHOWN_MAX  64
#define DURATION_MAX_US (3600 * SECOND_US)

struct settings {
    uint64_t id, port;
    uint64_t nodes, voters; /* 0: not given */
    const char *dir, *bind, *peers, *cluster, *durability, *fail_on, *restore;
    uint64_t memory_limit_bytes, start_jitter_us;
    struct failure_config failure;
    uint64_t heartbeat_us, election_timeout_us, delay_us, max_result_bytes;
    uint64_t checkpoint_us, checkpoint_bytes, compact_entries;
    uint64_t snapshot_timeout_us, snapshot_every_us, snapshot_keep, snapshot_memory_bytes;
    enum log_level log_level;
    bool help, version;
};

static int usage_error(const char *why)
{
    fprintf(stderr, "conclave-node: %s\n", why);
    return EXIT_USAGE;
}

/* The outside is to blame, or the options are: `error` tells. */
static int refuse_start(int error, const char *why)
{
    fprintf(stderr, "conclave-node: %s\n", why);
    return exit_code_of(error);
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

/* What depends on the size of the cluster. */
static int check_size(const struct settings *is, char why[TEXT_MAX])
{
    uint64_t last = is->port + PORT_NODES_OFFSET + PORT_NODE_STRIDE * is->nodes + PLANE_COUNT - 1;
    why[0] = '\0';
    if (is->id > is->nodes)
        text_format(why, TEXT_MAX, "--id %" PRIu64 " is outside the cluster of %" PRIu64 " nodes",
                    is->id, is->nodes);
    else if (is->voters > is->nodes)
        text_format(why, TEXT_MAX, "--voters %" PRIu64 " is more than the %" PRIu64 " nodes",
                    is->voters, is->nodes);
    else if (last >= PORT_LIMIT)
        text_format(why, TEXT_MAX,
                    "--port %" PRIu64 " is too high: node %" PRIu64 " would use port %" PRIu64
                    "; ports from %d on are left to the system",
                    is->port, is->nodes, last, PORT_LIMIT);
    return why[0] ? ERR_MALFORMED : OK;
}

static int check(const struct settings *is, char why[TEXT_MAX])
{
    char shown[HOST_SHOWN_MAX];
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
    else if (!is_name(is->bind, strlen(is->bind), HOST_MAX, "-_.*"))
        text_format(why, TEXT_MAX, "--bind '%s' is not an address of this machine",
                    text_escape(shown, sizeof shown, slice_of(is->bind)));
    else if (is->election_timeout_us < 2 * is->heartbeat_us)
        text_format(why, TEXT_MAX, "--election-timeout must be at least twice --heartbeat");
    else if (durability_parse(is->durability, &durability))
        text_format(why, TEXT_MAX, "--durability '%s' is not allowed; it takes fsync, os or off",
                    text_escape(shown, sizeof shown, slice_of(is->durability)));
    return why[0] ? ERR_MALFORMED : OK;
}

/* Reads "R17". */
static int read_fail_on(struct settings *is, char why[TEXT_MAX])
{
    char shown[HOST_SHOWN_MAX];
    struct slice text = slice_of(is->fail_on ? is->fail_on : "R0");
    if (text.at[0] == 'R' &&
        !parse_u64((struct slice){text.at + 1, text.len - 1}, UINT64_MAX, &is->failure.on))
        return OK;
    text_format(why, TEXT_MAX, "--fail-on '%s' is not an operation; write R and its number",
                text_escape(shown, sizeof shown, text));
    return ERR_MALFORMED;
}

static void wait_by_chance(uint64_t most_us)
{
    uint64_t random;
    hash_random(&random, sizeof random);
    uint64_t us = most_us ? random % most_us : 0;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / SECOND_US),
                                 .tv_nsec = (long)(us % SECOND_US) * 1000},
              NULL);
}

/* Splits "HOST1,HOST2,..." in place of `list` into hosts[1..n]; without a list all are this
 * machine. */
static int split_hosts(char *list, uint64_t n, const char **hosts, char why[TEXT_MAX])
{
    uint64_t found = 0;
    for (uint64_t i = 1; i <= n && !list; i++)
        hosts[i] = "127.0.0.1";
    for (char *at = list; at;) {
        char *comma = strchr(at, ','), shown[HOST_SHOWN_MAX];
        size_t len = comma ? (size_t)(comma - at) : strlen(at);
        if (!is_name(at, len, HOST_MAX, "-_.")) {
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

/* --- the size of the cluster --- */

/* One number of it: 0 means that it was not given. */
static int settle(uint64_t *given, uint64_t known, const char *dir, const char *what,
                  char why[TEXT_MAX])
{
    if (*given && *given != known) {
        text_format(why, TEXT_MAX,
                    "%s belongs to a cluster of %" PRIu64 " %s; --%s says %" PRIu64
                    ", and that cannot be changed",
                    dir, known, what, what, *given);
        return ERR_STALE;
    }
    *given = known;
    return OK;
}

/* A store that belongs to a cluster knows its size, and no option says otherwise; the defaults are
 * for a new one. */
static int settle_size(struct settings *is, const struct identity *identity, char why[TEXT_MAX])
{
    if (identity_is_set(identity)) {
        int error = settle(&is->nodes, identity->n_nodes, is->dir, "nodes", why);
        return error ? error : settle(&is->voters, identity->n_voters, is->dir, "voters", why);
    }
    if (!is->nodes)
        is->nodes = NODES_DEFAULT;
    if (!is->voters)
        is->voters = is->nodes;
    return OK;
}

/* Opens the store when there is one, and reads which cluster it belongs to. */
static int open_known(const struct settings *is, struct disk **disk, struct identity *identity,
                      char why[TEXT_MAX])
{
    enum durability durability;
    struct node_durable durable = {0};
    struct text reason = {0};
    int error = OK;
    (void)durability_parse(is->durability, &durability); /* check() has seen to it */
    if (disk_exists(is->dir))
        error = disk_open(is->dir, is->cluster, (node_id_t)is->id, durability, disk, &reason);
    if (!error && *disk)
        error = disk_read_vote(*disk, &durable, &reason);
    *identity = durable.identity;
    text_format(why, TEXT_MAX, "%s", reason.at);
    return error;
}

/* --- running --- */

static int run(const struct settings *is, struct disk *disk, const char **hosts)
{
    char who[32], host[HOST_SHOWN_MAX + 1] = "localhost";
    text_format(who, sizeof who, "node %" PRIu64, is->id);
    log_open(who, is->log_level);
    gethostname(host, sizeof host - 1);
    struct runtime_config config = {
        .node = {.id = (node_id_t)is->id,
                 .n_nodes = (uint32_t)is->nodes,
                 .n_voters = (uint32_t)is->voters,
                 .heartbeat_us = is->heartbeat_us,
                 .election_timeout_us = is->election_timeout_us,
                 .result_max_bytes = is->max_result_bytes,
                 .checkpoint_interval_us = is->checkpoint_us,
                 .checkpoint_bytes = is->checkpoint_bytes,
                 .compact_entries = is->compact_entries,
                 .snapshot_timeout_us = is->snapshot_timeout_us,
                 .snapshot_every_us = is->snapshot_every_us,
                 .snapshot_keep = is->snapshot_keep,
                 .snapshot_memory_bytes = is->snapshot_memory_bytes,
                 .delay_us = is->delay_us,
                 .memory_limit_bytes = is->memory_limit_bytes,
                 .poison_deaths = POISON_DEATHS,
                 .pid = (uint64_t)getpid(),
                 .cluster = is->cluster,
                 .host = host,
                 .log_level = is->log_level,
                 .version = CONCLAVE_VERSION},
        .dir = is->dir,
        .disk = disk,
        .restore = is->restore,
        .bind = is->bind,
        .port = (unsigned)is->port,
        .hosts = hosts,
        .delay_us = is->delay_us,
        .failure = is->failure,
    };
    struct runtime *runtime;
    struct text why = {0};
    (void)durability_parse(is->durability, &config.durability); /* check() has seen to it */
    int error = runtime_open(&config, &runtime, &why);
    if (error)
        return refuse_start(error, why.at);
    int code = runtime_run(runtime);
    runtime_close(&runtime);
    log_write(LOG_INFO, "stopped");
    return code;
}

static int start(struct settings *is)
{
    const char *hosts[NODES_MAX + 1] = {0};
    char *list = is->peers ? mem_string(is->peers) : NULL;
    char why[TEXT_MAX];
    struct disk *disk = NULL;
    struct identity identity;
    int error = check(is, why);
    if (!error)
        error = read_fail_on(is, why);
    if (!error)
        wait_by_chance(is->start_jitter_us);
    if (!error)
        error = open_known(is, &disk, &identity, why);
    if (!error)
        error = settle_size(is, &identity, why);
    if (!error)
        error = check_size(is, why);
    if (!error)
        error = split_hosts(list, is->nodes, hosts, why);
    if (error)
        disk_close(&disk);
    int code = error ? refuse_start(error, why) : run(is, disk, hosts);
    free(list);
    return code;
}

/* --- options --- */

/* What holds when nothing is said. */
static struct settings given = {.port = PORT_DEFAULT,
                                .bind = "127.0.0.1",
                                .cluster = "conclave",
                                .durability = "fsync",
                                .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                .max_result_bytes = RESULT_MAX_DEFAULT_BYTES,
                                .checkpoint_us = CHECKPOINT_INTERVAL_DEFAULT_US,
                                .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT,
                                .compact_entries = COMPACT_ENTRIES,
                                .snapshot_timeout_us = SNAPSHOT_TIMEOUT_DEFAULT_US,
                                .snapshot_keep = SNAPSHOTS_PERIODIC_KEEP,
                                .memory_limit_bytes = MEMORY_LIMIT_DEFAULT_BYTES,
                                .failure = {.stall_us = STALL_DEFAULT_US},
                                .log_level = LOG_INFO};

static const struct option_spec specs[] = {
    {"id", OPTION_U64, &given.id, 1, NODES_MAX, "N", "the id of this node, from 1"},
    {"dir", OPTION_STRING, &given.dir, 0, 0, "DIR",
     "its data directory; it is made when it does not exist"},
    {"restore", OPTION_STRING, &given.restore, 0, 0, "FILE",
     "start with this share of a snapshot, when DIR is new (see conclave snapshot restore)"},
    {"nodes", OPTION_U64, &given.nodes, 1, NODES_MAX, "N",
     "nodes of the cluster (6, or what DIR says)"},
    {"port", OPTION_U64, &given.port, 1, PORT_LIMIT - 1, "PORT", "port of the cluster (7000)"},
    {"bind", OPTION_STRING, &given.bind, 0, 0, "ADDRESS", "address to listen on (127.0.0.1)"},
    {"peers", OPTION_STRING, &given.peers, 0, 0, "HOST,HOST,...",
     "hosts of node 1..N (all 127.0.0.1)"},
    {"voters", OPTION_U64, &given.voters, 1, NODES_MAX, "K",
     "nodes 1..K vote (all, or what DIR says)"},
    {"cluster", OPTION_STRING, &given.cluster, 0, 0, "NAME", "the cluster's name (conclave)"},
    {"heartbeat", OPTION_DURATION, &given.heartbeat_us, MS_US, 60 * SECOND_US, "TIME",
     "time between two heartbeats (50ms)"},
    {"election-timeout", OPTION_DURATION, &given.election_timeout_us, 10 * MS_US, DURATION_MAX_US,
     "TIME", "silence after which a coordinator is replaced (500ms)"},
    {"delay", OPTION_DURATION, &given.delay_us, 0, DURATION_MAX_US, "TIME",
     "hold back each result for this long (0ms)"},
    {"checkpoint-interval", OPTION_DURATION, &given.checkpoint_us, MS_US, DURATION_MAX_US, "TIME",
     "replicate finished operations this often (100ms)"},
    {"checkpoint-bytes", OPTION_SIZE, &given.checkpoint_bytes, 1, 1024 * MIB_BYTES, "SIZE",
     "or whenever their values are this large (4MiB)"},
    {"compact-entries", OPTION_U64, &given.compact_entries, COMPACT_ENTRIES_MIN,
     COMPACT_ENTRIES_MAX, "N", "write a checkpoint after this many log entries (8192)"},
    {"snapshot-timeout", OPTION_DURATION, &given.snapshot_timeout_us, 10 * MS_US, DURATION_MAX_US,
     "TIME", "a node silent for this long is missing in a snapshot (2s)"},
    {"snapshot-every", OPTION_DURATION, &given.snapshot_every_us, 0, DURATION_MAX_US, "TIME",
     "the coordinator takes a snapshot this often; 0: never (0)"},
    {"snapshot-memory", OPTION_SIZE, &given.snapshot_memory_bytes, 1, 1024 * 1024 * MIB_BYTES,
     "SIZE", "of all snapshots under way; beyond, they are refused or partial (1GiB)"},
    {"snapshot-keep", OPTION_U64, &given.snapshot_keep, 1, SNAPSHOTS_KEPT_MAX, "N",
     "and every node keeps this many of them (5)"},
    {"durability", OPTION_STRING, &given.durability, 0, 0, "fsync|os|off",
     "os: a power cut may undo votes; off: keep no log, to measure (fsync)"},
    {"max-result", OPTION_SIZE, &given.max_result_bytes, 1, 1024 * MIB_BYTES, "SIZE",
     "refuse jobs whose result would be larger (128MiB)"},
    {"memory-limit", OPTION_SIZE, &given.memory_limit_bytes, 1, 1024 * 1024 * MIB_BYTES, "SIZE",
     "a worker whose values in memory are larger gets less work (1GiB)"},
    {"fail-exit", OPTION_CHANCE, &given.failure.exit_ppm, 0, 0, "P",
     "fail on purpose: exit with this probability, a worker with each batch of operations, a "
     "coordinator with each batch of log entries (0)"},
    {"fail-stall", OPTION_CHANCE, &given.failure.stall_ppm, 0, 0, "P", "likewise: stall (0)"},
    {"stall", OPTION_DURATION, &given.failure.stall_us, MS_US, DURATION_MAX_US, "TIME",
     "for this long (3s)"},
    {"fail-seed", OPTION_U64, &given.failure.seed, 0, UINT64_MAX, "N",
     "seed of these, with the node's id and boot count (0: random; it is logged)"},
    {"fail-on", OPTION_STRING, &given.fail_on, 0, 0, "R17",
     "for tests: kill this process whenever it executes the operation of that number"},
    {"start-jitter", OPTION_DURATION, &given.start_jitter_us, 0, 60 * SECOND_US, "TIME",
     "wait up to this long before starting, so that nodes that failed together do not start "
     "together "
     "(0ms)"},
    {"log-level", OPTION_LEVEL, &given.log_level, 0, 0, "LEVEL",
     "error, warn, info or debug (info)"},
    {"help", OPTION_FLAG, &given.help, 0, 0, NULL, "show this"},
    {"version", OPTION_FLAG, &given.version, 0, 0, NULL, "show the version"},
    {0}};

static void print_help(void)
{
    printf(
        "usage: conclave-node --id N --dir DIR [options]\n"
        "       conclave-node inspect DIR    (one line of JSON on what it holds; no node may run "
        "there)\n\n"
        "One node of a Conclave cluster. It listens on five ports, from PORT + 100 + 10 * N.\n\n"
        "options (each also as CONCLAVE_... in the environment, such as CONCLAVE_ID):\n");
    options_help(specs, stdout);
    printf("\nexit codes: 0 ended by SIGTERM or SIGINT; 2 bad options, or a data directory of "
           "another node,\n"
           "cluster or format; 7 it failed on purpose (--fail-exit); 8 what it needs is missing: a "
           "port in use,\n"
           "a data directory that is damaged, in use or unusable, a full or failing disk, too few "
           "descriptors.\n");
}

int main(int argc, char **argv)
{
    char why[TEXT_MAX];
    int tool = tool_run(argc - 1, argv + 1); /* argv ends with NULL */
    if (tool >= 0)
        return tool;
    int n_words = 0, error = options_parse(specs, argc, argv, &n_words, why);
    if (!error && given.help)
        print_help();
    else if (!error && given.version)
        printf("conclave-node %s\n", CONCLAVE_VERSION);
    if (error)
        return usage_error(why);
    if (given.help || given.version)
        return EXIT_OK;
    if (n_words)
        return usage_error("it takes only options; --help lists them");
    heap_init();
    return start(&given);
}
