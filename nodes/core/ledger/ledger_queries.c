#include "nodes/core/ledger/ledger_queries.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/ledger/ledger_requests.h"
#include "nodes/core/link/link.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

/* --- what is known: one place for each hash, the newest stays --- */

#define KNOWN_BYTES sizeof((struct ledger_queries){0}.known[0])

static size_t known_text(char at[KNOWN_BYTES], node_id_t node, struct slice account)
{
    size_t len = text_format(at, KNOWN_BYTES, "%u ", (unsigned)node);
    slice_copy(at + len, account);
    at[len + account.len] = '\0';
    return (size_t)(map_hash(at, len + account.len) % LEDGER_KNOWN_MAX);
}

bool ledger_knows(const struct ledger *ledger, node_id_t node, struct slice account)
{
    char text[KNOWN_BYTES];
    size_t place = known_text(text, node, account);
    return ledger->queries.known && !strcmp(ledger->queries.known[place], text);
}

static void remember(struct ledger_queries *queries, node_id_t node, struct slice account)
{
    char text[KNOWN_BYTES] = "";
    size_t place = known_text(text, node, account);
    if (!queries->known)
        queries->known = mem_new(LEDGER_KNOWN_MAX, sizeof *queries->known);
    memcpy(queries->known[place], text, sizeof text);
}

/* --- asking --- */

static void ask(struct ledger *ledger, struct ledger_wait *wait)
{
    const struct wire_bank_transfer *transfer = &wait->message->as.bank_transfer;
    struct message *message = message_new(MESSAGE_ACCOUNT_QUERY);
    message->as.account_query.account = message_copy(message, transfer->to);
    peers_send_control(ledger->links, (node_id_t)transfer->to_node, message);
    wait->ask_us = ledger->step->now_us + LEDGER_QUERY_RETRY_US;
}

bool ledger_ask(struct ledger *ledger, uint64_t client, struct message *request)
{
    struct ledger_queries *queries = &ledger->queries;
    if (queries->n == WAITERS_MAX)
        return false;
    if (queries->n == queries->size) {
        queries->size = queries->size ? 2 * queries->size : 16;
        queries->waits = mem_grow(queries->waits, queries->size, sizeof *queries->waits);
    }
    struct ledger_wait *wait = &queries->waits[queries->n++];
    *wait = (struct ledger_wait){.client = client,
                                 .message = message_ref(request),
                                 .deadline_us = ledger->step->now_us + LEDGER_QUERY_US};
    ask(ledger, wait);
    return true;
}

static struct ledger_wait take(struct ledger_queries *queries, size_t i)
{
    struct ledger_wait wait = queries->waits[i];
    memmove(&queries->waits[i], &queries->waits[i + 1],
            (--queries->n - i) * sizeof *queries->waits);
    return wait;
}

/* --- answers --- */

void ledger_query(struct ledger *ledger, node_id_t from, const struct wire_account_query *query)
{
    struct message *message = message_new(MESSAGE_ACCOUNT_REPLY);
    message->as.account_reply.account = message_copy(message, query->account);
    message->as.account_reply.exists = ledger_table_find(&ledger->accounts, query->account) != NULL;
    peers_send_control(ledger->links, from, message);
}

void ledger_query_reply(struct ledger *ledger, node_id_t from,
                        const struct wire_account_reply *reply)
{
    struct ledger_queries *queries = &ledger->queries;
    if (!ledger_name_is_valid(reply->account)) {
        step_reject(ledger->step, from, "it answers about an invalid account");
        return;
    }
    if (reply->exists)
        remember(queries, from, reply->account);
    for (size_t i = 0; i < queries->n;) {
        const struct wire_bank_transfer *transfer = &queries->waits[i].message->as.bank_transfer;
        if (transfer->to_node != from || !slice_same(transfer->to, reply->account)) {
            i++;
            continue;
        }
        struct ledger_wait wait = take(queries, i);
        if (reply->exists)
            ledger_request_transfer(ledger, wait.client, wait.message);
        else
            ledger_requests_missing(ledger, wait.client, wait.message);
        message_drop(&wait.message);
    }
}

/* --- time --- */

static void give_up(struct ledger *ledger, struct ledger_wait *wait)
{
    struct text reason = {0};
    text_add(&reason, "node %u does not answer; nothing was changed",
             (unsigned)wait->message->as.bank_transfer.to_node);
    outbox_reply(&ledger->step->out, wait->client,
                 step_error(ledger->step, wait->message->as.request.request, "unavailable",
                            reason.at));
    message_drop(&wait->message);
}

void ledger_tick(struct ledger *ledger)
{
    struct ledger_queries *queries = &ledger->queries;
    for (size_t i = 0; i < queries->n;) {
        struct ledger_wait *wait = &queries->waits[i];
        if (ledger->step->now_us >= wait->deadline_us) {
            struct ledger_wait taken = take(queries, i);
            give_up(ledger, &taken);
            continue;
        }
        if (ledger->step->now_us >= wait->ask_us)
            ask(ledger, wait);
        i++;
    }
}

uint64_t ledger_deadline(const struct ledger *ledger)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < ledger->queries.n; i++) {
        const struct ledger_wait *wait = &ledger->queries.waits[i];
        at = earlier_us(at, earlier_us(wait->deadline_us, wait->ask_us));
    }
    return at;
}

void ledger_clear_queries(struct ledger_queries *queries)
{
    for (size_t i = 0; i < queries->n; i++)
        message_drop(&queries->waits[i].message);
    free(queries->waits);
    free(queries->known);
    *queries = (struct ledger_queries){0};
}
