/* bank.c - conclave bank deposit, withdraw, balance, transfer: the accounts of the
 * nodes' ledgers. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/account.h"
#include "clients/command/commands.h"

static struct {
    const char *key;
} options;

const struct option_spec bank_change_options[] = {
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key move the money once (default: a new UUID)"},
    {0}};

static int parse_account(const char *word, struct account *out)
{
    char why[TEXT_MAX];
    return account_parse(word, out, why) ? cli_fail(EXIT_USAGE, "%s", why) : EXIT_OK;
}

static int parse_amount(const char *word, uint64_t *out)
{
    char why[TEXT_MAX];
    return account_parse_amount(word, out, why) ? cli_fail(EXIT_USAGE, "%s", why) : EXIT_OK;
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Takes the request, asks, and prints the account as it is then. */
static int change(struct cli *cli, struct message *request, const struct account *account,
                  uint64_t amount, const char *key)
{
    struct message *reply = NULL;
    request->as.bank_change.node = account->node;
    request->as.bank_change.key = message_text(request, key);
    request->as.bank_change.account = message_text(request, account->name);
    request->as.bank_change.amount = amount;
    int code = cli_change(cli, request, MESSAGE_BANK_ACCOUNT, key, &reply);
    if (code)
        return code;
    const struct wire_bank_account *row = &reply->as.bank_account;
    if (cli->json)
        cli_print_json(cli,
                       json_pack("{s:s, s:o, s:o, s:o, s:s, s:b}", "account", account->name, "node",
                                 number(account->node), "amount", number(amount), "balance",
                                 number(row->balance), "key", key, "repeated", row->repeated));
    else
        printf("%" PRIu64 "\n", row->balance);
    message_drop(&reply);
    return EXIT_OK;
}

static int change_one(struct cli *cli, int n_words, char **words, enum message_type type,
                      const char *example)
{
    struct account account;
    uint64_t amount;
    char key[JOB_KEY_TEXT_MAX];
    if (n_words != 2)
        return cli_fail(EXIT_USAGE, "an account and an amount are needed, such as `%s alice@1 100`",
                        example);
    int code = parse_account(words[0], &account);
    if (!code)
        code = parse_amount(words[1], &amount);
    if (!code)
        code = cli_key(options.key, key);
    return code ? code : change(cli, message_new(type), &account, amount, key);
}

int bank_deposit_run(struct cli *cli, int n_words, char **words)
{
    return change_one(cli, n_words, words, MESSAGE_BANK_DEPOSIT, "bank deposit");
}

int bank_withdraw_run(struct cli *cli, int n_words, char **words)
{
    return change_one(cli, n_words, words, MESSAGE_BANK_WITHDRAW, "bank withdraw");
}

int bank_transfer_run(struct cli *cli, int n_words, char **words)
{
    struct account from, to;
    uint64_t amount;
    char key[JOB_KEY_TEXT_MAX];
    if (n_words != 3)
        return cli_fail(EXIT_USAGE, "two accounts and an amount are needed, such as `bank transfer "
                                    "alice@1 bob@2 100`");
    int code = parse_account(words[0], &from);
    if (!code)
        code = parse_account(words[1], &to);
    if (!code)
        code = parse_amount(words[2], &amount);
    if (!code)
        code = cli_key(options.key, key);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_BANK_TRANSFER);
    request->as.bank_transfer.to = message_text(request, to.name);
    request->as.bank_transfer.to_node = to.node;
    return change(cli, request, &from, amount, key);
}

static int show_balance(struct cli *cli, const char *word)
{
    struct account account;
    struct message *reply = NULL;
    int code = parse_account(word, &account);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_BANK_BALANCE);
    request->as.bank_balance.node = account.node;
    request->as.bank_balance.account = message_text(request, account.name);
    code = cli_ask(cli, request, MESSAGE_BANK_ACCOUNT, &reply);
    if (code)
        return code;
    uint64_t balance = reply->as.bank_account.balance;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:o, s:o}", "account", account.name, "node",
                                      number(account.node), "balance", number(balance)));
    else
        printf("%" PRIu64 "\n", balance);
    message_drop(&reply);
    return EXIT_OK;
}

int bank_balance_run(struct cli *cli, int n_words, char **words)
{
    return cli_each(cli, n_words, words, "an account is needed, such as `bank balance alice@1`",
                    show_balance);
}
