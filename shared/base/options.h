/* options.h - options declared in one table: from it come parsing, environment variables, help and
 * the manual.
 *
 * "-h" is --help; a flag whose name is a letter has one dash. "--name value" and "--name=value" on
 * the command line, CONCLAVE_NAME in the environment (dashes become underscores); the command line
 * wins. A flag takes no value; in the environment it is 1 or 0. */
#ifndef CONCLAVE_BASE_OPTIONS_H
#define CONCLAVE_BASE_OPTIONS_H

#include <stdio.h>

#include "shared/base/types.h"

/* No end, and the longest time with one that such an option takes: sums of these do not overflow.
 */
#define TIME_NEVER_US   (UINT64_MAX / 4)
#define TIME_LONGEST_US ((uint64_t)10000 * 24 * 3600 * 1000000)

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_U64,      /* uint64_t within min..max, as parse_whole() reads it: 1000, 1_000, 1e3 */
    OPTION_DURATION, /* uint64_t microseconds within min..max; with a max of TIME_NEVER_US also
                        "never", which is that */
    OPTION_SIZE,     /* uint64_t bytes within min..max */
    OPTION_CHANCE,   /* uint64_t millionths, from a probability within 0..1 */
    OPTION_STRING,   /* const char *, borrowed from argv or the environment */
    OPTION_WORD,     /* the same, on the command line only: its variable means something else */
    OPTION_LIST,     /* struct option_list: may be given several times, on the command line only */
    OPTION_LEVEL     /* enum log_level */
};

/* What an option of the kind OPTION_LIST was given, in that order. Whoever owns the list frees
 * `at`. */
struct option_list {
    const char **at; /* each borrowed from argv */
    size_t n;
};

struct option_spec {
    const char *name; /* without the dashes; NULL ends the table */
    enum option_kind kind;
    void *value; /* where it goes; holds the default before parsing */
    uint64_t min, max;
    const char *argument; /* its name in the help, NULL for a flag */
    const char *help;     /* one line, with the default and the unit */
};

/* Reads the environment, then argv[1..]. Positional words are moved to the front of argv[1..] in
 * their order and their number stored in *n_words; "--" ends the options. Returns OK, or
 * ERR_MALFORMED after having written one line to `why` (TEXT_MAX bytes): what was wrong and what is
 * allowed. */
int options_parse(const struct option_spec *specs, int argc, char **argv, int *n_words, char *why);

/* The same, but the first word that is no option ends them, as "--" does: what follows is a command
 * with options of its own. A "--" that ended them stays, as the first word. */
int options_parse_leading(const struct option_spec *specs, int argc, char **argv, int *n_words,
                          char *why);

/* Prints one line an option; on a terminal that is narrower, several. */
void options_help(const struct option_spec *specs, FILE *out);

/* After help or a version went to stdout: EXIT_OK; or says on stderr that it could not be written,
 * and returns EXIT_FAILED. */
int options_printed(const char *program);

#endif
