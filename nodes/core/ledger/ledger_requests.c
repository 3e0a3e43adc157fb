#include "nodes/core/ledger/ledger_requests.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/state/state.h"
#include "nodes/core/ledger/ledger_keys.h"
#include "nodes/core/ledger/ledger_outbox.h"
#include "nodes/core/ledger/ledger_queries.h"
#include "nodes/core/raft/raft.h"
#include "shared/base/text.h"

/* A request being answered. */
struct asked {
    uint64_t client;
    struct message *message;
};

static void refuse(struct ledger *ledger, struct asked asked, const char *code, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

static void refuse(struct ledger *ledger, struct asked asked, const char *code, const char *format,
                   ...)
{
    struct text reason = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&reason, format, args);
    va_end(args);
    outbox_reply_durable(&ledger->step->out, asked.client,
                         step_error(ledger->step, asked.message->as.request.request, code,
                                    reason.at));
}

/* --- answers --- */

static void reply_account(struct ledger *ledger, struct asked asked, struct slice account,
                          uint64_t balance, bool repeated)
{
    struct message *reply = message_new(MESSAGE_BANK_ACCOUNT);
    reply->as.bank_account = (struct wire_bank_account){
        .request = asked.message->as.request.request,
        .account = message_copy(reply, account),
        .balance = balance,
        .repeated = repeated,
    };
    outbox_reply_durable(&ledger->step->out, asked.client, reply);
}

static void reply_value(struct ledger *ledger, struct asked asked, struct slice name,
                        const struct blob *value, bool found, bool repeated)
{
    struct message *reply = message_new(MESSAGE_KV_VALUE);
    reply->as.kv_value = (struct wire_kv_value){
        .request = asked.message->as.request.request,
        .name = message_copy(reply, name),
        .found = found,
        .repeated = repeated,
    };
    if (value)
        reply->as.kv_value.value = message_copy(reply, (struct slice){value->at, value->len});
    outbox_reply_durable(&ledger->step->out, asked.client, reply);
}

/* --- what all requests have in common --- */

static bool check_name(struct ledger *ledger, struct asked asked, const char *what,
                       struct slice name)
{
    char shown[TEXT_MAX / 4];
    if (ledger_name_is_valid(name))
        return true;
    refuse(ledger, asked, "invalid", "'%s' is not a name of %s: use 1 to %d of A-Z a-z 0-9 _ . -",
           text_escape(shown, sizeof shown, name), what, LEDGER_NAME_MAX);
    return false;
}

static bool check_change(struct ledger *ledger, struct asked asked)
{
    const struct wire_bank_change *change = &asked.message->as.bank_change;
    if (!check_name(ledger, asked, "an account", change->account))
        return false;
    if (change->amount >= 1 && change->amount <= MONEY_MAX)
        return true;
    refuse(ledger, asked, "invalid", "an amount is a whole number from 1 to %" PRIu64, MONEY_MAX);
    return false;
}

static bool check_node(struct ledger *ledger, struct asked asked, uint64_t id)
{
    if (id >= 1 && id <= ledger->step->config.n_nodes)
        return true;
    refuse(ledger, asked, "invalid", "there is no node %" PRIu64 "; the cluster has %u", id,
           (unsigned)ledger->step->config.n_nodes);
    return false;
}

static uint64_t mix(uint64_t hash, struct slice bytes)
{
    return hash * UINT64_C(0x100000001b3) ^ map_hash(bytes.at, bytes.len);
}

static uint64_t mix_u64(uint64_t hash, uint64_t number)
{
    return mix(hash, (struct slice){(const uint8_t *)&number, sizeof number});
}

static void refuse_missing(struct ledger *ledger, struct asked asked, const char *what,
                           struct slice name, uint64_t where)
{
    char shown[TEXT_MAX / 2];
    refuse(ledger, asked, "not_found", "there is no %s %s on node %" PRIu64, what,
           text_escape(shown, sizeof shown, name), where);
}

