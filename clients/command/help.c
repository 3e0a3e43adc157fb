#include "clients/command/help.h"

#include <string.h>

#include "nodes/core/kinds/kinds.h"
#include "shared/base/nearest.h"
#include "shared/base/text.h"
#include "shared/base/version.h"

#define KIND_COLUMN 16 /* of a kind and its example, in help */

const struct command *help_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}

bool help_has_leading_options(const struct command *command)
{
    return command && !strncmp(command->arguments, "[--]", 4);
}

/* Returns whether the command belongs to the family: "job list" to "job". */
static bool is_member(const struct command *command, const char *family)
{
    size_t len = strlen(family);
    return !strncmp(command->name, family, len) && command->name[len] == ' ';
}

static void list(const char *family, FILE *out)
{
    for (const struct command *command = commands; command->name; command++) {
        if (family && !is_member(command, family))
            continue;
        char left[TEXT_MAX];
        text_format(left, sizeof left, "%s %s", command->name, command->arguments);
        fprintf(out, "  %-38s %s\n", left, command->summary);
    }
}

static void list_exit_codes(FILE *out)
{
    fprintf(out, "Exit codes:\n"
                 "  0 done                     4 --timeout has passed\n"
                 "  1 failed, or was refused   5 the job was cancelled\n"
                 "  2 bad usage or input       6 no such job, snapshot, account or value\n"
                 "  3 no broker answers, or no coordinator serves\n"
                 "  7 the key is refused, or may not do this\n"
                 "  8 the key makes more requests a second than one may\n"
                 "  130, 143 ended by SIGINT, SIGTERM\n");
}

void help_overview(FILE *out)
{
    fprintf(
        out,
        "usage: conclave COMMAND [options]\n\n"
        "Distributed computation with an elected coordinator. `conclave up` starts a cluster on\n"
        "this machine, `conclave submit factorial 10` submits a first job.\n\nCommands:\n");
    list(NULL, out);
    fprintf(out, "\nOptions of every command:\n");
    options_help(cli_options, out);
    fprintf(out, "\nEvery option is also an environment variable: --broker is CONCLAVE_BROKER.\n"
                 "Results go to stdout, everything else to stderr.\n");
    list_exit_codes(out);
    fprintf(out, "`conclave help COMMAND` says more.\n");
}

static void list_kinds(const char *indent, FILE *out)
{
    for (size_t i = 0; kind_at(i); i++)
        fprintf(out, "%s%s %-*s%s\n", indent, kind_at(i)->name,
                (int)(KIND_COLUMN - strlen(kind_at(i)->name)), kind_at(i)->example,
                kind_at(i)->about);
    fprintf(out, "Numbers are written as 1000000, 1_000_000, 1e6, 10^6 or 5*10^5.\n");
}

/* An option of the command stands for the one of all that has its name. */
static void list_common_options(const struct command *command, FILE *out)
{
    for (const struct option_spec *common = cli_options; common->name; common++) {
        struct option_spec one[] = {*common, {0}};
        const struct option_spec *own = command->options;
        while (own && own->name && strcmp(own->name, common->name))
            own++;
        if (!own || !own->name)
            options_help(one, out);
    }
}

void help_command(const struct command *command, FILE *out)
{
    fprintf(out, "usage: conclave %s%s%s%s\n\n%s.\n", command->name,
            command->options ? " [options]" : "", *command->arguments ? " " : "",
            command->arguments, command->summary);
    if (!strncmp(command->arguments, "KIND", 4)) {
        fprintf(out, "\nKinds of jobs:\n");
        list_kinds("  ", out);
    }
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
    if (command->options) {
        fprintf(out, "\nOptions:\n");
        options_help(command->options, out);
    }
    fprintf(out, "\nOptions of every command:\n");
    list_common_options(command, out);
    fprintf(out, "\n");
    list_exit_codes(out);
}

int help_unknown(int n_words, char **words)
{
    char name[TEXT_MAX / 4], given[TEXT_MAX];
    text_format(given, sizeof given, "%s", words[0]);
    for (const struct command *command = commands; command->name && n_words == 1; command++)
        if (is_member(command, given)) {
            fprintf(stderr, "conclave: %s takes one of these:\n", given);
            list(given, stderr);
            return EXIT_USAGE;
        }
    if (n_words > 1)
        text_format(given, sizeof given, "%s %s", words[0], words[1]);
    struct nearest nearest = nearest_begin(given, strlen(given));
    for (const struct command *command = commands; command->name; command++)
        nearest_offer(&nearest, command->name);
    return cli_fail(EXIT_USAGE, "there is no command '%s'; %s%s%s",
                    text_escape(name, sizeof name, slice_of(given)),
                    nearest.found ? "did you mean `conclave " : "`conclave help` lists them",
                    nearest.found ? nearest.found : "", nearest.found ? "`?" : "");
}

int help_run(struct cli *cli, int n_words, char **words)
{
    (void)cli;
    char name[TEXT_MAX];
    if (!n_words) {
        help_overview(stdout);
        return EXIT_OK;
    }
    text_format(name, sizeof name, "%s%s%s", words[0], n_words > 1 ? " " : "",
                n_words > 1 ? words[1] : "");
    const struct command *command = help_find(name);
    if (!command)
        return help_unknown(n_words, words);
    help_command(command, stdout);
    return EXIT_OK;
}

int version_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s}", "version", CONCLAVE_VERSION));
    else
        printf("conclave %s\n", CONCLAVE_VERSION);
    return EXIT_OK;
}

int kinds_run(struct cli *cli, int n_words, char **words)
{
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (!cli->json) {
        list_kinds("", stdout);
        return EXIT_OK;
    }
    json_t *rows = json_array();
    for (size_t i = 0; kind_at(i); i++)
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:s}", "kind", kind_at(i)->name, "example",
                                        kind_at(i)->example, "about", kind_at(i)->about));
    cli_print_json(cli, rows);
    return EXIT_OK;
}
