#include "tests/harness/ledgers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/records/record.h"
#include "nodes/core/ledger/ledger.h"
#include "tests/harness/inside.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

struct world *ledgers_begin(uint64_t seed, uint32_t n_nodes, struct key_limits keys)
{
    struct world_options options = worlds_usual(seed, n_nodes);
    options.keys = keys;
    return worlds_begin_with(options);
}

/* --- requests --- */

struct message *ledgers_put(const char *key, const char *name, const char *value, uint64_t to)
{
    struct message *message = message_new(MESSAGE_KV_PUT);
    message->as.kv_put = (struct wire_kv_put){.key = message_text(message, key),
                                              .name = message_text(message, name),
                                              .value = message_text(message, value),
                                              .to = to};
    return message;
}

struct message *ledgers_get(const char *name)
{
    struct message *message = message_new(MESSAGE_KV_GET);
    message->as.kv_get.name = message_text(message, name);
    return message;
}

struct message *ledgers_delete(const char *key, const char *name)
{
    struct message *message = message_new(MESSAGE_KV_DEL);
    message->as.kv_del.key = message_text(message, key);
    message->as.kv_del.name = message_text(message, name);
    return message;
}

struct message *ledgers_list(const char *prefix, const char *after)
{
    struct message *message = message_new(MESSAGE_KV_LIST);
    message->as.kv_list.prefix = message_text(message, prefix);
    message->as.kv_list.after = message_text(message, after);
    return message;
}

/* Asks and waits for the answer, which lasts until the next request. */
const struct message *ledgers_ask(struct world *world, node_id_t node, struct message *request)
{
    world_ask(world, 0, node, request);
    assert_true(world_run_until(world, worlds_is_answered, LEDGERS_PATIENCE_US));
    return world->askers[0].answer;
}

void ledgers_assert_refused(struct world *world, node_id_t node, struct message *request,
                            const char *code, const char *word)
{
    const struct message *answer = ledgers_ask(world, node, request);
    char reason[TEXT_MAX];
    if (answer->type != MESSAGE_ERROR)
        fail_msg("%s instead of an error about %s", message_name(answer->type), word);
    text_escape(reason, sizeof reason, answer->as.error.reason);
    if (!slice_equals(answer->as.error.code, code) || !strstr(reason, word))
        fail_msg("'%s' does not say '%s'", reason, word);
}

void ledgers_assert_done(struct world *world, node_id_t node, struct message *request,
                         uint64_t balance)
{
    const struct message *answer = ledgers_ask(world, node, request);
    char reason[TEXT_MAX];
    if (answer->type == MESSAGE_ERROR)
        fail_msg("%s", text_escape(reason, sizeof reason, answer->as.error.reason));
    assert_int_equal(answer->type, MESSAGE_BANK_ACCOUNT);
    assert_int_equal(answer->as.bank_account.balance, balance);
}

uint64_t ledgers_balance(struct world *world, node_id_t node, const char *account)
{
    const struct ledger_row *row =
        ledger_table_find(&inside_ledger(world->nodes[node].core)->accounts, slice_of(account));
    return row ? row->balance : UINT64_MAX;
}

/* --- what the disks say --- */

static struct slice value_of(const struct kept_record *record)
{
    return (struct slice){record->value->at, record->value->len};
}

/* True when the destination's disk says that it has applied the outbox message. */
static bool is_applied(const struct world *world, node_id_t to, node_id_t from,
                       const struct wire_numbered *pending)
{
    struct record_key key = record_key(RECORD_MARK);
    record_key_u32(&key, from);
    const struct kept_record *record = records_find(&world->nodes[to].records, &key);
    uint64_t epoch, number;
    return record && record_u64(value_of(record), 0, &epoch) && epoch == pending->epoch &&
           record_u64(value_of(record), 8, &number) && number >= pending->number;
}

static uint64_t money_in_outbox(const struct world *world, node_id_t from,
                                const struct kept_record *record)
{
    struct message *message;
    struct text why = {0};
    uint32_t to;
    assert_true(record_u32((struct slice){record->key, record->key_len}, 1, &to));
    assert_int_equal(codec_unpack(value_of(record), &message, &why), OK);
    bool counts =
        message->type == MESSAGE_TRANSFER && !is_applied(world, to, from, &message->as.numbered);
    uint64_t amount = counts ? message->as.transfer.amount : 0;
    message_drop(&message);
    return amount;
}

/* All money there is, were all nodes to lose their power now. */
uint64_t ledgers_durable_money(const struct world *world)
{
    uint64_t sum = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct records *records = &world->nodes[id].records;
        for (size_t i = 0; i < records->n; i++) {
            uint64_t balance = 0;
            if (records->at[i].key[0] == RECORD_ACCOUNT)
                assert_true(record_u64(value_of(&records->at[i]), 0, &balance));
            else if (records->at[i].key[0] == RECORD_OUTBOX)
                balance = money_in_outbox(world, id, &records->at[i]);
            sum += balance;
        }
    }
    return sum;
}

static bool outboxes_are_empty(const struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        for (node_id_t to = 1; node && to <= world->options.n_nodes; to++)
            if (inside_ledger(node)->outgoing[to].pending.n)
                return false;
    }
    return true;
}

void ledgers_settle(struct world *world)
{
    assert_true(world_run_until(world, outboxes_are_empty, LEDGERS_PATIENCE_US));
    world_run(world, 100 * MS_US); /* the last of it gets durable */
}
