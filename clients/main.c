/* main.c - conclave: finds the command, reads its options, runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/command/help.h"
#include "clients/ask/interrupt.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/standard.h"
#include "shared/base/text.h"
#include "shared/base/version.h"
#include "shared/bus/bus.h"

static struct {
    const char *broker, *access, *dir;
    uint64_t timeout_us;
    bool json, insecure, help, version;
} options;

const struct option_spec cli_options[] = {
    {"broker", OPTION_STRING, &options.broker, 0, 0, "ADDRESS",
     "the broker, or several with commas; HOST alone is tcp://HOST:7000 (default: from the key "
     "file, else tcp://127.0.0.1:7000)"},
    {"access", OPTION_STRING, &options.access, 0, 0, "FILE",
     "the key file to use (default: access.json in DIR)"},
    {"dir", OPTION_STRING, &options.dir, 0, 0, "DIR",
     "a cluster's directory (default: .conclave, here or above)"},
    {"insecure", OPTION_FLAG, &options.insecure, 0, 0, NULL, "for a cluster without keys"},
    {"timeout", OPTION_DURATION, &options.timeout_us, MS_US, TIME_NEVER_US, "TIME",
     "give up after this long, with exit code 4, or never (default 10m; for the end of a job: "
     "never)"},
    {"json", OPTION_FLAG, &options.json, 0, 0, NULL, "results as JSON"},
    {"help", OPTION_FLAG, &options.help, 0, 0, NULL, "show the command's help"},
    {"version", OPTION_FLAG, &options.version, 0, 0, NULL, "show the version"},
    {0}};

static size_t options_count(const struct option_spec *specs)
{
    size_t n = 0;
    while (specs && specs[n].name)
        n++;
    return n;
}

/* Returns where the next word that is no option stands; global options before the command may have
 * values. */
static int next_word(int argc, char **argv, int at)
{
    for (; at < argc && !strncmp(argv[at], "--", 2); at++)
        for (const struct option_spec *spec = cli_options; spec->name; spec++)
            if (!strcmp(argv[at] + 2, spec->name) && spec->kind != OPTION_FLAG) {
                at++;
                break;
            }
    return at;
}

static void remove_word(int *argc, char **argv, int at)
{
    memmove(argv + at, argv + at + 1, (size_t)(*argc - at) * sizeof *argv);
    --*argc;
}

/* Finds the command and takes its one or two words out of argv. NULL when there is none of that
 * name. Options of every command may stand between the two. */
static const struct command *take_command(int *argc, char **argv)
{
    int at = next_word(*argc, argv, 1), second = next_word(*argc, argv, at + 1);
    char name[TEXT_MAX];
    if (at >= *argc)
        return NULL;
    if (second < *argc) {
        text_format(name, sizeof name, "%s %s", argv[at], argv[second]);
        const struct command *member = help_find(name);
        if (member) {
            remove_word(argc, argv, second);
            remove_word(argc, argv, at);
            return member;
        }
    }
    const struct command *command = help_find(argv[at]);
    if (command)
        remove_word(argc, argv, at);
    return command;
}

/* Parses the global options and the command's in one go. Caller frees the merged table. */
static int parse_options(const struct command *command, int argc, char **argv, int *n_words,
                         char *why)
{
    size_t n_own = command ? options_count(command->options) : 0,
           n_all = options_count(cli_options);
    struct option_spec *merged = mem_new(n_own + n_all + 1, sizeof *merged);
    if (n_own)
        memcpy(merged, command->options, n_own * sizeof *merged);
    memcpy(merged + n_own, cli_options, n_all * sizeof *merged);
    int error = help_has_leading_options(command)
                    ? options_parse_leading(merged, argc, argv, n_words, why)
                    : options_parse(merged, argc, argv, n_words, why);
    free(merged);
    return error;
}

static bool asks_for_help(const char *word)
{
    return !strcmp(word, "-h") || !strcmp(word, "--help");
}

/* Known before the options are parsed, for what is wrong with them is said the same way. */
static bool wants_json(int argc, char **argv)
{
    const char *environment = getenv("CONCLAVE_JSON");
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--json"))
            return true;
    return environment && *environment && strcmp(environment, "0");
}

/* The first word that is wrong is named: an option that is unknown before a word that is. */
static int no_command(int argc, char **argv)
{
    char why[TEXT_MAX];
    int n_words, at = next_word(argc, argv, 1), second = next_word(argc, argv, at + 1);
    bool given = at < argc && !asks_for_help(argv[at]);
    if (parse_options(NULL, given ? at : argc, argv, &n_words, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    if (given) {
        char *words[] = {argv[at], second < argc ? argv[second] : NULL};
        for (int i = at + 1; i < argc; i++)
            if (asks_for_help(argv[i]) && help_family(argv[at], stdout))
                return EXIT_OK;
        return help_unknown(words[1] ? 2 : 1, words, wants_json(argc, argv));
    }
    if (options.version)
        printf("conclave %s\n", CONCLAVE_VERSION);
    else if (options.json && !options.help)
        return cli_fail(EXIT_USAGE, "a command is needed; `conclave help` lists them");
    else
        help_overview(options.help ? stdout : stderr);
    return options.version || options.help ? EXIT_OK : EXIT_USAGE;
}

/* What is asked of one node is not waited for: it may be gone for good. */
static bool is_about_jobs(const struct command *command)
{
    static const char *const others[] = {"submit", "map", "run"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(command->name, others[i]))
            return true;
    return !strncmp(command->name, "job ", strlen("job "));
}

static int run(const struct command *command, int n_words, char **words)
{
    char why[TEXT_MAX];
    struct cli cli = {.connection = {.access = options.access,
                                     .dir = options.dir,
                                     .insecure = options.insecure,
                                     .timeout_us = options.timeout_us,
                                     .waits = options.timeout_us && is_about_jobs(command),
                                     .make_context = bus_open,
                                     .end_context = bus_close},
                      .json = options.json,
                      .timeout_given = options.timeout_us};
    if (!cli.timeout_given)
        cli.connection.timeout_us = CLIENT_TIMEOUT_DEFAULT_MS * MS_US;
    if (options.broker && addresses_parse(options.broker, &cli.connection.brokers, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    cli_speak_json(options.json);
    interrupt_open();

    int code = command->run(&cli, n_words, words);
    cli_close(&cli);
    return code;
}

int main(int argc, char **argv)
{
    char why[TEXT_MAX];
    int n_words = 0, code;
    standard_take();
    cli_speak_json(wants_json(argc, argv));
    const struct command *command = take_command(&argc, argv);
    if (!command) {
        code = no_command(argc, argv);
    } else if (parse_options(command, argc, argv, &n_words, why)) {
        code = cli_fail(EXIT_USAGE, "%s", why);
    } else if (options.help) {
        help_command(command, stdout);
        code = EXIT_OK;
    } else {
        code = run(command, n_words, argv + 1);
    }
    if (fflush(stdout) || ferror(stdout))
        return cli_fail(EXIT_FAILED, "the output could not be written");
    return code;
}