static void refuse_full(struct ledger *ledger, struct asked asked, node_id_t id)
{
    refuse(ledger, asked, "disk_full", "the disk of node %u is full; nothing was changed",
           (unsigned)id);
}

/* Answers a change as its key says that it ended. */
static void answer(struct ledger *ledger, struct asked asked, const struct ledger_key *key,
                   bool repeated)
{
    const struct message *message = asked.message;
    const struct wire_bank_change *change = &message->as.bank_change;
    bool put = message->type == MESSAGE_KV_PUT, del = message->type == MESSAGE_KV_DEL;
    uint64_t self = ledger->step->config.id;
    switch (key->outcome) {
    case LEDGER_DONE:
        if (put)
            reply_value(ledger, asked, message->as.kv_put.name, NULL, true, repeated);
        else if (del)
            reply_value(ledger, asked, message->as.kv_del.name, NULL, true, repeated);
        else
            reply_account(ledger, asked, change->account, key->balance, repeated);
        break;
    case LEDGER_INSUFFICIENT:
        refuse(ledger, asked, "insufficient", "the account has %" PRIu64 ", less than %" PRIu64,
               key->balance, change->amount);
        break;
    case LEDGER_NO_ACCOUNT:
        if (del)
            refuse_missing(ledger, asked, "value", message->as.kv_del.name, self);
        else
            refuse_missing(ledger, asked, "account", change->account, self);
        break;
    case LEDGER_NO_ACCOUNT_THERE:
        refuse_missing(ledger, asked, "account", message->as.bank_transfer.to,
                       message->as.bank_transfer.to_node);
        break;
    case LEDGER_OVERFLOW:
        refuse(ledger, asked, "overflow",
               "a node holds at most %" PRIu64 ": there is no room for that much", MONEY_MAX);
        break;
    case LEDGER_TOO_MANY:
        refuse(ledger, asked, "too_many", "node %" PRIu64 " has %d %s and can hold no more", self,
               put ? KV_NAMES_MAX : ACCOUNTS_MAX, put ? "values" : "accounts");
        break;
    case LEDGER_OUTCOMES:
        break;
    }
}

/* The change is made, or cannot be: remembers that under the client's key, and answers. */
static void end(struct ledger *ledger, struct asked asked, struct slice key, uint64_t request,
                enum ledger_outcome outcome, uint64_t balance)
{
    answer(ledger, asked, ledger_key_add(ledger, key, request, outcome, balance), false);
}

/* True when the change is new and may be made; else it is answered: its key is known, or it cannot
 * be made now. */
static bool begin(struct ledger *ledger, struct asked asked, struct slice key, uint64_t request)
{
    const struct ledger_key *known = ledger_key_find(&ledger->keys, key);
    if (!step_key_is_valid(key))
        refuse(ledger, asked, "invalid", "a key is 1 to %d printable characters without spaces",
               JOB_KEY_MAX);
    else if (known && known->request != request)
        refuse(ledger, asked, "invalid",
               "this key was used for a different request; choose another key");
    else if (known)
        answer(ledger, asked, known, true);
    else if (keys_is_forgotten(&ledger->keys.forgotten, KEY_OF_CHANGE, key))
        refuse(ledger, asked, "forgotten",
               "this key was used and its outcome is forgotten; choose another key");
    else if (ledger->raft->full)
        refuse_full(ledger, asked, ledger->step->config.id);
    else
        return true;
    return false;
}

static uint64_t hash_change(const struct message *message)
{
    const struct wire_bank_change *change = &message->as.bank_change;
    return mix_u64(mix(message->type, change->account), change->amount);
}

static uint64_t hash_transfer(const struct message *message)
{
    const struct wire_bank_transfer *transfer = &message->as.bank_transfer;
    return mix_u64(mix(hash_change(message), transfer->to), transfer->to_node);
}

