/* main.c - conclave-node: reads its options, refuses bad ones, runs a node. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "nodes/io/runtime.h"
#include "nodes/io/settings.h"
#include "nodes/io/tool.h"
#include "nodes/work/heap.h"
#include "nodes/work/spawner.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_file.h"
#include "shared/base/memory.h"
#include "shared/base/options.h"
#include "shared/base/quorum.h"
#include "shared/base/slots.h"
#include "shared/base/standard.h"
#include "shared/base/urgency.h"
#include "shared/base/version.h"

#define HOST_SHOWN_MAX 64

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
static int settle_size(struct settings *is, const struct disk *disk,
                       const struct identity *identity, char why[TEXT_MAX])
{
    bool old = disk && disk_is_old(disk);
    if (identity_is_set(identity)) {
        int error = settle(&is->nodes, identity->n_nodes, is->dir, "nodes", why);
        return error ? error : settle(&is->voters, identity->n_voters, is->dir, "voters", why);
    }
    if (!is->nodes)
        is->nodes = NODES_DEFAULT;
    is->voters_open = !is->voters && !old;
    if (!is->voters) /* in a store of the format before all vote */
        is->voters = old ? is->nodes : quorum_voters_default(is->nodes);
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

static void wait_by_chance(uint64_t most_us)
{
    uint64_t random;
    hash_random(&random, sizeof random);
    uint64_t us = most_us ? random % most_us : 0;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / SECOND_US),
                                 .tv_nsec = (long)(us % SECOND_US) * 1000},
              NULL);
}

static int run(const struct settings *is, struct disk *disk, const char **hosts)
{
    uint64_t slots = is->slots ? is->slots : slots_default(is->nodes_here);
    char who[32], host[HOST_SHOWN_MAX + 1] = "localhost";
    text_format(who, sizeof who, "node %" PRIu64, is->id);
    log_open(who, is->log_level);
    gethostname(host, sizeof host - 1);
    struct runtime_config config = {
        .node = {.id = (node_id_t)is->id,
                 .n_nodes = (uint32_t)is->nodes,
                 .n_voters = (uint32_t)is->voters,
                 .voters_open = is->voters_open,
                 .heartbeat_us = is->heartbeat_us,
                 .election_timeout_us = is->election_timeout_us,
                 .result_max_bytes = is->max_result_bytes,
                 .checkpoint_interval_us = is->checkpoint_us,
                 .checkpoint_bytes = is->checkpoint_bytes,
                 .compact_entries = is->compact_entries,
                 .keep_jobs = is->keep_jobs,
                 .keep_bytes = is->keep_bytes,
                 .sets_retention = true,
                 .quota_jobs = is->quota_jobs,
                 .quota_bytes = is->quota_bytes,
                 .keep_values_us = is->keep_values_us,
                 .snapshot_timeout_us = is->snapshot_timeout_us,
                 .snapshot_every_us = is->snapshot_every_us,
                 .snapshot_keep = is->snapshot_keep,
                 .snapshot_memory_bytes = is->snapshot_memory_bytes,
                 .delay_us = is->delay_us,
                 .slots = is->insecure ? 0 : slots,
                 .operation_slots = is->slots,
                 .memory_limit_bytes = is->memory_limit_bytes,
                 .pieces_from = is->pieces_from,
                 .poison_deaths = POISON_DEATHS,
                 .pid = (uint64_t)getpid(),
                 .cluster = is->cluster,
                 .host = host,
                 .log_level = is->log_level,
                 .version = CONCLAVE_VERSION},
        .dir = is->dir,
        .disk = disk,
        .restore = is->restore,
        .access = is->access,
        .insecure = is->insecure,
        .bind = is->bind,
        .port = (unsigned)is->port,
        .hosts = hosts,
        .delay_us = is->delay_us,
        .failure = is->failure,
        .commands = {.scratch = is->scratch,
                     .user = is->commands_user,
                     .slots = (unsigned)slots,
                     .files_soft = is->files_soft},
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
    int error = settings_check(is, why);
    if (!error)
        wait_by_chance(is->start_jitter_us);
    if (!error)
        error = open_known(is, &disk, &identity, why);
    if (!error)
        error = settle_size(is, disk, &identity, why);
    if (!error) {
        settings_settle_heartbeat(is);
        error = settings_check_size(is, why);
    }
    if (!error)
        error = settings_split_hosts(list, is->nodes, hosts, why);
    if (error)
        disk_close(&disk);
    int code = error ? refuse_start(error, why) : run(is, disk, hosts);
    free(list);
    return code;
}

/* --- options --- */

static void print_help(void)
{
    printf(
        "usage: conclave-node --id N --dir DIR [options]\n"
        "       conclave-node inspect DIR    (one line of JSON on what it holds; no node may run "
        "there)\n\n"
        "One node of a Conclave cluster. It listens on five ports, from PORT + 100 + 10 * N.\n\n"
        "options (defaults in parentheses; each is also an environment variable, such as "
        "CONCLAVE_ID):\n");
    settings_help(stdout);
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
    standard_take();
    if (spawner_is_called(argc, argv))
        return spawner_main();
    int tool = tool_run(argc - 1, argv + 1); /* argv ends with NULL */
    if (tool >= 0)
        return tool;
    struct settings given;
    int n_words = 0, error = settings_read(&given, argc, argv, &n_words, why);
    if (!error && given.help)
        print_help();
    else if (!error && given.version)
        printf("conclave-node %s\n", CONCLAVE_VERSION);
    if (error)
        return usage_error(why);
    if (n_words && !given.help && !given.version)
        return usage_error("it takes only options; --help lists them");
    if (given.completion && !settings_complete(given.completion, stdout))
        return usage_error("--completion takes bash, zsh or fish");
    if (given.help || given.version || given.completion)
        return options_printed("conclave-node");
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) /* before it is raised */
        given.files_soft = files.rlim_cur;
    log_file_limit(given.log_limit_bytes);
    urgency_high();
    heap_init();
    return start(&given);
}
