/* up.c - conclave up: a supervised cluster on this machine. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/command/commands.h"
#include "clients/local/founded.h"
#include "clients/local/launch.h"
#include "clients/local/local.h"
#include "clients/local/ports.h"
#include "clients/ask/interrupt.h"
#include "clients/command/snapshot_word.h"
#include "clients/command/snapshot_restore.h"
#include "clients/show/printable.h"
#include "clients/local/supervised.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/tasks/shell.h"

/* nodes, voters, port and brokers are 0 until they are known: as the options say, else as the
 * snapshot has, else as DIR was founded, else the defaults. */
static struct supervisor_config config = {.dir = LOCAL_DIR_DEFAULT, SUPERVISOR_DEFAULTS};
static const char *restore;
static bool detach;

const struct option_spec up_options[] = {
    {"dir", OPTION_STRING, &config.dir, 0, 0, "DIR", "data and logs (default .conclave)"},
    {"port", OPTION_U64, &config.port, 1, PORT_LIMIT - 1, "P",
     "the broker's port; the feed is at P+1, node i at P+100+10i (default: DIR's, else 7000)"},
    {"brokers", OPTION_U64, &config.brokers, 1, BROKERS_LOCAL_MAX, "K",
     "brokers at P, P+2, ... (default: DIR's, else 1)"},
    {"restore", OPTION_STRING, &restore, 0, 0, "FILE",
     "start from this snapshot, in a fresh DIR (--nodes as in it)"},
    {"detach", OPTION_FLAG, &detach, 0, 0, NULL,
     "return once a coordinator serves; the cluster keeps running"},
    SUPERVISOR_OPTIONS(config),
    {0}};

static void add_brokers(struct text *out)
{
    for (uint64_t i = 0; i < config.brokers; i++)
        text_add(out, "%stcp://127.0.0.1:%" PRIu64, i ? "," : "", config.port + 2 * i);
}

/* Who does not start, although the cluster serves: to stderr, and as a list. */
static json_t *report_troubles(void)
{
    json_t *supervised = supervised_read(config.dir, NULL),
           *lines = supervised_troubles(supervised);
    for (size_t i = 0; i < json_array_size(lines); i++)
        cli_note("%s", json_string_value(json_array_get(lines, i)));
    json_decref(supervised);
    return lines;
}

/* To be pasted into a shell, whatever the directory's name is. */
static void print_access(void)
{
    char path[LOCAL_PATH_MAX] = "";
    local_path(config.dir, ENTRY_FILE, path); /* the cluster runs there: it fits */
    char *word = mem_new(shell_quoted_max(strlen(path)), 1);
    size_t len = shell_quote(word, slice_of(path));
    printf("export CONCLAVE_ACCESS=%.*s\n", (int)len, word);
    free(word);
}

static void announce(struct cli *cli, const struct launch *launch, const struct wire_status *status)
{
    struct text brokers = {0};
    add_brokers(&brokers);
    json_t *troubles = report_troubles();
    if (cli->json) {
        cli_print_json(cli, json_pack("{s:i, s:o, s:I, s:I, s:s, s:I, s:I, s:o}", "pid",
                                      (int)launch->pid, "dir", printable_json(slice_of(config.dir)),
                                      "port", (json_int_t)config.port, "nodes",
                                      (json_int_t)config.nodes, "broker", brokers.at, "coordinator",
                                      (json_int_t)status->coordinator, "term",
                                      (json_int_t)status->term, "troubles", troubles));
        return;
    }
    json_decref(troubles);
    printf("%" PRIu64 " nodes run in %s; node %" PRIu64 " is the coordinator in term %" PRIu64 "\n",
           config.nodes, config.dir, status->coordinator, status->term);
    if (config.port != PORT_DEFAULT || config.brokers > 1)
        printf("export CONCLAVE_BROKER=%s\n", brokers.at);
    if (!config.insecure && strcmp(config.dir, LOCAL_DIR_DEFAULT) != 0)
        print_access();
}

/* Who cannot be told that a cluster runs, and where, shall not have one. */
static int tell_started(struct cli *cli, struct launch *launch, const struct wire_status *status)
{
    announce(cli, launch, status);
    if (!fflush(stdout) && !ferror(stdout))
        return EXIT_OK;
    launch_end(launch);
    cli_note("the cluster was stopped again");
    return EXIT_FAILED;
}

static int detached(struct cli *cli)
{
    struct launch launch;
    struct message *status = NULL;
    struct text why = {0};
    if (launch_start(&config, false, &launch))
        return cli_fail(EXIT_FAILED, "the supervisor could not be started");
    int code = launch_wait(cli, &config, &launch, &status, &why);
    if (code == EXIT_OK)
        code = tell_started(cli, &launch, &status->as.status);
    else if (why.len)
        cli_note("%s", why.at);
    message_drop(&status);
    return code;
}

static int in_foreground(void)
{
    char why[TEXT_MAX] = "";
    config.follow = true;

    int code = supervisor_run(&config, why);
    if (code)
        return cli_fail(code, "%s", why);
    return interrupt_seen() ? cli_interrupted() : EXIT_OK;
}

/* The snapshot says how many nodes there are, and whoever says otherwise means something else. */
static int prepare(void)
{
    struct snapshot_model *model = NULL;
    int code = restore ? snapshot_read(restore, &model) : EXIT_OK;
    if (!code && model && config.nodes && config.nodes != model->n_nodes)
        code = cli_fail(EXIT_USAGE, "--nodes: the snapshot is of %zu nodes", model->n_nodes);
    else if (!code && model)
        code = snapshot_restore_into(model, (struct restore_source){.file = restore}, config.dir,
                                     config.voters, false);
    if (!config.nodes && model)
        config.nodes = model->n_nodes;
    snapshot_model_destroy(&model);
    return code;
}

/* Takes what the options do not say from DIR. */
static int settle(void)
{
    char why[TEXT_MAX];
    struct founded is = {config.nodes, config.voters, config.port, config.brokers};
    if (founded_settle(config.dir, &is, &config.record, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    config.nodes = is.nodes;
    config.voters = is.voters;
    config.port = is.port;
    config.brokers = is.brokers;
    return supervisor_check(&config, why) ? cli_fail(EXIT_USAGE, "%s", why) : EXIT_OK;
}

int up_run(struct cli *cli, int n_words, char **words)
{
    config.insecure = cli->connection.insecure;
    int code = cli_no_words(n_words, words);
    if (!code)
        code = prepare();
    if (!code)
        code = settle();
    if (code)
        return code;
    return detach ? detached(cli) : in_foreground();
}
