/* snapshot.c - conclave snapshot take, list. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/show/render.h"
#include "shared/snapshot/model.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

static struct {
    uint64_t node;
} options;

const struct option_spec snapshot_take_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "the node that takes it (default: the coordinator)"},
    {0}};

const struct option_spec snapshot_list_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "only those that node N has taken (default: all nodes)"},
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

static void print_row(const struct wire_snapshot_row *row)
{
    char id[SNAPSHOT_NAME_MAX], when[CLOCK_TEXT_MAX], missing[TEXT_MAX];
    printf("%-24s %-8s %-24s %10.1f %10" PRIu64 " %6" PRIu64 " %-8s %s\n", row_id(row, id),
           row->complete ? "complete" : "partial", clock_text(row->time_ms, when),
           (double)row->took_us / 1000, row->bytes, row->nodes, row->periodic ? "clock" : "request",
           text_escape(missing, sizeof missing, row->missing));
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
    json_t *array; /* NULL: lines */
    size_t n;
};

static void take_page(struct listing *listing, const struct wire_snapshot_page *page,
                      uint64_t *after)
{
    for (size_t i = 0; i < page->heads.n; i++) {
        const struct wire_snapshot_row *row = &page->heads.at[i];
        *after = row->counter > *after ? row->counter : *after;
        if (listing->array)
            json_array_append_new(listing->array, row_json(row));
        else if (!listing->n)
            printf("%-24s %-8s %-24s %10s %10s %6s %-8s %s\n", "ID", "STATE", "TAKEN", "MS",
                   "BYTES", "STATES", "BY", "MISSING");
        if (!listing->array)
            print_row(row);
        listing->n++;
    }
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
        take_page(listing, &reply->as.snapshot_page, &after);
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
    int code = cluster_look(listing->cli, CLIENT_UNREACHABLE_MS * MS_US, &view);
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
    listing.array = cli->json ? json_array() : NULL;
    code = options.node ? list_node(&listing, options.node) : list_all(&listing);
    if (listing.array && !code)
        cli_print_json(cli, listing.array);
    else
        json_decref(listing.array);
    return code;
}
