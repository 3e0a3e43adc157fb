/* bank_list.c - conclave bank list: all accounts of one node, or of all. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/library/conclave.h"
#include "clients/show/table.h"

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
    uint64_t node; /* at which the listing is */
    struct sums sums;
};

static int take_account(void *context, const char *account, uint64_t balance)
{
    struct listing *listing = context;
    listing->sums.accounts++;
    listing->sums.total += balance;
    if (options.limit && listing->shown == options.limit)
        return 0; /* the sums are of all */
    listing->shown++;
    if (listing->accounts) {
        json_object_set_new(listing->accounts, account, json_integer((json_int_t)balance));
        return 0;
    }
    table_add(listing->table, "%" PRIu64, listing->node);
    table_add(listing->table, "%s", account);
    table_add(listing->table, "%" PRIu64, balance);
    return 0;
}

static int list_node(struct cli *cli, uint64_t node, struct listing *listing)
{
    listing->node = node;
    listing->sums = (struct sums){0};
    return cli_told(cli, conclave_bank_list(&cli->connection, (unsigned)node, take_account, listing,
                                            &listing->sums.sent));
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
        listing.accounts = nodes ? json_object() : NULL;
        code = list_node(cli, node, &listing);
        if (nodes)
            json_array_append_new(nodes, node_json(node, listing.accounts, &listing.sums));
        all.accounts += listing.sums.accounts;
        all.total += listing.sums.total;
        all.sent += listing.sums.sent;
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