static void end_change(struct ledger *ledger, struct asked asked, uint64_t request,
                       enum ledger_outcome outcome, uint64_t balance)
{
    end(ledger, asked, asked.message->as.bank_change.key, request, outcome, balance);
}

/* --- accounts --- */

static void deposit(struct ledger *ledger, struct asked asked)
{
    const struct wire_bank_deposit *deposit = &asked.message->as.bank_deposit;
    uint64_t request = hash_change(asked.message);
    if (!check_change(ledger, asked) || !begin(ledger, asked, deposit->key, request))
        return;
    bool exists = ledger_table_find(&ledger->accounts, deposit->account) != NULL;
    if (!exists && ledger->accounts.n >= ACCOUNTS_MAX) {
        end_change(ledger, asked, request, LEDGER_TOO_MANY, 0);
    } else if (!ledger_has_room(ledger, deposit->amount)) {
        end_change(ledger, asked, request, LEDGER_OVERFLOW, 0);
    } else {
        struct ledger_row *row = ledger_credit(ledger, deposit->account, deposit->amount);
        end_change(ledger, asked, request, LEDGER_DONE, row->balance);
    }
}

/* The account that money is to be taken from; NULL after a refusal. */
static struct ledger_row *find_funds(struct ledger *ledger, struct asked asked, uint64_t request)
{
    const struct wire_bank_change *change = &asked.message->as.bank_change;
    struct ledger_row *row = ledger_table_find(&ledger->accounts, change->account);
    if (row && row->balance >= change->amount)
        return row;
    if (row)
        end_change(ledger, asked, request, LEDGER_INSUFFICIENT, row->balance);
    else
        end_change(ledger, asked, request, LEDGER_NO_ACCOUNT, 0);
    return NULL;
}

static void withdraw(struct ledger *ledger, struct asked asked)
{
    const struct wire_bank_withdraw *withdraw = &asked.message->as.bank_withdraw;
    uint64_t request = hash_change(asked.message);
    if (!check_change(ledger, asked) || !begin(ledger, asked, withdraw->key, request))
        return;
    struct ledger_row *row = find_funds(ledger, asked, request);
    if (!row)
        return;
    ledger_debit(ledger, row, withdraw->amount);
    end_change(ledger, asked, request, LEDGER_DONE, row->balance);
}

static void transfer_here(struct ledger *ledger, struct asked asked, struct ledger_row *from,
                          uint64_t request)
{
    const struct wire_bank_transfer *transfer = &asked.message->as.bank_transfer;
    if (!ledger_table_find(&ledger->accounts, transfer->to)) {
        end_change(ledger, asked, request, LEDGER_NO_ACCOUNT_THERE, 0);
        return;
    }
    ledger_debit(ledger, from, transfer->amount);
    ledger_credit(ledger, transfer->to, transfer->amount);
    end_change(ledger, asked, request, LEDGER_DONE, from->balance);
}

/* False, and the client is told, when that node should be sent nothing new now. */
static bool may_send(struct ledger *ledger, struct asked asked, node_id_t to)
{
    if (space_peer_is_full(ledger->raft, to))
        refuse_full(ledger, asked, to);
    else if (ledger_outbox_is_full(ledger, to))
        refuse(ledger, asked, "busy", "too much that was sent to node %u is not acknowledged yet",
               (unsigned)to);
    else
        return true;
    return false;
}

static void transfer_away(struct ledger *ledger, struct asked asked, struct ledger_row *from,
                          uint64_t request)
{
    const struct wire_bank_transfer *transfer = &asked.message->as.bank_transfer;
    node_id_t to = (node_id_t)transfer->to_node;
    if (!ledger_knows(ledger, to, transfer->to)) {
        if (!ledger_ask(ledger, asked.client, asked.message))
            refuse(ledger, asked, "busy", "too many transfers wait; try again later");
        return;
    }
    if (!may_send(ledger, asked, to))
        return;
    struct message *message = message_new(MESSAGE_TRANSFER);
    message->as.transfer.from = message_copy(message, transfer->account);
    message->as.transfer.to = message_copy(message, transfer->to);
    message->as.transfer.amount = transfer->amount;
    ledger_debit(ledger, from, transfer->amount);
    ledger_send(ledger, to, message, transfer->amount);
    end_change(ledger, asked, request, LEDGER_DONE, from->balance);
}

