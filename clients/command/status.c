/* status.c - conclave status. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/show/health.h"
#include "clients/show/render.h"
#include "clients/show/status_json.h"
#include "clients/local/supervised.h"
#include "shared/base/limits.h"

#define STATUS_US (1000 * MS_US)

static const char *dir;

const struct option_spec status_options[] = {
    {"dir", OPTION_STRING, &dir, 0, 0, "DIR",
     "a cluster that `up` started: which processes do not start, and why (default .conclave)"},
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

static void print_nodes(const struct cluster_view *view)
{
    const struct wire_node_row *rows = NULL;
    size_t n = 0;
    cluster_nodes(view, &rows, &n);
    printf("\n%-5s %-12s %-6s %-16s %8s %5s %11s %9s %6s %8s %8s %6s\n", "NODE", "ROLE", "ALIVE",
           "HOST", "PID", "BOOTS", "OPERATIONS", "ASSIGNED", "HELD", "APPLIED", "REJECTED",
           "SLOTS");
    for (size_t i = 0; i < n; i++) {
        char role[4 * 16 + 1], host[4 * 64 + 1];
        printf("%-5" PRIu64 " %-12s %-6s %-16s %8" PRIu64 " %5" PRIu64 " %11" PRIu64 " %9" PRIu64
               " %6" PRIu64 " %8" PRIu64 " %8" PRIu64 " %3" PRIu64 "/%" PRIu64 "\n",
               rows[i].node, text_escape(role, sizeof role, rows[i].role), health_word(&rows[i]),
               text_escape(host, sizeof host, rows[i].host), rows[i].pid, rows[i].boots,
               rows[i].operations, rows[i].assigned, rows[i].held, rows[i].applied,
               rows[i].rejected, rows[i].slots_used,
               rows[i].operation_slots ? rows[i].operation_slots : rows[i].slots + 1);
    }
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
        printf("loops        the longest turn of the last minute took %" PRIu64 ".%" PRIu64
               " ms, on node %" PRIu64 " (%s); %" PRIu64 ".%" PRIu64
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
        printf("memory       node %" PRIu64 " holds %s of values in memory, %s on its disk%s\n",
               rows[i].node, render_size(rows[i].held_bytes, held),
               render_size(rows[i].spilled_bytes, spilled),
               rows[i].unspillable ? ", which has no room for more"
               : rows[i].pressed   ? "; it is short of memory"
                                   : "");
    }
}

static void print_kept(const struct wire_status *status)
{
    char bytes[RENDER_SIZE_MAX], most[RENDER_SIZE_MAX];
    if (!status->keep_jobs)
        return;
    printf("kept         %" PRIu64 " of at most %" PRIu64 " finished jobs, %s", status->kept_jobs,
           status->keep_jobs, render_size(status->kept_bytes, bytes));
    if (status->keep_bytes)
        printf(" of at most %s", render_size(status->keep_bytes, most));
    printf(" of their results\n");
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
        printf("keys         none (--insecure): whoever reaches the ports can do everything\n");
    else
        printf("keys         asked for by all; %" PRIu64 " connections were refused, and %" PRIu64
               " requests\n",
               refused, forbidden);
}

static void print_text(const struct cli *cli, const struct cluster_view *view)
{
    struct status_summary summary = status_summarize(view);
    if (view->status) {
        const struct wire_status *status = &view->status->as.status;
        struct text faults = {0};
        health_add_faults(status, &faults);
        health_add_margin(status, &faults);
        printf("coordinator  node %" PRIu64 " in term %" PRIu64 ", %s\n", summary.coordinator,
               summary.term,
               summary.healthy ? "all nodes are alive and up to date"
                               : "not all nodes are healthy");
        printf("health       %s\n", faults.at);
        printf("jobs         %" PRIu64 " queued, %" PRIu64 " running, %" PRIu64 " done, %" PRIu64
               " failed, %" PRIu64 " cancelled\n",
               status->queued, status->running, status->done, status->failed, status->cancelled);
        print_kept(status);
        printf("operations   %" PRIu64 " finished, %" PRIu64 " handed out again, %" PRIu64
               " copies of slow ones\n",
               status->operations, status->reassigned, status->copied);
        printf("failures     %" PRIu64 " restarts of nodes, %" PRIu64 " elections\n",
               status->restarts, status->elections);
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
        printf("broker       %s ", address_text(&cli->connection.brokers.at[i], at));
        if (answer)
            printf("passed on %" PRIu64 " requests, rejected %" PRIu64 ", dropped %" PRIu64
                   " answers\n",
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
    code = cluster_look(cli, CLIENT_UNREACHABLE_MS * MS_US + STATUS_US, &view);
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
