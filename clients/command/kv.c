/* kv.c - conclave kv put, get: the key-value state of the nodes, and application messages between
 * them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/ask/account.h"
#include "clients/command/commands.h"

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

static int check_name(const char *name)
{
    char shown[TEXT_MAX / 4];
    if (account_name_is_valid(slice_of(name)))
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "'%s' is not the name of a value: use 1 to %d of A-Z a-z 0-9 _ . -",
                    text_escape(shown, sizeof shown, slice_of(name)), LEDGER_NAME_MAX);
}

static int check_value(const char *value)
{
    if (strlen(value) <= KV_VALUE_MAX && text_is_utf8(slice_of(value)))
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "a value is UTF-8 text of at most %d bytes", KV_VALUE_MAX);
}

int kv_put_run(struct cli *cli, int n_words, char **words)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *reply = NULL;
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "a name and a value are needed, such as `kv put colour red`");
    int code = check_name(words[0]);
    if (!code)
        code = check_value(words[1]);
    if (!code)
        code = cli_key(options.key, key);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_KV_PUT);
    request->as.kv_put = (struct wire_kv_put){
        .node = options.from ? options.from : options.node,
        .key = message_text(request, key),
        .name = message_text(request, words[0]),
        .value = message_text(request, words[1]),
        .to = options.from ? options.node : 0,
    };
    code = cli_change(cli, request, MESSAGE_KV_VALUE, key, &reply);
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s, s:I, s:o, s:s, s:b}", "name", words[0], "value",
                                      words[1], "node", (json_int_t)options.node, "from",
                                      options.from ? json_integer((json_int_t)options.from)
                                                   : json_null(),
                                      "key", key, "repeated", reply->as.kv_value.repeated));
    message_drop(&reply);
    return EXIT_OK;
}

static void print_json(struct cli *cli, const char *name, const struct wire_kv_value *value)
{
    json_t *text =
        value->found ? json_stringn((const char *)value->value.at, value->value.len) : json_null();
    cli_print_json(cli, json_pack("{s:s, s:I, s:o}", "name", name, "node", (json_int_t)options.node,
                                  "value", text ? text : json_null()));
}

int kv_get_run(struct cli *cli, int n_words, char **words)
{
    struct message *reply = NULL;
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "one name is needed, such as `kv get colour`");
    int code = check_name(words[0]);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_KV_GET);
    request->as.kv_get.node = options.node;
    request->as.kv_get.name = message_text(request, words[0]);
    code = cli_ask(cli, request, MESSAGE_KV_VALUE, &reply);
    if (code)
        return code;
    const struct wire_kv_value *value = &reply->as.kv_value;
    if (cli->json)
        print_json(cli, words[0], value);
    else if (value->found)
        printf("%.*s\n", (int)value->value.len, (const char *)value->value.at);
    else
        cli_fail(EXIT_NOT_FOUND, "there is no value %s on node %" PRIu64, words[0], options.node);
    code = value->found ? EXIT_OK : EXIT_NOT_FOUND;
    message_drop(&reply);
    return code;
}
