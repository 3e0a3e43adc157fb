/* supervisor.h - keeps the processes of a local cluster running. It never touches ZeroMQ, so it may
 * fork. */
#ifndef CONCLAVE_CLIENTS_SUPERVISOR_H
#define CONCLAVE_CLIENTS_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/limits.h"
#include "shared/base/options.h"
#include "shared/base/slots.h"

struct supervisor_config {
    const char *dir;
    uint64_t nodes, voters, port, brokers; /* voters 0: the default */
    uint64_t heartbeat_us;                 /* 0: the default */
    uint64_t election_us, delay_us, max_result;
    uint64_t checkpoint_us, checkpoint_bytes, compact_entries;
    uint64_t keep_jobs, keep_bytes; /* 0: as the cluster has it */
    uint64_t quota_jobs, quota_bytes;
    uint64_t keep_values_us;
    uint64_t slots; /* 0: the default */
    uint64_t snapshot_timeout_us, snapshot_every_us, snapshot_keep;
    uint64_t fail_exit_ppm, fail_stall_ppm, stall_us, fail_seed; /* failures on purpose */
    const char *fail_on;                                         /* NULL: none */
    const char *durability, *log_level;
    bool insecure;  /* without keys */
    bool record;    /* write DIR/founded.json once a coordinator has served */
    bool temporary; /* remove the directory at the end */
    bool detached;  /* remarks go to DIR/supervisor.log instead of stderr */
    bool follow;    /* print the cluster's events on stdout */
};

/* The defaults of the fields that these options do not have to set. */
#define SUPERVISOR_DEFAULTS                                                                       \
    .election_us = ELECTION_TIMEOUT_DEFAULT_US, .checkpoint_us = CHECKPOINT_INTERVAL_DEFAULT_US,  \
    .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT, .compact_entries = COMPACT_ENTRIES,             \
    .quota_jobs = QUOTA_JOBS_DEFAULT, .quota_bytes = QUOTA_BYTES_DEFAULT,                         \
    .keep_values_us = KEEP_VALUES_DEFAULT_US, .snapshot_timeout_us = SNAPSHOT_TIMEOUT_DEFAULT_US, \
    .snapshot_keep = SNAPSHOTS_PERIODIC_KEEP, .max_result = RESULT_MAX_DEFAULT_BYTES,             \
    .stall_us = STALL_DEFAULT_US, .durability = "fsync", .log_level = "info"

