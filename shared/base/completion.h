/* completion.h - what a shell needs to complete a program's options, from their table: bash, zsh
 * and fish. `conclave completion` does the same for a program with commands. */
#ifndef CONCLAVE_BASE_COMPLETION_H
#define CONCLAVE_BASE_COMPLETION_H

#include "shared/base/options.h"

/* Prints the script for a program that takes only options. False: there is no such shell. */
bool completion_print(const char *program, const struct option_spec *specs, const char *shell,
                      FILE *out);

/* The option by which a program is asked for it. */
#define COMPLETION_OPTION(at)                                              \
    {                                                                      \
        "completion", OPTION_WORD, &(at), 0, 0, "SHELL",                   \
            "print what bash, zsh or fish needs to complete these options" \
    }

/* The parts that have one form in both: text between single quotes (fish takes a backslash there,
 * other shells do not), an option as one types it, as a word of bash and as a row of zsh ("--name:
 * about"), whose name a colon ends. */
void completion_quote(const char *text, bool fish, FILE *out);
void completion_bash_option(const struct option_spec *spec, FILE *out);
void completion_zsh_row(const char *name, const char *about, FILE *out);
void completion_zsh_option(const struct option_spec *spec, FILE *out);

/* The rest of a line of fish that begins with `complete -c PROGRAM`. */
void completion_fish_option(const struct option_spec *spec, FILE *out);

#endif
