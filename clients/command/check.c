/* check.c - conclave check: one line and an exit code, for health checks and cron. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/show/health.h"
#include "clients/local/supervised.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

static struct {
    uint64_t node;
    bool quorum;
    const char *dir;
} options;

const struct option_spec check_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "only: is node N alive, does it follow a coordinator and keep up?"},
    {"quorum", OPTION_FLAG, &options.quorum, 0, 0, NULL,
     "a serving coordinator is enough; nodes may be down or behind"},
    {"dir", OPTION_STRING, &options.dir, 0, 0, "DIR",
     "also: do all processes that `up` started in DIR run? (default .conclave)"},
    {0}};

static int check_cluster(const struct wire_status *status, struct text *line)
{
    health_add_faults(status, line);
    text_add(line, "node %" PRIu64 " coordinates %zu nodes in term %" PRIu64 "; ",
             status->coordinator, status->nodes.n, status->term);
    health_add_margin(status, line);
    return status->healthy || options.quorum ? EXIT_OK : EXIT_UNREACHABLE;
}

static int check_node(const struct wire_status *status, struct text *line)
{
    for (size_t i = 0; i < status->nodes.n; i++) {
        const struct wire_node_row *row = &status->nodes.at[i];
        char role[4 * 16 + 1];
        if (row->node != options.node)
            continue;
        text_escape(role, sizeof role, row->role);
        if (row->alive)
            text_add(line, "node %" PRIu64 " is alive as a %s in term %" PRIu64, row->node, role,
                     status->term);
        else
            text_add(line, "node %" PRIu64 " is not alive", row->node);
        health_add_refusal(row, line);
        if (row->alive && row->behind_ms)
            text_add(line, ", behind for %.1f s", (double)row->behind_ms / 1000);
        if (row->alive && row->stalled_ms)
            text_add(line, ", its disk has finished nothing for %.1f s",
                     (double)row->stalled_ms / 1000);
        bool follows = slice_equals(row->role, "worker") || slice_equals(row->role, "coordinator");
        bool good = row->alive && follows && !row->behind_ms && !row->stalled_ms;
        return good ? EXIT_OK : EXIT_UNREACHABLE;
    }
    text_add(line, "there is no node %" PRIu64 "; the cluster has %zu", options.node,
             status->nodes.n);
    return EXIT_USAGE;
}

/* What the supervisor cannot start, be it a broker that another one stands in for. */
static int check_supervised(const struct cli *cli, int code, struct text *line)
{
    char trouble[TEXT_MAX];
    bool runs;
    json_t *supervised = supervised_find(options.dir, &cli->connection.brokers);
    for (size_t at = 0; supervised_next(supervised, &at, trouble, &runs);) {
        text_add(line, "%s%s", line->len ? "; " : "", trouble);
        if (!runs && !options.quorum && code == EXIT_OK)
            code = EXIT_UNREACHABLE;
    }
    json_decref(supervised);
    return code;
}

int check_run(struct cli *cli, int n_words, char **words)
{
    struct cluster_view view;
    struct text line = {0};
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (options.dir)
        cli->connection.dir = options.dir;
    code = cluster_look_or_wait(&cli->connection, cli->timeout_given, &view);
    if (view.outcome == ERR_INTERRUPTED)
        code = cli_interrupted();
    else if (code)
        text_add(&line, "%s", view.reason.at);
    else if (options.node)
        code = check_node(&view.status->as.status, &line);
    else
        code = check_cluster(&view.status->as.status, &line);
    if (!options.node && view.outcome != ERR_INTERRUPTED)
        code = check_supervised(cli, code, &line);
    json_t *object = json_pack("{s:b, s:s}", "healthy", code == EXIT_OK, "text", line.at);
    if (view.status)
        health_put_json(&view.status->as.status, object);
    cluster_view_clear(&view);
    if (cli->json)
        cli_print_json(cli, json_incref(object));
    else if (code == EXIT_OK)
        printf("%s\n", line.at);
    else if (line.len)
        cli_note("%s", line.at);
    json_decref(object);
    return code;
}
