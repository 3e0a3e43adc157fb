/* help.h - help texts from the table of commands, and the commands `help` and `version`. */
#ifndef CONCLAVE_CLIENTS_HELP_H
#define CONCLAVE_CLIENTS_HELP_H

#include <stdio.h>

#include "clients/cli.h"

/* Returns the command of that name ("submit", "job list"), or NULL. */
const struct command *help_find(const char *name);

/* True for a command whose arguments are another program's command: the first word ends its own
 * options (options_parse_leading). Its usage says so with [--]. */
bool help_has_leading_options(const struct command *command);

/* All commands, the global options and the exit codes. */
void help_overview(FILE *out);

/* One command. */
void help_command(const struct command *command, FILE *out);

/* The commands that begin with that word: "job"; false: there are none. */
bool help_family(const char *name, FILE *out);

/* Says that there is no such command, and which may be meant; returns EXIT_USAGE. One word that is
 * a family lists it, unless what is said has to be JSON. */
int help_unknown(int n_words, char **words, bool json);

int help_run(struct cli *cli, int n_words, char **words);
int version_run(struct cli *cli, int n_words, char **words);
int kinds_run(struct cli *cli, int n_words, char **words);

#endif
