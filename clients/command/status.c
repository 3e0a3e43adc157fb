/* status.c - conclave status. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/library/library.h"
#include "clients/show/health.h"
#include "clients/show/render.h"
#include "clients/show/status_json.h"
#include "clients/show/table.h"
#include "clients/local/supervised.h"
#include "shared/base/limits.h"

static const char *dir;
static bool wide;

const struct option_spec status_options[] = {
    {"dir", OPTION_STRING, &dir, 0, 0, "DIR",
     "a cluster that `up` started: which processes do not start, and why (default .conclave)"},
    TABLE_WIDE(wide),
    {0}};

static void print_troubles(const struct cli *cli)
{
    json_t *supervised = supervised_find(dir, &cli->connection.brokers),
           *lines = supervised_troubles(supervised);
    for (size_t i = 0; i < json_array_size(lines); i++)
        printf("supervisor   %s\n", json_string_value(json_array_get(lines, i)));
    json_decref(lines);
    json_decref(supervised);
}

/* --- text --- */

static const struct table_column node_columns[] = {{.title = "NODE", .right = true},
                                                   {.title = "ROLE"},
                                                   {.title = "ALIVE"},
                                                   {.title = "HOST", .least = 6},
                                                   {.title = "PID", .right = true},
                                                   {"BOOTS", true, true, 0},
                                                   {.title = "OPERATIONS", .right = true},
                                                   {.title = "ASSIGNED", .right = true},
                                                   {"HELD", true, true, 0},
                                                   {.title = "APPLIED", .right = true},
                                                   {"REJECTED", true, true, 0},
                                                   {.title = "SLOTS", .right = true},
                                                   {0}};

static void print_nodes(const struct cluster_view *view)
{
    const struct wire_node_row *rows = NULL;
    size_t n = 0;
    struct table *table = table_new(node_columns, wide);
    cluster_nodes(view, &rows, &n);
    for (size_t i = 0; i < n; i++) {
        char role[4 * 16 + 1], host[4 * 64 + 1];
        table_add(table, "%" PRIu64, rows[i].node);
        table_add_state(table, text_escape(role, sizeof role, rows[i].role));
        table_add_state(table, health_word(&rows[i]));
        table_add(table, "%s", text_escape(host, sizeof host, rows[i].host));
        table_add(table, "%" PRIu64, rows[i].pid);
        table_add(table, "%" PRIu64, rows[i].boots);
        table_add(table, "%" PRIu64, rows[i].operations);
        table_add(table, "%" PRIu64, rows[i].assigned);
        table_add(table, "%" PRIu64, rows[i].held);
        table_add(table, "%" PRIu64, rows[i].applied);
        table_add(table, "%" PRIu64, rows[i].rejected);
        table_add(table, "%" PRIu64 "/%" PRIu64, rows[i].slots_used,
                  rows[i].operation_slots ? rows[i].operation_slots : rows[i].slots + 1);
    }
    printf("\n");
    table_end(table, stdout);
}

/* The event loop that stood still longest: one that does for an election timeout looks dead. */
static void print_loops(const struct cluster_view *view)
{
    const struct wire_node_row *rows = NULL, *worst = NULL;
    size_t n = 0;
    cluster_nodes(view, &rows, &n);
    for (size_t i = 0; i < n; i++)
        if (rows[i].turn_us && (!worst || rows[i].turn_us > worst->turn_us))
            worst = &rows[i];
    char in[4 * 16 + 1];
    if (worst)
        printf("loops        longest turn of the last minute: %" PRIu64 ".%" PRIu64
               " ms, node %" PRIu64 " (%s);\n             %" PRIu64 ".%" PRIu64
               " ms without waiting for a processor\n",
               worst->turn_us / MS_US, worst->turn_us % MS_US / 100, worst->node,
               text_escape(in, sizeof in, worst->turn_in), worst->turn_own_us / MS_US,
               worst->turn_own_us % MS_US / 100);
}

/* Nodes whose values have more bytes than they may have in memory. */
static void print_memory(const struct cluster_view *view)
{
    const struct wire_node_row *rows = NULL;
    size_t n = 0;
    cluster_nodes(view, &rows, &n);
    for (size_t i = 0; i < n; i++) {
        char held[RENDER_SIZE_MAX], spilled[RENDER_SIZE_MAX];
        if (!rows[i].spilled_bytes && !rows[i].pressed && !rows[i].unspillable)
            continue;
        printf("memory       node %" PRIu64 ": values of %s in memory, %s on its disk%s\n",
               rows[i].node, render_size(rows[i].held_bytes, held),
               render_size(rows[i].spilled_bytes, spilled),
               rows[i].unspillable ? "; the disk is full"
               : rows[i].pressed   ? "; short of memory"
                                   : "");
    }
}

