/* kv.c - conclave kv put, get, del, list: the key-value state of the nodes, and application
 * messages between them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/ask/cluster.h"
#include "clients/command/commands.h"
#include "clients/command/rows.h"
#include "clients/library/conclave.h"
#include "clients/show/printable.h"
#include "clients/show/table.h"

#define NODE_DEFAULT  1
#define VALUE_COLUMNS (4 * KV_VALUE_MAX) /* of a value that is all \xNN */

static struct {
    uint64_t node, from, limit;
    const char *key;
    bool wide;
} options;

/* Both are the default of one node alone: `kv list` has another. */
#define NODE_OPTION(help)                                          \
    {                                                              \
        "node", OPTION_U64, &options.node, 1, NODES_MAX, "N", help \
    }

const struct option_spec kv_put_options[] = {
    NODE_OPTION("the node that gets it (default 1)"),
    {"from", OPTION_U64, &options.from, 1, NODES_MAX, "N",
     "node N sends it there, as an application message on its channel"},
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key put it once (default: a new UUID)"},
    {0}};

const struct option_spec kv_get_options[] = {NODE_OPTION("whose value (default 1)"), {0}};

const struct option_spec kv_del_options[] = {
    NODE_OPTION("whose value (default 1)"),
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key delete it once (default: a new UUID); with one NAME"},
    {0}};

const struct option_spec kv_list_options[] = {NODE_OPTION("only those of node N"),
                                              TABLE_LIMIT(options.limit, "first"),
                                              TABLE_WIDE(options.wide),
                                              {0}};

static unsigned one_node(void)
{
    return options.node ? (unsigned)options.node : NODE_DEFAULT;
}

int kv_put_run(struct cli *cli, int n_words, char **words)
{
    char key[JOB_KEY_TEXT_MAX];
    int repeated = 0;
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "a name and a value are needed, such as `kv put colour red`");
    int code = cli_key(options.key, key);
    if (code)
        return code;
    struct conclave *cluster = &cli->connection;
    unsigned node = one_node(), from = (unsigned)options.from;
    code = from ? conclave_kv_send(cluster, from, node, words[0], words[1], key, &repeated)
                : conclave_kv_put(cluster, node, words[0], words[1], key, &repeated);
    if (code)
        return cli_changed(cli, code, key);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s, s:I, s:o, s:s, s:b}", "name", words[0], "value",
                                      words[1], "node", (json_int_t)node, "from",
                                      options.from ? json_integer((json_int_t)options.from)
                                                   : json_null(),
                                      "key", key, "repeated", repeated));
    return EXIT_OK;
}

static int get(struct cli *cli, const char *name)
{
    char *value;
    int code = conclave_kv_get(&cli->connection, one_node(), name, &value);
    if (code && (code != EXIT_NOT_FOUND || !cli->json))
        return cli_told(cli, code);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:I, s:s?}", "name", name, "node",
                                      (json_int_t)one_node(), "value", value));
    else
        printf("%s\n", value);
    free(value);
    return code;
}

int kv_get_run(struct cli *cli, int n_words, char **words)
{
    return cli_each(cli, n_words, words, "a name is needed, such as `kv get colour`", get);
}

static int del(struct cli *cli, const char *name)
{
    char key[JOB_KEY_TEXT_MAX];
    int repeated = 0, code = cli_key(options.key, key);
    if (code)
        return code;
    code = conclave_kv_del(&cli->connection, one_node(), name, key, &repeated);
    if (code)
        return cli_changed(cli, code, key);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:I, s:s, s:b}", "name", name, "node",
                                      (json_int_t)one_node(), "key", key, "repeated", repeated));
    return EXIT_OK;
}

int kv_del_run(struct cli *cli, int n_words, char **words)
{
    if (options.key && n_words > 1)
        return cli_fail(EXIT_USAGE, "--key is for one name");
    return cli_each(cli, n_words, words, "a name is needed, such as `kv del colour`", del);
}

/* --- list --- */

static const struct table_column columns[] = {{.title = "NODE", .right = true},
                                              {.title = "NAME", .least = 12},
                                              {.title = "VALUE", .least = 12},
                                              {0}};

/* Where values go: one of both is there. `shown` counts them over all nodes. */
struct listing {
    json_t *rows;
    struct table *table;
    uint64_t node, shown;
};

static bool has_enough(const struct listing *listing)
{
    return options.limit && listing->shown >= options.limit;
}

static int take(void *context, const char *name, const char *value)
{
    struct listing *listing = context;
    char shown[VALUE_COLUMNS + 1];
    if (has_enough(listing))
        return 1;
    listing->shown++;
    if (listing->rows) {
        json_array_append_new(listing->rows,
                              json_pack("{s:I, s:s, s:s}", "node", (json_int_t)listing->node,
                                        "name", name, "value", value));
    } else {
        printable_text(slice_of(value), shown, sizeof shown, VALUE_COLUMNS);
        table_add(listing->table, "%" PRIu64, listing->node);
        table_add(listing->table, "%s", name);
        table_add(listing->table, "%s", shown);
    }
    return has_enough(listing);
}

int kv_list_run(struct cli *cli, int n_words, char **words)
{
    uint64_t first = options.node ? options.node : 1, last = options.node;
    if (n_words > 1)
        return cli_fail(EXIT_USAGE, "one prefix of names at most, not %d words", n_words);
    int code = options.node ? EXIT_OK : cli_told(cli, cluster_count_nodes(&cli->connection, &last));
    if (code)
        return code;
    struct listing listing = {.rows = cli->json ? json_array() : NULL};
    if (!cli->json)
        listing.table = table_new(columns, options.wide);
    for (listing.node = first; !code && listing.node <= last && !has_enough(&listing);
         listing.node++)
        code = cli_told(cli, conclave_kv_list(&cli->connection, (unsigned)listing.node,
                                              n_words ? words[0] : NULL, take, &listing));
    return rows_end(cli, listing.rows, listing.table, code);
}