static void transfer(struct ledger *ledger, struct asked asked)
{
    const struct wire_bank_transfer *transfer = &asked.message->as.bank_transfer;
    uint64_t request = mix_u64(mix(hash_change(asked.message), transfer->to), transfer->to_node);
    if (!check_change(ledger, asked) || !check_name(ledger, asked, "an account", transfer->to) ||
        !check_node(ledger, asked, transfer->to_node))
        return;
    bool here = transfer->to_node == ledger->step->config.id;
    if (here && slice_same(transfer->account, transfer->to)) {
        refuse(ledger, asked, "invalid", "money cannot be transferred from an account to itself");
        return;
    }
    if (!begin(ledger, asked, transfer->key, request))
        return;
    struct ledger_row *from = find_funds(ledger, asked, request);
    if (from && here)
        transfer_here(ledger, asked, from, request);
    else if (from)
        transfer_away(ledger, asked, from, request);
}

void ledger_requests_missing(struct ledger *ledger, uint64_t client, struct message *message)
{
    struct asked asked = {client, message};
    uint64_t request = hash_transfer(message);
    if (begin(ledger, asked, message->as.bank_transfer.key, request))
        end_change(ledger, asked, request, LEDGER_NO_ACCOUNT_THERE, 0);
}

static void balance(struct ledger *ledger, struct asked asked)
{
    struct slice account = asked.message->as.bank_balance.account;
    const struct ledger_row *row = ledger_table_find(&ledger->accounts, account);
    if (row)
        reply_account(ledger, asked, account, row->balance, false);
    else if (check_name(ledger, asked, "an account", account))
        refuse_missing(ledger, asked, "account", account, ledger->step->config.id);
}

static void list(struct ledger *ledger, struct asked asked)
{
    const struct ledger_table *accounts = &ledger->accounts;
    size_t first = ledger_table_after(accounts, asked.message->as.bank_list.after);
    size_t n = accounts->n - first < LEDGER_PAGE_MAX ? accounts->n - first : LEDGER_PAGE_MAX;
    struct message *reply = message_new(MESSAGE_BANK_PAGE);
    struct wire_bank_page *page = &reply->as.bank_page;
    page->request = asked.message->as.request.request;
    page->more = first + n < accounts->n;
    page->total = ledger->total;
    page->sent = ledger->in_transit;
    page->accounts.n = n;
    page->accounts.at = message_room(reply, n, sizeof *page->accounts.at);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_row *row = accounts->at[first + i];
        page->accounts.at[i] =
            (struct wire_account_row){message_text(reply, row->name), row->balance};
    }
    outbox_reply_durable(&ledger->step->out, asked.client, reply);
}

/* --- values --- */

static void put_away(struct ledger *ledger, struct asked asked, uint64_t request)
{
    const struct wire_kv_put *put = &asked.message->as.kv_put;
    if (!may_send(ledger, asked, (node_id_t)put->to))
        return;
    struct message *message = message_new(MESSAGE_APP);
    message->as.app.name = message_copy(message, put->name);
    message->as.app.value = message_copy(message, put->value);
    ledger_send(ledger, (node_id_t)put->to, message, 0);
    end(ledger, asked, put->key, request, LEDGER_DONE, 0);
}

