/* bank.c - the accounts of the nodes' ledgers: libconclave. */
#include "clients/library/bank.h"

#include <inttypes.h>
#include <string.h>

#include "clients/ask/account.h"
#include "shared/base/limits.h"

/* --- changes --- */

struct message *bank_request(const struct bank_change *change)
{
    struct message *request = message_new(change->type);
    request->as.bank_change.node = change->node;
    request->as.bank_change.key = message_text(request, change->key);
    request->as.bank_change.account = message_text(request, change->account);
    request->as.bank_change.amount = change->amount;
    if (change->type == MESSAGE_BANK_TRANSFER) {
        request->as.bank_transfer.to = message_text(request, change->to);
        request->as.bank_transfer.to_node = change->to_node;
    }
    return request;
}

static int check_account(struct conclave *cluster, unsigned node, const char *account)
{
    int code = library_node(cluster, node);
    return code ? code : library_name(cluster, "an account", account);
}

/* Checks what all changes have in common, asks, and tells what the answer says. */
static int change(struct conclave *cluster, struct bank_change what, const char *given,
                  uint64_t *balance, int *repeated)
{
    char key[JOB_KEY_TEXT_MAX];
    struct message *reply = NULL;
    int code = EXIT_OK;
    if (!what.amount || what.amount > MONEY_MAX)
        code = connection_fail(cluster, EXIT_USAGE,
                               "an amount is a whole number of minor units from 1 to %" PRIu64
                               ", not %" PRIu64,
                               MONEY_MAX, what.amount);
    if (!code)
        code = library_key(cluster, given, key);
    if (code)
        return code;
    what.key = key;
    code = connection_ask(cluster, bank_request(&what), MESSAGE_BANK_ACCOUNT, &reply);
    if (!code && balance)
        *balance = reply->as.bank_account.balance;
    if (!code && repeated)
        *repeated = reply->as.bank_account.repeated;
    message_drop(&reply);
    return code;
}

static int change_one(struct conclave *cluster, const struct bank_change *what, const char *key,
                      uint64_t *balance, int *repeated)
{
    int code = check_account(cluster, what->node, what->account);
    return code ? code : change(cluster, *what, key, balance, repeated);
}

int conclave_bank_deposit(struct conclave *cluster, unsigned node, const char *account,
                          uint64_t amount, const char *key, uint64_t *balance, int *repeated)
{
    const struct bank_change what = {.type = MESSAGE_BANK_DEPOSIT,
                                     .node = node,
                                     .amount = amount,
                                     .account = account};
    return change_one(cluster, &what, key, balance, repeated);
}

int conclave_bank_withdraw(struct conclave *cluster, unsigned node, const char *account,
                           uint64_t amount, const char *key, uint64_t *balance, int *repeated)
{
    const struct bank_change what = {.type = MESSAGE_BANK_WITHDRAW,
                                     .node = node,
                                     .amount = amount,
                                     .account = account};
    return change_one(cluster, &what, key, balance, repeated);
}

int conclave_bank_transfer(struct conclave *cluster, unsigned from_node, const char *from,
                           unsigned to_node, const char *to, uint64_t amount, const char *key,
                           uint64_t *balance, int *repeated)
{
    const struct bank_change what = {.type = MESSAGE_BANK_TRANSFER,
                                     .node = from_node,
                                     .account = from,
                                     .to_node = to_node,
                                     .to = to,
                                     .amount = amount};
    int code = check_account(cluster, from_node, from);
    if (!code)
        code = check_account(cluster, to_node, to);
    return code ? code : change(cluster, what, key, balance, repeated);
}

/* --- reading --- */

int conclave_bank_balance(struct conclave *cluster, unsigned node, const char *account,
                          uint64_t *balance)
{
    struct message *reply = NULL;
    int code = check_account(cluster, node, account);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_BANK_BALANCE);
    request->as.bank_balance.node = node;
    request->as.bank_balance.account = message_text(request, account);
    code = connection_ask(cluster, request, MESSAGE_BANK_ACCOUNT, &reply);
    if (!code)
        *balance = reply->as.bank_account.balance;
    message_drop(&reply);
    return code;
}

/* A page must be what was asked for: names that did not rise could have us ask for ever. */
static bool page_fits(const struct wire_bank_page *page, const char *after)
{
    struct slice before = slice_of(after);
    for (size_t i = 0; i < page->accounts.n; i++) {
        struct slice name = page->accounts.at[i].account;
        if (!account_name_is_valid(name) || slice_order(before, name) >= 0)
            return false;
        before = name;
    }
    return page->accounts.n || !page->more;
}

/* Hands out a page; returns 1 when `take` has enough. `last` is the last name. */
static int take_page(const struct wire_bank_page *page, char last[LEDGER_NAME_MAX + 1],
                     int (*take)(void *context, const char *account, uint64_t balance),
                     void *context)
{
    int enough = 0;
    for (size_t i = 0; i < page->accounts.n && !enough; i++) {
        text_copy(last, LEDGER_NAME_MAX + 1, page->accounts.at[i].account);
        enough = take(context, last, page->accounts.at[i].balance);
    }
    return enough;
}

int conclave_bank_list(struct conclave *cluster, unsigned node,
                       int (*take)(void *context, const char *account, uint64_t balance),
                       void *context, uint64_t *sent)
{
    char after[LEDGER_NAME_MAX + 1] = "";
    int code = library_node(cluster, node);
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_BANK_LIST), *reply = NULL;
        request->as.bank_list.node = node;
        request->as.bank_list.after = message_text(request, after);
        code = connection_ask(cluster, request, MESSAGE_BANK_PAGE, &reply);
        if (code)
            break;
        const struct wire_bank_page *page = &reply->as.bank_page;
        if (!page_fits(page, after))
            code = connection_fail(cluster, EXIT_FAILED,
                                   "node %u sent a page of accounts that does not fit", node);
        else
            more = !take_page(page, after, take, context) && page->more;
        if (!code && sent)
            *sent = page->sent;
        message_drop(&reply);
    }
    return code;
}
