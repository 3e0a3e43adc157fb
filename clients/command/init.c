/* init.c - conclave init: founds a cluster without waiting for the voters that are missing. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/library/library.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

static struct {
    uint64_t node;
} options;

const struct option_spec init_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "the voter that founds it (default: the lowest that is alive)"},
    {0}};

static void hex(struct slice bytes, char *at)
{
    for (size_t i = 0; i < bytes.len && i < CLUSTER_ID_BYTES; i++)
        snprintf(at + 2 * i, 3, "%02x", bytes.at[i]);
}

static void show(const struct cli *cli, const struct wire_inited *inited)
{
    char missing[TEXT_MAX], id[2 * CLUSTER_ID_BYTES + 1] = "";
    text_escape(missing, sizeof missing, inited->missing);
    hex(inited->cluster_id, id);
    if (cli->json) {
        cli_print_json(cli,
                       json_pack("{s:s, s:I, s:I, s:s?}", "cluster_id", id, "nodes",
                                 (json_int_t)inited->nodes, "voters", (json_int_t)inited->voters,
                                 "missing", inited->missing.len ? missing : NULL));
        return;
    }
    printf("founded cluster %s of %" PRIu64 " nodes, %" PRIu64 " of them vote\n", id, inited->nodes,
           inited->voters);
    if (inited->missing.len)
        cli_note("without some, which are admitted when they come: %s", missing);
}

int init_run(struct cli *cli, int n_words, char **words)
{
    struct message *inited = NULL;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = cli_told(cli, library_init(&cli->connection, options.node, &inited));
    if (!code)
        show(cli, &inited->as.inited);
    message_drop(&inited);
    return code;
}