/* The options of `up` and `run` that fill a configuration; to be put into a command's table. */
#define SUPERVISOR_OPTIONS(config)                                                  \
    {"nodes",                                                                       \
     OPTION_U64,                                                                    \
     &(config).nodes,                                                               \
     2,                                                                             \
     NODES_MAX,                                                                     \
     "N",                                                                           \
     "how many nodes; one of them coordinates (default: DIR's, else 6)"},           \
        {"voters",                                                                  \
         OPTION_U64,                                                                \
         &(config).voters,                                                          \
         1,                                                                         \
         NODES_MAX,                                                                 \
         "K",                                                                       \
         "nodes 1..K vote (default: DIR's, else all, at most 5)"},                  \
        {"delay",                                                                   \
         OPTION_DURATION,                                                           \
         &(config).delay_us,                                                        \
         0,                                                                         \
         3600 * SECOND_US,                                                          \
         "TIME",                                                                    \
         "workers hold back every result for this long (default 0ms)"},             \
        {"heartbeat",                                                               \
         OPTION_DURATION,                                                           \
         &(config).heartbeat_us,                                                    \
         MS_US,                                                                     \
         60 * SECOND_US,                                                            \
         "TIME",                                                                    \
         "between two heartbeats of a node (default 50ms, more from 13 nodes on)"}, \
        {"election-timeout",                                                        \
         OPTION_DURATION,                                                           \
         &(config).election_us,                                                     \
         ELECTION_TIMEOUT_MIN_US,                                                   \
         ELECTION_TIMEOUT_MAX_US,                                                   \
         "TIME",                                                                    \
         "a coordinator silent this long is replaced (default 500ms)"},             \
        {"checkpoint-interval",                                                     \
         OPTION_DURATION,                                                           \
         &(config).checkpoint_us,                                                   \
         MS_US,                                                                     \
         3600 * SECOND_US,                                                          \
         "TIME",                                                                    \
         "replicate finished operations this often (default 100ms)"},               \
        {"checkpoint-bytes",                                                        \
         OPTION_SIZE,                                                               \
         &(config).checkpoint_bytes,                                                \
         1,                                                                         \
         1024 * MIB_BYTES,                                                          \
         "SIZE",                                                                    \
         "or whenever their values are this large (default 4MiB)"},                 \
        {"compact-entries",                                                         \
         OPTION_U64,                                                                \
         &(config).compact_entries,                                                 \
         COMPACT_ENTRIES_MIN,                                                       \
         COMPACT_ENTRIES_MAX,                                                       \
         "N",                                                                       \
         "write a checkpoint after this many log entries (default 8192)"},          \
        {"keep-jobs",                                                               \
         OPTION_U64,                                                                \
         &(config).keep_jobs,                                                       \
         1,                                                                         \
         JOBS_KEPT_LIMIT,                                                           \
         "N",                                                                       \
         "forget the oldest finished jobs when there are more (default: the "       \
         "cluster's, else 10000)"},                                                 \
        {"keep-bytes",                                                              \
         OPTION_SIZE,                                                               \
         &(config).keep_bytes,                                                      \
         1,                                                                         \
         KEEP_BYTES_LIMIT,                                                          \
         "SIZE",                                                                    \
         "or when their results are larger, but never the last one "                \
         "(default: the cluster's, else 4GiB)"},                                    \
        {"quota-jobs",                                                              \
         OPTION_U64,                                                                \
         &(config).quota_jobs,                                                      \
         0,                                                                         \
         JOBS_OPEN_MAX,                                                             \
         "N",                                                                       \
         "how many jobs a key may have open, except admin's; 0: any number "        \
         "(default 2500)"},                                                         \
        {"quota-bytes",                                                             \
         OPTION_SIZE,                                                               \
         &(config).quota_bytes,                                                     \
         0,                                                                         \
         KEEP_BYTES_LIMIT,                                                          \
         "SIZE",                                                                    \
         "refuse a key's jobs and values when it keeps this much (default 1GiB)"},  \
        {"slots",                                                                   \
         OPTION_U64,                                                                \
         &(config).slots,                                                           \
         1,                                                                         \
         SLOTS_MAX,                                                                 \
         "N",                                                                       \
         "how many operations and commands together a node executes at a "          \
         "time (default: one operation, and processors / nodes commands)"},         \
        {"keep-values",                                                             \
         OPTION_DURATION,                                                           \
         &(config).keep_values_us,                                                  \
         SECOND_US,                                                                 \
         KEEP_VALUES_LIMIT_US,                                                      \
         "TIME",                                                                    \
         "drop a stored value that no job has named for this long (default 24h)"},  \
        {"snapshot-every",                                                          \
         OPTION_DURATION,                                                           \
         &(config).snapshot_every_us,                                               \
         0,                                                                         \
         SNAPSHOT_EVERY_MAX_US,                                                     \
         "TIME",                                                                    \
         "the coordinator takes a snapshot this often (default: never)"},           \
        {"snapshot-keep",                                                           \
         OPTION_U64,                                                                \
         &(config).snapshot_keep,                                                   \
         1,                                                                         \
         SNAPSHOTS_KEPT_MAX,                                                        \
         "N",                                                                       \
         "how many of these snapshots every node keeps (default 5)"},               \
        {"snapshot-timeout",                                                        \
         OPTION_DURATION,                                                           \
         &(config).snapshot_timeout_us,                                             \
         10 * MS_US,                                                                \
         3600 * SECOND_US,                                                          \
         "TIME",                                                                    \
         "a node silent for this long is missing in a snapshot (default 2s)"},      \
        {"durability",                                                              \
         OPTION_STRING,                                                             \
         &(config).durability,                                                      \
         0,                                                                         \
         0,                                                                         \
         "WHAT",                                                                    \
         "fsync: survives power cuts; os: survives crashes; off: only to "          \
         "measure (default fsync)"},                                                \
        {"max-result",                                                              \
         OPTION_SIZE,                                                               \
         &(config).max_result,                                                      \
         1,                                                                         \
         RESULT_MAX_MOST_BYTES,                                                     \
         "SIZE",                                                                    \
         "refuse jobs whose result would be larger (default 128MiB)"},              \
        {"fail-exit",                                                               \
         OPTION_CHANCE,                                                             \
         &(config).fail_exit_ppm,                                                   \
         0,                                                                         \
         0,                                                                         \
         "P",                                                                       \
         "nodes exit on purpose with this probability (default 0)"},                \
        {"fail-stall",                                                              \
         OPTION_CHANCE,                                                             \
         &(config).fail_stall_ppm,                                                  \
         0,                                                                         \
         0,                                                                         \
         "P",                                                                       \
         "nodes stall on purpose with this probability (default 0)"},               \
        {"stall",                                                                   \
         OPTION_DURATION,                                                           \
         &(config).stall_us,                                                        \
         MS_US,                                                                     \
         3600 * SECOND_US,                                                          \
         "TIME",                                                                    \
         "how long such a stall lasts (default 3s)"},                               \
        {"fail-seed",                                                               \
         OPTION_U64,                                                                \
         &(config).fail_seed,                                                       \
         0,                                                                         \
         UINT64_MAX,                                                                \
         "N",                                                                       \
         "seed of these failures (default: random; logged)"},                       \
        {"fail-on",                                                                 \
         OPTION_STRING,                                                             \
         &(config).fail_on,                                                         \
         0,                                                                         \
         0,                                                                         \
         "R17",                                                                     \
         "for tests: the operation of that number kills its worker"},               \
    {                                                                               \
        "log-level", OPTION_STRING, &(config).log_level, 0, 0, "LEVEL",             \
            "level of the logs: error, warn, info or debug (default info)"          \
    }

/* How many nodes vote, and how often they say that they live. */
uint64_t supervisor_voters(const struct supervisor_config *config);
uint64_t supervisor_heartbeat_us(const struct supervisor_config *config);

/* Checks what options cannot: OK, or ERR_MALFORMED after one line in `why` (TEXT_MAX bytes). */
int supervisor_check(const struct supervisor_config *config, char *why);

/* Runs the cluster until a signal, says on stderr what happens. Whatever ends is started again,
 * after pauses that grow; DIR/supervisor.json names it meanwhile, with its last words
 * (supervised.h). Only before a coordinator has served for the first time may one end all: then it
 * returns, after one line in `why` (TEXT_MAX bytes), EXIT_USAGE when a process refuses its
 * configuration, or when the directory or a port cannot be used at all, and EXIT_FAILED when so
 * many voters, or all brokers, cannot start that none ever will. Else EXIT_OK. */
int supervisor_run(const struct supervisor_config *config, char *why);

#endif
