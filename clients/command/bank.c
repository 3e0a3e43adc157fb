/* bank.c - conclave bank deposit, withdraw, balance, transfer: the accounts of the
 * nodes' ledgers. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/ask/account.h"
#include "clients/command/commands.h"
#include "clients/library/conclave.h"

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

/* What came of a change: the account as it is then. */
struct changed {
    uint64_t balance;
    int repeated;
};

static int show(struct cli *cli, int code, const struct account *account, uint64_t amount,
                const char *key, const struct changed *is)
{
    if (code)
        return cli_changed(cli, code, key);
    if (cli->json)
        cli_print_json(cli,
                       json_pack("{s:s, s:o, s:o, s:o, s:s, s:b}", "account", account->name, "node",
                                 number(account->node), "amount", number(amount), "balance",
                                 number(is->balance), "key", key, "repeated", is->repeated));
    else
        printf("%" PRIu64 "\n", is->balance);
    return EXIT_OK;
}

typedef int change_one(struct conclave *cluster, unsigned node, const char *account,
                       uint64_t amount, const char *key, uint64_t *balance, int *repeated);

static int run_one(struct cli *cli, int n_words, char **words, change_one *change,
                   const char *example)
{
    struct account account;
    struct changed is;
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
    if (code)
        return code;
    code = change(&cli->connection, (unsigned)account.node, account.name, amount, key, &is.balance,
                  &is.repeated);
    return show(cli, code, &account, amount, key, &is);
}

int bank_deposit_run(struct cli *cli, int n_words, char **words)
{
    return run_one(cli, n_words, words, conclave_bank_deposit, "bank deposit");
}

int bank_withdraw_run(struct cli *cli, int n_words, char **words)
{
    return run_one(cli, n_words, words, conclave_bank_withdraw, "bank withdraw");
}

int bank_transfer_run(struct cli *cli, int n_words, char **words)
{
    struct account from, to;
    struct changed is;
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
    code =
        conclave_bank_transfer(&cli->connection, (unsigned)from.node, from.name, (unsigned)to.node,
                               to.name, amount, key, &is.balance, &is.repeated);
    return show(cli, code, &from, amount, key, &is);
}

static int show_balance(struct cli *cli, const char *word)
{
    struct account account;
    uint64_t balance;
    int code = parse_account(word, &account);
    if (code)
        return code;
    code = cli_told(cli, conclave_bank_balance(&cli->connection, (unsigned)account.node,
                                               account.name, &balance));
    if (code)
        return code;
    if (cli->json)
        cli_print_json(cli, json_pack("{s:s, s:o, s:o}", "account", account.name, "node",
                                      number(account.node), "balance", number(balance)));
    else
        printf("%" PRIu64 "\n", balance);
    return EXIT_OK;
}

int bank_balance_run(struct cli *cli, int n_words, char **words)
{
    return cli_each(cli, n_words, words, "an account is needed, such as `bank balance alice@1`",
                    show_balance);
}
