#include "clients/command/help.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/core/kinds/kinds.h"
#include "shared/base/memory.h"
#include "shared/base/terminal.h"
#include "shared/base/text.h"
#include "shared/base/version.h"

#define KIND_COLUMN 20 /* of a kind and its example, in help */
/* Of a command and its arguments, before what it does. */
#define COLUMNS_WIDE   38
#define COLUMNS_NARROW 28 /* on a terminal */

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
        size_t columns = isatty(fileno(out)) ? COLUMNS_NARROW : COLUMNS_WIDE,
               at = 3 + (strlen(left) > columns ? strlen(left) : columns);
        fprintf(out, "  %-*s ", (int)columns, left);
        if (isatty(fileno(out)) && at > 3 + columns) {
            fprintf(out, "\n%*s", (int)columns + 3, "");
            at = 3 + columns;
        }
        terminal_wrap(command->summary, at, 3 + columns, out);
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
                 "  8 the key's quota of requests, jobs or bytes is used up\n"
                 "  130, 143 ended by SIGINT, SIGTERM\n");
}

void help_overview(FILE *out)
{
    fprintf(out, "usage: conclave COMMAND [options]\n\n"
                 "Distributed computation with an elected coordinator.\n"
                 "`conclave up --detach` starts a cluster on this machine,\n"
                 "`conclave submit factorial 10` runs a first job.\n\nCommands:\n");
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
    for (size_t i = 0; kind_at(i); i++) {
        size_t at = strlen(indent) + KIND_COLUMN + 1;
        fprintf(out, "%s%s %-*s", indent, kind_at(i)->name,
                (int)(KIND_COLUMN - strlen(kind_at(i)->name)), kind_at(i)->example);
        terminal_wrap(kind_at(i)->about, at, at, out);
    }
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

/* Paragraphs as wide as the terminal; lines that begin with spaces stay as they are. */
static void help_details(const char *details, FILE *out)
{
    size_t size = strlen(details) + 1, len = 0;
    char *words = mem_new(size, 1);
    fputc('\n', out);
    if (!isatty(fileno(out))) {
        fprintf(out, "%s\n", details);
        details = "";
    }
    for (size_t n; *details; details += n + (details[n] == '\n')) {
        n = strcspn(details, "\n");
        bool alone = !n || *details == ' ';
        if (alone && len)
            terminal_wrap(words, 0, 0, out);
        len = alone ? 0 : len;
        if (alone)
            fprintf(out, "%.*s\n", (int)n, details);
        else
            len += text_format(words + len, size - len, "%s%.*s", len ? " " : "", (int)n, details);
    }
    if (len)
        terminal_wrap(words, 0, 0, out);
    free(words);
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
        help_details(command->details, out);
    if (command->options) {
        fprintf(out, "\nOptions:\n");
        options_help(command->options, out);
    }
    fprintf(out, "\nOptions of every command:\n");
    list_common_options(command, out);
    fprintf(out, "\n");
    list_exit_codes(out);
}

static bool is_family(const char *name)
{
    const struct command *command = commands;
    while (command->name && !is_member(command, name))
        command++;
    return command->name != NULL;
}

bool help_family(const char *name, FILE *out)
{
    if (!is_family(name))
        return false;
    fprintf(out, "conclave %s takes one of these:\n", name);
    list(name, out);
    return true;
}

/* The command that somebody may have meant, or the family of commands, for whoever gave one word;
 * an empty slice: none is near. `family`: one of its members. */
static struct slice nearest_command(struct slice given, const char *family)
{
    struct slice near = {0};
    size_t slips = TEXT_FAR;
    for (const struct command *command = commands; command->name; command++) {
        struct slice whole = slice_of(command->name), first = whole;
        const char *space = strchr(command->name, ' ');
        if (space)
            first.len = (size_t)(space - command->name);
        struct slice candidate = family ? whole : first;
        if ((!family || is_member(command, family)) && text_nearer(given, candidate, &slips))
            near = candidate;
    }
    return near;
}

int help_unknown(int n_words, char **words, bool json)
{
    char shown[TEXT_MAX / 4], given[TEXT_MAX];
    bool family = is_family(words[0]);
    if (n_words == 1 && family && json)
        return cli_fail(EXIT_USAGE, "%s takes another word; `conclave help %s` lists them",
                        words[0], words[0]);
    if (n_words == 1 && help_family(words[0], stderr))
        return EXIT_USAGE;
    text_format(given, sizeof given, "%s%s%s", words[0], family ? " " : "", family ? words[1] : "");
    struct slice near = nearest_command(slice_of(given), family ? words[0] : NULL);
    text_escape(shown, sizeof shown, slice_of(given));
    if (words[0][0] == '-')
        return cli_fail(EXIT_USAGE,
                        "unknown option '%s'; --help lists commands, --version shows the version",
                        shown);
    if (kind_find(slice_of(words[0])))
        return cli_fail(EXIT_USAGE, "there is no command '%s'; did you mean `conclave submit %s`?",
                        shown, shown);
    if (near.len)
        return cli_fail(EXIT_USAGE, "there is no command '%s'; did you mean `conclave %.*s`?",
                        shown, (int)near.len, (const char *)near.at);
    return cli_fail(EXIT_USAGE, "there is no command '%s'; `conclave help%s%s` lists them", shown,
                    family ? " " : "", family ? words[0] : "");
}

int help_run(struct cli *cli, int n_words, char **words)
{
    char name[TEXT_MAX];
    if (!n_words) {
        help_overview(stdout);
        return EXIT_OK;
    }
    text_format(name, sizeof name, "%s%s%s", words[0], n_words > 1 ? " " : "",
                n_words > 1 ? words[1] : "");
    const struct command *command = help_find(name);
    int taken = 1 + (n_words > 1); /* of the words */
    if (!command && n_words > 1 && (command = help_find(words[0])))
        taken = 1;
    if (!command && n_words == 1 && help_family(name, stdout))
        return EXIT_OK;
    if (!command)
        return help_unknown(n_words, words, cli->json);
    if (n_words > taken)
        return cli_no_words(n_words - taken, words + taken);
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
