/* snapshot.c - conclave snapshot take, list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/ask/cluster.h"
#include "clients/ask/rows.h"
#include "clients/command/commands.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "shared/snapshot/model.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

static struct {
    uint64_t node, limit;
    bool wide;
} options;

const struct option_spec snapshot_take_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "the node that takes it (default: the coordinator)"},
    {0}};

const struct option_spec snapshot_list_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "only those that node N has taken (default: all nodes)"},
    TABLE_LIMIT(options.limit, "newest"),
    TABLE_WIDE(options.wide),
    {0}};

/* --- rows --- */

static const char *row_id(const struct wire_snapshot_row *row, char at[SNAPSHOT_NAME_MAX])
{
    struct snapshot_name name = {row->initiator, row->incarnation, row->counter};
    return snapshot_name_text(&name, at);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)(value & INT64_MAX));
}

static json_t *row_json(const struct wire_snapshot_row *row)
{
    char id[SNAPSHOT_NAME_MAX];
    return json_pack("{s:s, s:b, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "snapshot_id",
                     row_id(row, id), "is_complete", (int)row->complete, "missing",
                     render_text(row->missing), "initiator", number(row->initiator), "periodic",
                     (int)row->periodic, "time", render_time(row->time_ms), "duration_us",
                     number(row->took_us), "bytes", number(row->bytes), "states",
                     number(row->nodes));
}

static const struct table_column columns[] = {{.title = "ID"},
                                              {.title = "STATE"},
                                              {.title = "TAKEN UTC"},
                                              {.title = "MS", .right = true},
                                              {.title = "BYTES", .right = true},
                                              {"STATES", true, true, 0},
                                              {.title = "BY"},
                                              {.title = "MISSING", .least = 7},
                                              {0}};

static void add_row(struct table *table, const struct wire_snapshot_row *row)
{
    char id[SNAPSHOT_NAME_MAX], when[CLOCK_TEXT_MAX], missing[TEXT_MAX];
    table_add(table, "%s", row_id(row, id));
    table_add_state(table, row->complete ? "complete" : "partial");
    table_add(table, "%s", render_short_time(row->time_ms, when));
    table_add(table, "%.1f", (double)row->took_us / 1000);
    table_add(table, "%" PRIu64, row->bytes);
    table_add(table, "%" PRIu64, row->nodes);
    table_add(table, "%s", row->periodic ? "clock" : "request");
    table_add(table, "%s", text_escape(missing, sizeof missing, row->missing));
}

/* --- take --- */

static int show_taken(struct cli *cli, const struct wire_snapshot_row *row)
{
    char id[SNAPSHOT_NAME_MAX], missing[TEXT_MAX];
    if (cli->json)
        cli_print_json(cli, row_json(row));
    else
        printf("%s\n", row_id(row, id));
    if (row->complete)
        return EXIT_OK;
    return cli_fail(EXIT_FAILED, "the snapshot is partial: %s",
                    text_escape(missing, sizeof missing, row->missing));
}

int snapshot_take_run(struct cli *cli, int n_words, char **words)
{
    struct message *request = NULL, *reply = NULL;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    request = message_new(MESSAGE_SNAPSHOT_TAKE);
    request->as.snapshot_take.node = options.node;
    /* It is answered when it is over; a request that is sent again takes another one. */
    int error = client_ask(cli_client(cli), request, CLIENT_PATIENT, WAIT_MAX_MS * MS_US,
                           cli_deadline_us(cli), &reply);
    if (error)
        return cli_explain(cli, error);
    code = cli_expect(cli, reply, MESSAGE_SNAPSHOT);
    if (!code && reply->as.snapshot.heads.n != 1)
        code = cli_fail(EXIT_FAILED, "the answer names no snapshot");
    if (!code)
        code = show_taken(cli, &reply->as.snapshot.heads.at[0]);
    message_drop(&reply);
    return code;
}

/* --- list --- */

struct listing {
    struct cli *cli;
    struct rows rows; /* struct wire_snapshot_row */
};

static void take_page(struct listing *listing, struct message *page, uint64_t *after)
{
    const struct wire_snapshot_page *heads = &page->as.snapshot_page;
    for (size_t i = 0; i < heads->heads.n; i++) {
        const struct wire_snapshot_row *row = &heads->heads.at[i];
        *after = row->counter > *after ? row->counter : *after;
        rows_add(&listing->rows, page, row);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct wire_snapshot_row *const *left = a, *const *right = b;
    if ((*left)->time_ms != (*right)->time_ms)
        return (*left)->time_ms < (*right)->time_ms ? -1 : 1;
    return (*left)->counter < (*right)->counter ? -1 : (*left)->counter > (*right)->counter;
}

/* The latest last, whichever node has taken it. */
static void print(struct listing *listing)
{
    struct table *table = listing->cli->json ? NULL : table_new(columns, options.wide);
    json_t *array = table ? NULL : json_array();
    struct rows *rows = &listing->rows;
    if (rows->n) /* their pages are dropped together, whichever stands where */
        qsort(rows->at, rows->n, sizeof *rows->at, by_time);
    for (size_t i = rows_first(rows, options.limit); i < rows->n; i++) {
        if (array)
            json_array_append_new(array, row_json(rows->at[i]));
        else
            add_row(table, rows->at[i]);
    }
    if (array)
        cli_print_json(listing->cli, array);
    else
        table_end(table, stdout);
}

static int list_node(struct listing *listing, uint64_t node)
{
    uint64_t after = 0;
    int code = EXIT_OK;
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_SNAPSHOT_LIST), *reply = NULL;
        request->as.snapshot_list.node = node;
        request->as.snapshot_list.after = after;
        code = cli_ask(listing->cli, request, MESSAGE_SNAPSHOT_PAGE, &reply);
        if (code)
            break;
        uint64_t before = after;
        take_page(listing, reply, &after);
        more = reply->as.snapshot_page.more && after > before;
        message_drop(&reply);
    }
    return code;
}

/* Each node lists its own; who is dead is named, and the others are listed all the same. */
static int list_all(struct listing *listing)
{
    struct cluster_view view;
    const struct wire_node_row *rows = NULL;
    size_t n = 0, answered = 0;
    int code = cluster_look(&listing->cli->connection, CLIENT_UNREACHABLE_MS * MS_US, &view);
    if (view.outcome == ERR_INTERRUPTED)
        code = cli_interrupted();
    else if (!cluster_nodes(&view, &rows, &n))
        code = cli_fail(code, "%s", view.reason.at);
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].alive)
            cli_note("node %" PRIu64 " is not alive; what it has taken is not listed",
                     rows[i].node);
        else if ((code = list_node(listing, rows[i].node)) == EXIT_OK)
            answered++;
    }
    cluster_view_clear(&view);
    return answered ? EXIT_OK : code;
}

int snapshot_list_run(struct cli *cli, int n_words, char **words)
{
    struct listing listing = {.cli = cli};
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = options.node ? list_node(&listing, options.node) : list_all(&listing);
    if (!code)
        print(&listing);
    rows_clear(&listing.rows);
    return code;
}
