/* kv.c - conclave kv put, get: the key-value state of the nodes, and application messages between
 * them. */
#include <stdio.h>
#include <stdlib.h>

#include "clients/command/commands.h"
#include "clients/library/conclave.h"

#define NODE_DEFAULT 1

static struct {
    uint64_t node, from;
    const char *key;
} options = {.node = NODE_DEFAULT};

const struct option_spec kv_put_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N", "the node that gets it (default 1)"},
    {"from", OPTION_U64, &options.from, 1, NODES_MAX, "N",
     "node N sends it there, as an application message on its channel"},
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key put it once (default: a new UUID)"},
    {0}};

const struct option_spec kv_get_options[] = {{"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
                                              "whose value (default 1)"},
                                             {0}};

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
    unsigned node = (unsigned)options.node, from = (unsigned)options.from;
    code = from ? conclave_kv_send(cluster, from, node, words[0], words[1], key, &repeated)
                : conclave_kv_put(cluster, node, words[0], words[1], key, &repeated);
    if (code)
        return cli_changed(cli, code, key);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s, s:I, s:o, s:s, s:b}", "name", words[0], "value",
                                      words[1], "node", (json_int_t)options.node, "from",
                                      options.from ? json_integer((json_int_t)options.from)
                                                   : json_null(),
                                      "key", key, "repeated", repeated));
    return EXIT_OK;
}

int kv_get_run(struct cli *cli, int n_words, char **words)
{
    char *value;
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "one name is needed, such as `kv get colour`");
    int code = conclave_kv_get(&cli->connection, (unsigned)options.node, words[0], &value);
    if (code && (code != EXIT_NOT_FOUND || !cli->json))
        return cli_told(cli, code);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:I, s:s?}", "name", words[0], "node",
                                      (json_int_t)options.node, "value", value));
    else
        printf("%s\n", value);
    free(value);
    return code;
}
