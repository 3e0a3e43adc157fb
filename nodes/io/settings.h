/* settings.h - what conclave-node is told by its options: their table, and what is wrong with
 * them. Pure, but for the environment that options_parse() reads. */
#ifndef CONCLAVE_IO_SETTINGS_H
#define CONCLAVE_IO_SETTINGS_H

#include <stdio.h>

#include "nodes/work/failure.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

/* The strings: borrowed from argv or the environment. */
struct settings {
    uint64_t id, port;
    uint64_t nodes, voters; /* 0: not given */
    bool voters_open;       /* neither were they given, nor does DIR say */
    const char *dir, *bind, *peers, *cluster, *durability, *fail_on, *restore, *access;
    uint64_t memory_limit_bytes, start_jitter_us;
    struct failure_config failure;
    uint64_t heartbeat_us; /* 0: not given */
    uint64_t election_timeout_us, delay_us, max_result_bytes, pieces_from;
    uint64_t checkpoint_us, checkpoint_bytes, compact_entries;
    uint64_t snapshot_timeout_us, snapshot_every_us, snapshot_keep, snapshot_memory_bytes;
    uint64_t keep_jobs, keep_bytes; /* 0: not given */
    uint64_t quota_jobs, quota_bytes;
    uint64_t keep_values_us;
    uint64_t log_limit_bytes;
    uint64_t slots; /* 0: not given */
    uint64_t nodes_here;
    uint64_t files_soft; /* RLIMIT_NOFILE as this program was given it; no option */
    const char *scratch, *commands_user;
    enum log_level log_level;
    bool insecure; /* run without keys */
    bool help, version;
    const char *completion; /* print what this shell needs; NULL: run a node */
};

/* Reads options; what is not given has its default. As options_parse(). One thread at a time. */
int settings_read(struct settings *out, int argc, char **argv, int *n_words, char *why);

/* Prints one line an option. */
void settings_help(FILE *out);

/* Prints what a shell needs to complete them; false: there is no such shell. */
bool settings_complete(const char *shell, FILE *out);

/* Checks what does not depend on the size of the cluster, and reads --fail-on. ERR_MALFORMED with
 * one line in `why` (TEXT_MAX bytes). */
int settings_check(struct settings *settings, char why[TEXT_MAX]);

/* What depends on it, once nodes and voters are known: the heartbeat when it was not given, then
 * the checks. Errors likewise. */
void settings_settle_heartbeat(struct settings *settings);
int settings_check_size(const struct settings *settings, char why[TEXT_MAX]);

/* Splits "HOST1,HOST2,..." in place of `list` into hosts[1..n] (borrowed from it); without a list
 * all are this machine. Errors likewise. */
int settings_split_hosts(char *list, uint64_t n, const char **hosts, char why[TEXT_MAX]);

#endif