static void put(struct ledger *ledger, struct asked asked)
{
    const struct wire_kv_put *put = &asked.message->as.kv_put;
    uint64_t request = mix_u64(mix(mix(MESSAGE_KV_PUT, put->name), put->value), put->to);
    if (!check_name(ledger, asked, "a value", put->name) ||
        (put->to && !check_node(ledger, asked, put->to)))
        return;
    if (!text_is_utf8(put->value)) {
        refuse(ledger, asked, "invalid", "a value is UTF-8 text without zero bytes");
        return;
    }
    if (!begin(ledger, asked, put->key, request))
        return;
    if (put->to && put->to != ledger->step->config.id) {
        put_away(ledger, asked, request);
        return;
    }
    bool fits = ledger_put(ledger, put->name, put->value);
    end(ledger, asked, put->key, request, fits ? LEDGER_DONE : LEDGER_TOO_MANY, 0);
}

static void get(struct ledger *ledger, struct asked asked)
{
    struct slice name = asked.message->as.kv_get.name;
    if (!check_name(ledger, asked, "a value", name))
        return;
    const struct ledger_row *row = ledger_table_find(&ledger->values, name);
    reply_value(ledger, asked, name, row ? row->value : NULL, row != NULL, false);
}

static void del(struct ledger *ledger, struct asked asked)
{
    const struct wire_kv_del *del = &asked.message->as.kv_del;
    uint64_t request = mix(MESSAGE_KV_DEL, del->name);
    if (!check_name(ledger, asked, "a value", del->name) ||
        !begin(ledger, asked, del->key, request))
        return;
    bool deleted = ledger_delete(ledger, del->name);
    end(ledger, asked, del->key, request, deleted ? LEDGER_DONE : LEDGER_NO_ACCOUNT, 0);
}

/* The first value that is listed: after a name, and with the prefix. */
static size_t first_listed(const struct ledger_table *values, const struct wire_kv_list *list)
{
    size_t first = ledger_table_after(values, list->after);
    size_t first_with_prefix = ledger_table_from(values, list->prefix);
    return first > first_with_prefix ? first : first_with_prefix;
}

static void list_values(struct ledger *ledger, struct asked asked)
{
    const struct wire_kv_list *list = &asked.message->as.kv_list;
    const struct ledger_table *values = &ledger->values;
    struct message *reply = message_new(MESSAGE_KV_PAGE);
    struct wire_kv_page *page = &reply->as.kv_page;
    size_t bytes = 0, at = first_listed(values, list);
    page->request = asked.message->as.request.request;
    page->values.at = message_room(reply, LEDGER_PAGE_MAX, sizeof *page->values.at);
    while (at < values->n && slice_begins(slice_of(values->at[at]->name), list->prefix)) {
        const struct ledger_row *row = values->at[at];
        page->more = page->values.n == LEDGER_PAGE_MAX || bytes > KV_PAGE_BYTES_MAX;
        if (page->more)
            break;
        page->values.at[page->values.n++] =
            (struct wire_kv_row){message_text(reply, row->name),
                                 message_copy(reply,
                                              (struct slice){row->value->at, row->value->len})};
        bytes += row->value->len + LEDGER_NAME_MAX;
        at++;
    }
    outbox_reply_durable(&ledger->step->out, asked.client, reply);
}

static void session(struct ledger *ledger, struct asked asked)
{
    if (ledger->raft->full)
        refuse_full(ledger, asked, ledger->step->config.id);
    else
        outbox_reply_durable(&ledger->step->out, asked.client,
                             keys_session_reply(ledger_open_session(ledger),
                                                asked.message->as.request.request));
}

/* --- the door --- */

#define REQUEST(function)                                                  \
    void ledger_request_##function(struct ledger *ledger, uint64_t client, \
                                   struct message *message)                \
    {                                                                      \
        function(ledger, (struct asked){client, message});                 \
    }
REQUEST(deposit)
REQUEST(withdraw)
REQUEST(transfer)
REQUEST(balance)
REQUEST(list)
REQUEST(put)
REQUEST(get)
REQUEST(del)
REQUEST(list_values)
REQUEST(session)