static void print_kept(const struct wire_status *status)
{
    char bytes[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX];
    if (!status->keep_jobs)
        return;
    printf("kept         %" PRIu64 " of %" PRIu64 " finished jobs; their results: %s",
           status->kept_jobs, status->keep_jobs, render_size(status->kept_bytes, bytes));
    if (status->keep_bytes)
        printf(" of %s", render_size(status->keep_bytes, most));
    printf("\n");
}

/* What stands open, and who was turned away for their keys. */
static void print_keys(const struct cli *cli, const struct cluster_view *view)
{
    const struct wire_node_row *rows = NULL;
    size_t n = 0, open = 0;
    uint64_t refused = 0, forbidden = 0;
    cluster_nodes(view, &rows, &n);
    for (size_t i = 0; i < n; i++) {
        open += rows[i].insecure;
        refused += rows[i].refused;
        forbidden += rows[i].forbidden;
    }
    for (size_t i = 0; i < cli->connection.brokers.n; i++) {
        const struct message *answer = view->brokers[i];
        open += answer && answer->as.broker.insecure;
        refused += answer ? answer->as.broker.keys_refused : 0;
    }
    if (open)
        printf(
            "keys         none (--insecure): anyone who can reach the ports can do everything\n");
    else
        printf("keys         required everywhere; refused: %" PRIu64 " connections, %" PRIu64
               " requests\n",
               refused, forbidden);
}

static void print_text(const struct cli *cli, const struct cluster_view *view)
{
    if (view->status) {
        const struct wire_status *status = &view->status->as.status;
        struct conclave_status is;
        struct text faults = {0};
        library_status(status, &is);
        health_add_faults(status, &faults);
        health_add_margin(status, &faults);
        printf("coordinator  node %" PRIu64 " in term %" PRIu64 ", %s\n", is.coordinator, is.term,
               is.healthy ? "all nodes are alive and up to date" : "not all nodes are healthy");
        printf("health       %s\n", faults.at);
        printf("jobs         %" PRIu64 " queued, %" PRIu64 " running, %" PRIu64 " done, %" PRIu64
               " failed, %" PRIu64 " cancelled\n",
               is.queued, is.running, is.done, is.failed, is.cancelled);
        print_kept(status);
        printf("operations   %" PRIu64 " finished, %" PRIu64 " handed out again, %" PRIu64
               " copied from slow nodes\n",
               status->operations, status->reassigned, status->copied);
        printf("starts       %" PRIu64 " of %zu nodes; %" PRIu64 " election%s\n",
               status->restarts + status->nodes.n, status->nodes.n, status->elections,
               status->elections == 1 ? "" : "s");
    } else {
        printf("coordinator  none\n");
    }
    print_loops(view);
    print_memory(view);
    print_keys(cli, view);
    print_nodes(view);
    printf("\n");
    for (size_t i = 0; i < cli->connection.brokers.n; i++) {
        char at[ADDRESS_TEXT_MAX];
        const struct message *answer = view->brokers[i];
        printf("broker       %s: ", address_text(&cli->connection.brokers.at[i], at));
        if (answer)
            printf("forwarded %" PRIu64 ", rejected %" PRIu64 ", dropped %" PRIu64 "\n",
                   answer->as.broker.forwarded, answer->as.broker.rejected,
                   answer->as.broker.dropped);
        else
            printf("does not answer\n");
    }
    print_troubles(cli);
}

int status_run(struct cli *cli, int n_words, char **words)
{
    struct cluster_view view;
    const struct wire_node_row *rows;
    size_t n;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    if (dir)
        cli->connection.dir = dir;
    code = cluster_look_or_wait(&cli->connection, cli->timeout_given, &view);
    if (view.outcome == ERR_INTERRUPTED)
        code = cli_interrupted();
    else if (!cluster_nodes(&view, &rows, &n))
        code = cli_fail(code, "%s", view.reason.at);
    else if (cli->json)
        cli_print_json(cli, status_json(&view, &cli->connection.brokers, dir));
    else
        print_text(cli, &view);
    if (code == EXIT_UNREACHABLE && cluster_nodes(&view, &rows, &n))
        cli_note("%s", view.reason.at);
    cluster_view_clear(&view);
    return code;
}
