/* settings.h - what conclave-broker is told by its options: their table, and what is wrong with
 * them. */
#ifndef CONCLAVE_BROKER_SETTINGS_H
#define CONCLAVE_BROKER_SETTINGS_H

#include <stdio.h>

#include "broker/broker.h"
#include "shared/base/log.h"

/* The strings: borrowed from argv or the environment. */
struct broker_settings {
    uint64_t port, front, nodes, voters, silence_us, quota_rate, log_limit_bytes;
    const char *bind, *peers, *access;
    enum log_level level;
    bool insecure, help, version;
    const char *completion; /* print what this shell needs; NULL: run a broker */
};

/* Reads options; what is not given has its default. As options_parse(). One thread at a time. */
int broker_settings_read(struct broker_settings *out, int argc, char **argv, int *n_words,
                         char *why);

/* Prints one line an option. */
void broker_settings_help(FILE *out);

/* Prints what a shell needs to complete them; false: there is no such shell. */
bool broker_settings_complete(const char *shell, FILE *out);

/* Makes a configuration of them, which borrows their strings. `peers`: a copy of theirs, which is
 * cut at its commas; NULL: without. ERR_MALFORMED with one line in `why` (TEXT_MAX bytes). */
int broker_settings_apply(const struct broker_settings *settings, char *peers,
                          struct broker_config *config, char *why);

#endif
