/* bank_list.c - conclave bank list: all accounts of one node, or of all. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/show/table.h"
#include "shared/base/text.h"

static struct {
    uint64_t node, limit;
    bool wide;
} options;

const struct option_spec bank_list_options[] = {{"node", OPTION_U64, &options.node, 1, NODES_MAX,
                                                 "N", "only those of node N"},
                                                TABLE_LIMIT(options.limit, "first"),
                                                TABLE_WIDE(options.wide),
                                                {0}};

static const struct table_column columns[] = {{.title = "NODE", .right = true},
                                              {.title = "ACCOUNT", .least = 12},
                                              {.title = "BALANCE", .right = true},
                                              {0}};

/* Sums over what was listed. */
struct sums {
    uint64_t accounts, total, sent;
};

/* Where accounts go: one of both is there. `shown` counts them over all nodes. */
struct listing {
    json_t *accounts;
    struct table *table;
    uint64_t shown;
};

static void take_account(const struct wire_account_row *row, uint64_t node, struct listing *listing,
                         struct sums *sums)
{
    char name[LEDGER_NAME_MAX * 4 + 1];
    text_escape(name, sizeof name, row->account);
    sums->accounts++;
    sums->total += row->balance;
    if (options.limit && listing->shown == options.limit)
        return; /* the sums are of all */
    listing->shown++;
    if (listing->accounts) {
        json_object_set_new(listing->accounts, name, json_integer((json_int_t)row->balance));
        return;
    }
    table_add(listing->table, "%" PRIu64, node);
    table_add(listing->table, "%s", name);
    table_add(listing->table, "%" PRIu64, row->balance);
}

/* Lists a node, page by page; what changes meanwhile may be seen or not. */
static int list_node(struct cli *cli, uint64_t node, struct listing *listing, struct sums *sums)
{
    char after[LEDGER_NAME_MAX * 4 + 1] = "";
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_BANK_LIST), *reply = NULL;
        request->as.bank_list.node = node;
        request->as.bank_list.after = message_text(request, after);
        int code = cli_ask(cli, request, MESSAGE_BANK_PAGE, &reply);
        if (code)
            return code;
        const struct wire_bank_page *page = &reply->as.bank_page;
        for (size_t i = 0; i < page->accounts.n; i++)
            take_account(&page->accounts.at[i], node, listing, sums);
        more = page->more && page->accounts.n;
        if (more)
            text_escape(after, sizeof after, page->accounts.at[page->accounts.n - 1].account);
        else
            sums->sent += page->sent;
        message_drop(&reply);
    }
    return EXIT_OK;
}

static json_t *node_json(uint64_t node, json_t *accounts, const struct sums *sums)
{
    return json_pack("{s:I, s:o, s:I, s:I}", "node", (json_int_t)node, "accounts", accounts,
                     "total", (json_int_t)sums->total, "sent", (json_int_t)sums->sent);
}

int bank_list_run(struct cli *cli, int n_words, char **words)
{
    uint64_t last = options.node;
    struct sums all = {0};
    int code = cli_no_words(n_words, words);
    if (!code && !options.node)
        code = cli_told(cli, cluster_count_nodes(&cli->connection, &last));
    if (code)
        return code;
    json_t *nodes = cli->json ? json_array() : NULL;
    struct listing listing = {.table = nodes ? NULL : table_new(columns, options.wide)};
    for (uint64_t node = options.node ? options.node : 1; !code && node <= last; node++) {
        struct sums sums = {0};
        listing.accounts = nodes ? json_object() : NULL;
        code = list_node(cli, node, &listing, &sums);
        if (nodes)
            json_array_append_new(nodes, node_json(node, listing.accounts, &sums));
        all.accounts += sums.accounts;
        all.total += sums.total;
        all.sent += sums.sent;
    }
    if (nodes && !code) {
        cli_print_json(cli, json_pack("{s:o, s:I, s:I}", "nodes", nodes, "total",
                                      (json_int_t)all.total, "sent", (json_int_t)all.sent));
        return EXIT_OK;
    }
    json_decref(nodes);
    if (!code) {
        table_add(listing.table, "all");
        table_add(listing.table, "%" PRIu64, all.accounts);
        table_add(listing.table, "%" PRIu64, all.total);
        table_print(listing.table, stdout);
        printf("sent and not acknowledged yet: %" PRIu64 "\n", all.sent);
    }
    table_destroy(&listing.table);
    return code;
}
