/* The ledgers of whole nodes in the deterministic world: every rule, and that no fault makes money
 * or loses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/records/record.h"
#include "nodes/core/rooms.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/sim/world.h"

#define PATIENCE_US (60 * SECOND_US)

static struct world *begin_with(uint64_t seed, uint32_t n_nodes, struct key_limits keys)
{
    struct world_options options = {.seed = seed,
                                    .keys = keys,
                                    .n_nodes = n_nodes,
                                    .delay_us = 100,
                                    .jitter_us = 200,
                                    .disk_us = 500,
                                    .op_us = 5,
                                    .story = getenv("STORY") != NULL};
    struct world *world = world_new(&options);
    for (node_id_t id = 1; id <= n_nodes; id++)
        world_start(world, id);
    world_run(world, SECOND_US);
    return world;
}

static struct world *begin(uint64_t seed, uint32_t n_nodes)
{
    return begin_with(seed, n_nodes, (struct key_limits){0});
}

/* --- requests --- */

static struct message *change(enum message_type type, const char *key, const char *account,
                              uint64_t amount)
{
    struct message *message = message_new(type);
    message->as.bank_change.key = message_text(message, key);
    message->as.bank_change.account = message_text(message, account);
    message->as.bank_change.amount = amount;
    return message;
}

static struct message *transfer(const char *key, const char *from, uint64_t amount, const char *to,
                                uint64_t to_node)
{
    struct message *message = change(MESSAGE_BANK_TRANSFER, key, from, amount);
    message->as.bank_transfer.to = message_text(message, to);
    message->as.bank_transfer.to_node = to_node;
    return message;
}

static struct message *put(const char *key, const char *name, const char *value, uint64_t to)
{
    struct message *message = message_new(MESSAGE_KV_PUT);
    message->as.kv_put = (struct wire_kv_put){.key = message_text(message, key),
                                              .name = message_text(message, name),
                                              .value = message_text(message, value),
                                              .to = to};
    return message;
}

static struct message *get(const char *name)
{
    struct message *message = message_new(MESSAGE_KV_GET);
    message->as.kv_get.name = message_text(message, name);
    return message;
}

static bool first_is_answered(const struct world *world)
{
    return world->askers[0].answer != NULL;
}

/* Asks and waits for the answer, which lasts until the next request. */
static const struct message *ask(struct world *world, node_id_t node, struct message *request)
{
    world_ask(world, 0, node, request);
    assert_true(world_run_until(world, first_is_answered, PATIENCE_US));
    return world->askers[0].answer;
}

static void assert_refused(struct world *world, node_id_t node, struct message *request,
                           const char *code, const char *word)
{
    const struct message *answer = ask(world, node, request);
    char reason[TEXT_MAX];
    if (answer->type != MESSAGE_ERROR)
        fail_msg("%s instead of an error about %s", message_name(answer->type), word);
    text_escape(reason, sizeof reason, answer->as.error.reason);
    if (!slice_equals(answer->as.error.code, code) || !strstr(reason, word))
        fail_msg("'%s' does not say '%s'", reason, word);
}

static void assert_done(struct world *world, node_id_t node, struct message *request,
                        uint64_t balance)
{
    const struct message *answer = ask(world, node, request);
    char reason[TEXT_MAX];
    if (answer->type == MESSAGE_ERROR)
        fail_msg("%s", text_escape(reason, sizeof reason, answer->as.error.reason));
    assert_int_equal(answer->type, MESSAGE_BANK_ACCOUNT);
    assert_int_equal(answer->as.bank_account.balance, balance);
}

static uint64_t balance_of(struct world *world, node_id_t node, const char *account)
{
    const struct ledger_row *row =
        ledger_table_find(&world->nodes[node].core->ledger.accounts, slice_of(account));
    return row ? row->balance : UINT64_MAX;
}

/* --- what the disks say --- */

static struct slice value_of(const struct world_record *record)
{
    return (struct slice){record->value->at, record->value->len};
}

/* True when the destination's disk says that it has applied the letter. */
static bool is_applied(const struct world *world, node_id_t to, node_id_t from,
                       const struct wire_numbered *letter)
{
    struct record_key key = record_key(RECORD_MARK);
    record_key_u32(&key, from);
    const struct world_node *node = &world->nodes[to];
    for (size_t i = 0; i < node->records_n; i++) {
        const struct world_record *record = &node->records[i];
        uint64_t epoch, number;
        if (record->key_len == key.len && !memcmp(record->key, key.at, key.len))
            return record_u64(value_of(record), 0, &epoch) && epoch == letter->epoch &&
                   record_u64(value_of(record), 8, &number) && number >= letter->number;
    }
    return false;
}

static uint64_t money_in_letter(const struct world *world, node_id_t from,
                                const struct world_record *record)
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
static uint64_t durable_money(const struct world *world)
{
    uint64_t sum = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct world_node *node = &world->nodes[id];
        for (size_t i = 0; i < node->records_n; i++) {
            uint64_t balance = 0;
            if (node->records[i].key[0] == RECORD_ACCOUNT)
                assert_true(record_u64(value_of(&node->records[i]), 0, &balance));
            else if (node->records[i].key[0] == RECORD_LETTER)
                balance = money_in_letter(world, id, &node->records[i]);
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
            if (node->ledger.outgoing[to].n)
                return false;
    }
    return true;
}

static void settle(struct world *world)
{
    assert_true(world_run_until(world, outboxes_are_empty, PATIENCE_US));
    world_run(world, 100 * MS_US); /* the last of it gets durable */
}

/* --- rules --- */

static void deposits_and_withdrawals_follow_the_rules(void **state)
{
    (void)state;
    struct world *world = begin(1, 2);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "2", "alice", 50), 150);
    assert_done(world, 1, change(MESSAGE_BANK_WITHDRAW, "3", "alice", 30), 120);
    assert_refused(world, 1, change(MESSAGE_BANK_WITHDRAW, "101", "alice", 121), "insufficient",
                   "has 120, less than 121");
    assert_refused(world, 1, change(MESSAGE_BANK_WITHDRAW, "102", "bob", 1), "not_found",
                   "no account bob on node 1");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "103", "alice", 0), "invalid",
                   "from 1 to");
    assert_refused(world, 1, change(MESSAGE_BANK_WITHDRAW, "104", "alice", 0), "invalid",
                   "from 1 to");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "105", "alice", MONEY_MAX + 1), "invalid",
                   "from 1 to");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "106", "alice", UINT64_MAX), "invalid",
                   "from 1 to");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "107", "alice", MONEY_MAX - 119),
                   "overflow", "no room");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "108", "a b", 1), "invalid", "no name");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "109", "", 1), "invalid", "no name");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "a key", "alice", 1), "invalid",
                   "a key is");
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "", "alice", 1), "invalid", "a key is");
    assert_done(world, 1, change(MESSAGE_BANK_WITHDRAW, "5", "alice", 120), 0);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "6", "alice", MONEY_MAX), MONEY_MAX);
    assert_int_equal(durable_money(world), MONEY_MAX);
    world_free(&world);
}

static void transfers_follow_the_rules(void **state)
{
    (void)state;
    struct world *world = begin(2, 2);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "2", "bob", 10), 10);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "3", "carol", 1), 1);
    assert_done(world, 1, transfer("4", "alice", 25, "bob", 1), 75);
    assert_done(world, 1, transfer("5", "alice", 70, "carol", 2), 5);
    assert_refused(world, 1, transfer("101", "alice", 6, "carol", 2), "insufficient", "has 5");
    assert_refused(world, 1, transfer("102", "alice", 6, "bob", 1), "insufficient", "has 5");
    assert_refused(world, 1, transfer("103", "alice", 0, "carol", 2), "invalid", "from 1 to");
    assert_refused(world, 1, transfer("104", "alice", 1, "alice", 1), "invalid", "to itself");
    assert_refused(world, 1, transfer("105", "alice", 1, "dave", 1), "not_found",
                   "no account dave on node 1");
    assert_refused(world, 1, transfer("106", "alice", 1, "dave", 2), "not_found",
                   "no account dave on node 2");
    assert_refused(world, 1, transfer("107", "dave", 1, "carol", 2), "not_found", "dave on node 1");
    assert_refused(world, 1, transfer("108", "alice", 1, "carol", 3), "invalid",
                   "there is no node 3");
    assert_refused(world, 1, transfer("109", "alice", 1, "carol", 0), "invalid",
                   "there is no node 0");
    assert_refused(world, 1, transfer("110", "alice", 1, "c/d", 2), "invalid", "no name");
    settle(world);
    assert_int_equal(balance_of(world, 1, "alice"), 5);
    assert_int_equal(balance_of(world, 1, "bob"), 35);
    assert_int_equal(balance_of(world, 2, "carol"), 71);
    assert_int_equal(durable_money(world), 111);
    /* An account of the same name elsewhere is another one. */
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "7", "alice", 1), 1);
    assert_done(world, 1, transfer("8", "alice", 5, "alice", 2), 0);
    settle(world);
    assert_int_equal(balance_of(world, 2, "alice"), 6);
    world_free(&world);
}

static void a_node_that_does_not_answer_costs_nothing(void **state)
{
    (void)state;
    struct world *world = begin(3, 3);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    world_crash(world, 2);
    world_ask(world, 0, 1, transfer("3", "alice", 40, "bob", 2));
    world_run(world, 4 * SECOND_US); /* refused, asked again, refused again */
    assert_null(world->askers[0].answer);
    assert_int_equal(balance_of(world, 1, "alice"), 100);
    world_start(world, 2);
    assert_true(world_run_until(world, first_is_answered, PATIENCE_US));
    assert_int_equal(world->askers[0].answer->as.bank_account.balance, 60);
    settle(world);
    assert_int_equal(balance_of(world, 2, "bob"), 41);
    /* Once it is known to exist, money leaves whether the node is there or not. */
    world_crash(world, 2);
    assert_done(world, 1, transfer("4", "alice", 60, "bob", 2), 0);
    assert_int_equal(world->nodes[1].core->ledger.away, 60);
    world_start(world, 2);
    settle(world);
    assert_int_equal(balance_of(world, 2, "bob"), 101);
    world_free(&world);
}

/* An account whose node is down, and known to exist: letters for it pile up. */
static struct world *begin_piling_up(uint64_t seed)
{
    struct world *world = begin(seed, 3);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100000), 100000);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    assert_done(world, 1, transfer("3", "alice", 1, "bob", 2), 99999);
    settle(world);
    world_crash(world, 2);
    world_run(world, 100 * MS_US);
    return world;
}

static void what_piled_up_arrives_in_order(void **state)
{
    (void)state;
    struct world *world = begin_piling_up(14);
    const uint64_t n = 2 * LEDGER_BURST_MAX + 100;
    char key[32];
    for (uint64_t i = 0; i < n; i++) {
        text_format(key, sizeof key, "pile-%u", (unsigned)i);
        if (i % 2)
            assert_done(world, 1, transfer(key, "alice", 1, "bob", 2), 99998 - i / 2);
        else
            ask(world, 1, put(key, "latest", key, 2));
    }
    assert_int_equal(world->nodes[1].core->ledger.outgoing[2].n, n);
    world_crash(world, 1);
    world_start(world, 1);
    world_start(world, 2);
    settle(world);
    assert_int_equal(balance_of(world, 2, "bob"), 2 + n / 2);
    text_format(key, sizeof key, "pile-%u", (unsigned)n - 2);
    assert_true(slice_equals(ask(world, 2, get("latest"))->as.kv_value.value, key));
    world_free(&world);
}

static void a_full_outbox_refuses_and_loses_nothing(void **state)
{
    (void)state;
    struct world *world = begin_piling_up(15);
    struct node *node = world->nodes[1].core;
    const char *code = NULL;
    char key[32];
    for (uint64_t i = 0; i <= LEDGER_SENT_MAX; i++) {
        text_format(key, sizeof key, "pile-%u", (unsigned)i);
        struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
        event.request.message = transfer(key, "alice", 1, "bob", 2);
        event.request.message->as.request.node = 1;
        struct node_outputs outputs = node_step(node, &event);
        for (size_t j = 0; j < outputs.n; j++)
            if (outputs.at[j].kind == OUTPUT_REPLY &&
                outputs.at[j].reply.message->type == MESSAGE_ERROR) {
                assert_int_equal(i, LEDGER_SENT_MAX);
                code = slice_equals(outputs.at[j].reply.message->as.error.code, "busy") ? "busy"
                                                                                        : "other";
            }
        message_drop(&event.request.message);
    }
    assert_string_equal(code, "busy");
    assert_int_equal(node->ledger.away, LEDGER_SENT_MAX);
    assert_int_equal(node->ledger.total, 99999 - LEDGER_SENT_MAX);
    node_check_invariants(node);
    world_crash(world, 1);
    world_free(&world);
}

static void a_repeated_key_moves_money_once(void **state)
{
    (void)state;
    struct world *world = begin(4, 2);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "a", "alice", 100), 100);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "b", "bob", 1), 1);
    assert_done(world, 1, transfer("c", "alice", 10, "bob", 2), 90);
    assert_false(world->askers[0].answer->as.bank_account.repeated);
    assert_done(world, 1, change(MESSAGE_BANK_WITHDRAW, "d", "alice", 5), 85);
    for (int life = 0; life < 2; life++) { /* and again after a restart */
        assert_done(world, 1, transfer("c", "alice", 10, "bob", 2), 90);
        assert_true(world->askers[0].answer->as.bank_account.repeated);
        assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "a", "alice", 100), 100);
        assert_done(world, 1, change(MESSAGE_BANK_WITHDRAW, "d", "alice", 5), 85);
        assert_refused(world, 1, transfer("c", "alice", 11, "bob", 2), "invalid", "another key");
        assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "d", "alice", 5), "invalid",
                       "another key");
        settle(world);
        assert_int_equal(balance_of(world, 1, "alice"), 85);
        assert_int_equal(balance_of(world, 2, "bob"), 11);
        world_crash(world, 1);
        world_start(world, 1);
        world_run(world, SECOND_US);
    }
    /* What was refused stays refused: a late try must not do what a client was told is not done. */
    assert_refused(world, 1, change(MESSAGE_BANK_WITHDRAW, "e", "alice", 86), "insufficient", "85");
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "f", "alice", 1), 86);
    assert_refused(world, 1, change(MESSAGE_BANK_WITHDRAW, "e", "alice", 86), "insufficient",
                   "has 85, less than 86");
    assert_done(world, 1, change(MESSAGE_BANK_WITHDRAW, "g", "alice", 86), 0);
    world_free(&world);
}

static void only_the_last_keys_are_remembered(void **state)
{
    (void)state;
    struct world *world = begin(5, 1);
    struct node *node = world->nodes[1].core;
    char key[32];
    for (uint64_t i = 0; i < LEDGER_KEYS_MAX + 10; i++) {
        struct message *message = change(MESSAGE_BANK_DEPOSIT, "", "alice", 1);
        text_format(key, sizeof key, "key-%u", (unsigned)i);
        message->as.request.node = 1;
        message->as.bank_deposit.key = message_text(message, key);
        struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
        event.request.message = message;
        node_step(node, &event);
        message_drop(&message);
    }
    assert_int_equal(node->ledger.keys.map.count, LEDGER_KEYS_MAX);
    assert_int_equal(balance_of(world, 1, "alice"), LEDGER_KEYS_MAX + 10);
    world_crash(world, 1);
    world_free(&world);
}

/* --- keys whose outcomes are forgotten --- */

static void deposit_keys(struct world *world, unsigned from, unsigned to)
{
    char key[32];
    for (unsigned i = from; i < to; i++) {
        text_format(key, sizeof key, "key-%u", i);
        assert_int_equal(ask(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 1))->type,
                         MESSAGE_BANK_ACCOUNT);
    }
}

static void restart(struct world *world)
{
    world_crash(world, 1);
    world_start(world, 1);
    world_run(world, SECOND_US);
}

static void a_retry_after_long_moves_no_money_R29(void **state)
{
    (void)state;
    struct world *world = begin_with(21, 2, (struct key_limits){.requests = 32, .block = 50});
    char key[32];
    deposit_keys(world, 0, 100);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned i = 0; i < 68; i += 11) {
            text_format(key, sizeof key, "key-%u", i);
            assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 1), "forgotten",
                           "what came of it is forgotten");
        }
        assert_int_equal(balance_of(world, 1, "alice"), 100 + 200 * life);
        restart(world);
        deposit_keys(world, 100 + 200 * life, 300 + 200 * life);
    }
    assert_true(world->nodes[1].core->ledger.keys.forgotten.window.n > 10); /* some are sealed */
    world_free(&world);
}

static const char *open_session(struct world *world, uint64_t sequence)
{
    static char key[SESSION_KEY_MAX + 1];
    const struct message *answer = ask(world, 1, message_new(MESSAGE_SESSION_OPEN));
    assert_int_equal(answer->type, MESSAGE_SESSION);
    session_key_write(key, (struct session_key){answer->as.session.session,
                                                answer->as.session.token, sequence});
    return key;
}

static void an_evicted_session_is_refused_for_ever_R29(void **state)
{
    (void)state;
    struct world *world = begin_with(22, 2, (struct key_limits){.requests = 16, .sessions = 2});
    char key[SESSION_KEY_MAX + 1], next[SESSION_KEY_MAX + 1];
    text_format(key, sizeof key, "%s", open_session(world, 1));
    text_format(next, sizeof next, "%.*s2", (int)strlen(key) - 1, key);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 10), 10);
    assert_true(
        ask(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 10))->as.bank_account.repeated);
    deposit_keys(world, 0, 40);
    for (unsigned life = 0; life < 2; life++) {
        assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 10), "forgotten",
                       "key");
        restart(world);
    }
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, next, "alice", 10), 60); /* still open */
    open_session(world, 1);
    open_session(world, 1);
    deposit_keys(world, 40, 80);
    for (unsigned life = 0; life < 2; life++) {
        assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, next, "alice", 10), "forgotten", "");
        text_format(key, sizeof key, "%.*s9", (int)strlen(next) - 1, next);
        assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 10), "forgotten", "");
        restart(world);
    }
    assert_int_equal(world->nodes[1].core->ledger.keys.forgotten.by_id.count, 2);
    world_free(&world);
}

/* A store that was written before there were blocks: whatever it remembers then is never lost. */
static void an_older_store_goes_on_remembering_R29(void **state)
{
    (void)state;
    struct world *world = begin_with(23, 2, (struct key_limits){.requests = 32});
    struct world_node *node = &world->nodes[1];
    char key[32];
    deposit_keys(world, 0, 100);
    world_crash(world, 1);
    for (size_t i = node->records_n; i-- > 0;) {
        const struct world_record *record = &node->records[i];
        if (record->key[0] != RECORD_BLOCK && record->key[0] != RECORD_FLOOR)
            continue;
        struct write write = {.kind = WRITE_RECORD, .key_len = record->key_len};
        memcpy(write.key, record->key, record->key_len);
        records_write(node, &write);
    }
    world_start(world, 1);
    world_run(world, SECOND_US);
    deposit_keys(world, 100, 180);
    for (unsigned i = 68; i < 140; i++) {
        text_format(key, sizeof key, "key-%u", i);
        assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 1), "forgotten", "key");
    }
    assert_int_equal(balance_of(world, 1, "alice"), 180);
    world_free(&world);
}

static void accounts_are_listed_in_pages(void **state)
{
    (void)state;
    struct world *world = begin(6, 2);
    char name[32], after[LEDGER_NAME_MAX + 1] = "";
    for (unsigned i = 0; i < 450; i++) {
        text_format(name, sizeof name, "account-%u", i * 7919 % 450);
        assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, name, name, 1 + i), 1 + i);
    }
    uint64_t n = 0, total = 0;
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_BANK_LIST);
        request->as.bank_list.after = message_text(request, after);
        const struct message *answer = ask(world, 1, request);
        assert_int_equal(answer->type, MESSAGE_BANK_PAGE);
        const struct wire_bank_page *page = &answer->as.bank_page;
        for (size_t i = 0; i < page->accounts.n; i++) {
            text_escape(name, sizeof name, page->accounts.at[i].account);
            assert_true(strcmp(after, name) < 0);
            text_format(after, sizeof after, "%s", name);
            total += page->accounts.at[i].balance;
            n++;
        }
        assert_int_equal(page->total, 450 * 451 / 2);
        more = page->more;
    }
    assert_int_equal(n, 450);
    assert_int_equal(total, 450 * 451 / 2);
    world_free(&world);
}

static void values_are_put_here_and_sent_elsewhere(void **state)
{
    (void)state;
    struct world *world = begin(7, 3);
    assert_int_equal(ask(world, 1, put("1", "colour", "red", 0))->type, MESSAGE_KV_VALUE);
    assert_int_equal(ask(world, 1, put("2", "colour", "gr\xc3\xbcn", 2))->type, MESSAGE_KV_VALUE);
    assert_true(ask(world, 1, put("2", "colour", "gr\xc3\xbcn", 2))->as.kv_value.repeated);
    settle(world);
    assert_true(slice_equals(ask(world, 1, get("colour"))->as.kv_value.value, "red"));
    assert_true(slice_equals(ask(world, 2, get("colour"))->as.kv_value.value, "gr\xc3\xbcn"));
    assert_false(ask(world, 3, get("colour"))->as.kv_value.found);
    assert_refused(world, 1, put("3", "colour", "\xff", 0), "invalid", "UTF-8");
    assert_refused(world, 1, put("3", "a colour", "red", 0), "invalid", "no name");
    assert_refused(world, 1, put("3", "colour", "red", 4), "invalid", "there is no node 4");
    assert_refused(world, 1, put("2", "colour", "blue", 2), "invalid", "another key");
    world_crash(world, 2);
    assert_int_equal(ask(world, 1, put("4", "empty", "", 2))->type, MESSAGE_KV_VALUE);
    assert_int_equal(ask(world, 1, put("5", "colour", "blue", 2))->type, MESSAGE_KV_VALUE);
    world_crash(world, 1); /* what was acknowledged is on its way for ever */
    world_start(world, 1);
    world_start(world, 2);
    settle(world);
    assert_true(slice_equals(ask(world, 2, get("colour"))->as.kv_value.value, "blue"));
    assert_true(ask(world, 2, get("empty"))->as.kv_value.found);
    world_free(&world);
}

static void a_request_without_a_node_is_refused(void **state)
{
    (void)state;
    struct world *world = begin(8, 1);
    struct message *message = change(MESSAGE_BANK_DEPOSIT, "1", "alice", 1);
    struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
    event.request.message = message;
    struct node_outputs outputs = node_step(world->nodes[1].core, &event);
    const struct message *answer = NULL;
    for (size_t i = 0; i < outputs.n; i++)
        if (outputs.at[i].kind == OUTPUT_REPLY)
            answer = outputs.at[i].reply.message;
    assert_true(answer && answer->type == MESSAGE_ERROR);
    assert_true(slice_equals(answer->as.error.code, "invalid"));
    message_drop(&message);
    world_free(&world);
}

/* --- what is promised is durable --- */

/* What a step of the node makes durable, and the sequences that wait for it; 0: there was none. */
struct waits {
    uint64_t persist, reply, transfer;
    size_t records;
};

static struct waits step(struct node *node, const struct event *event)
{
    struct waits waits = {0};
    struct node_outputs outputs = node_step(node, event);
    for (size_t i = 0; i < outputs.n; i++) {
        const struct output *output = &outputs.at[i];
        if (output->kind == OUTPUT_PERSIST) {
            waits.persist = output->persist.seq;
            for (size_t j = 0; j < output->persist.n; j++)
                waits.records += output->persist.writes[j].kind == WRITE_RECORD;
        } else if (output->kind == OUTPUT_REPLY) {
            waits.reply = output->after_seq;
        } else if (output->kind == OUTPUT_SEND && output->send.message->type == MESSAGE_TRANSFER) {
            waits.transfer = output->after_seq;
        }
    }
    return waits;
}

static void a_transfer_and_its_answer_wait_for_the_disk(void **state)
{
    (void)state;
    struct world *world = begin(13, 2);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    assert_done(world, 1, transfer("3", "alice", 1, "bob", 2), 99);
    settle(world);
    struct node *node = world->nodes[1].core;
    struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
    event.request.message = transfer("4", "alice", 10, "bob", 2);
    event.request.message->as.request.node = 1;
    struct waits first = step(node, &event);
    /* Account, letter and key are one transaction; the money is in the channel in the same step. */
    assert_true(first.persist && first.records == 3);
    assert_int_equal(first.reply, first.persist);
    assert_int_equal(first.transfer, first.persist);
    /* A second try is answered no sooner. */
    struct waits second = step(node, &event);
    assert_int_equal(second.records, 0);
    assert_int_equal(second.reply, first.persist);
    assert_int_equal(second.transfer, 0);
    message_drop(&event.request.message);
    world_crash(world, 1); /* what the world does not know of is lost */
    world_free(&world);
}

/* --- money that cannot be credited, and disks that are wiped --- */

static void what_does_not_fit_comes_back(void **state)
{
    (void)state;
    struct world *world = begin(9, 2);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "2", "bob", MONEY_MAX), MONEY_MAX);
    assert_done(world, 1, transfer("3", "alice", 30, "bob", 2), 70);
    /* As long as it may come back, its place is kept. */
    assert_refused(world, 1, change(MESSAGE_BANK_DEPOSIT, "4", "alice", MONEY_MAX - 99), "overflow",
                   "no room");
    settle(world);
    assert_int_equal(balance_of(world, 1, "alice"), 100);
    assert_int_equal(balance_of(world, 2, "bob"), MONEY_MAX);
    world_free(&world);
}

static void a_wiped_destination_sends_money_back(void **state)
{
    (void)state;
    struct world *world = begin(10, 3);
    assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    assert_done(world, 1, transfer("3", "alice", 10, "bob", 2), 90);
    settle(world);
    world_crash(world, 2);
    world_wipe(world, 2);
    assert_done(world, 1, transfer("4", "alice", 20, "bob", 2), 70);
    assert_done(world, 1, transfer("5", "alice", 30, "bob", 2), 40);
    world_start(world, 2);
    settle(world);
    assert_int_equal(balance_of(world, 1, "alice"), 90);
    assert_int_equal(balance_of(world, 2, "bob"), UINT64_MAX);
    assert_int_equal(durable_money(world), 90);
    world_free(&world);
}

static void a_wiped_source_begins_anew(void **state)
{
    (void)state;
    struct world *world = begin(11, 3);
    for (uint64_t round = 1; round <= 3; round++) {
        char key[16];
        text_format(key, sizeof key, "deposit-%u", (unsigned)round);
        assert_done(world, 1, change(MESSAGE_BANK_DEPOSIT, key, "alice", 100), 100);
        if (round == 1)
            assert_done(world, 2, change(MESSAGE_BANK_DEPOSIT, key, "bob", 1), 1);
        for (uint64_t i = 1; i <= 5; i++) {
            text_format(key, sizeof key, "%u-%u", (unsigned)round, (unsigned)i);
            assert_done(world, 1, transfer(key, "alice", 10, "bob", 2), 100 - 10 * i);
        }
        settle(world);
        assert_int_equal(balance_of(world, 2, "bob"), 1 + 50 * round);
        world_crash(world, 1);
        world_wipe(world, 1);
        world_start(world, 1);
        world_run(world, SECOND_US);
        assert_int_equal(balance_of(world, 1, "alice"), UINT64_MAX);
    }
    world_free(&world);
}

static void a_foreign_record_is_refused(void **state)
{
    (void)state;
    struct world *world = begin(12, 2);
    struct node *node = world->nodes[1].core;
    static const struct {
        const char *key;
        size_t key_len;
        const char *value;
        size_t value_len;
    } cases[] = {
        {"", 0, "", 0},
        {"z", 1, "", 0},
        {"a", 1, "\0\0\0\0\0\0\0\1", 8},
        {"aalice", 6, "\0\0\0\0\0\0\1", 7},
        {"aalice", 6, "\1\0\0\0\0\0\0\0", 8},
        {"aa b", 4, "\0\0\0\0\0\0\0\1", 8},
        {"e", 1, "\0\0\0\0\0\0\0\0", 8},
        {"e", 1, "", 0},
        {"kx", 2, "\xff", 1},
        {"m\0\0\0\0", 5, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16},
        {"m\0\0\0\2", 5, "\0\0\0\0\0\0\0\1", 8},
        {"n\0\0\1\0", 5, "\0\0\0\0\0\0\0\1", 8},
        {"o\0\0\0\2\0\0\0\0\0\0\0\1", 13, "garbage", 7},
        {"o\0\0\0\2", 5, "", 0},
        {"r\0\0\0\2", 5, "\0\0\0\0\0\0\0\1", 8},
        {"f", 1, "", 0},
        {"f\0\0\0\0\0\0\0\1", 9, "garbage", 7},
        {"g", 1, "", 0},
        {"g\0\0\0\0\0\0\0\1", 9, "garbage", 7},
        {"t\0\0\0\0\0\0\0\1", 9, "\0\0\0\0\0\0\0\1", 8},
        {"u", 1, "\0\0\0\0\0\0\0\1", 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(node_restore_record(
                             node, (struct slice){(const uint8_t *)cases[i].key, cases[i].key_len},
                             (struct slice){(const uint8_t *)cases[i].value, cases[i].value_len}),
                         ERR_CORRUPT);
    world_free(&world);
}

/* --- stories: many transfers under faults --- */

#define ACCOUNTS 3
#define START    1000
#define TELLERS  5

/* What every account must hold in the end: only transfers that were acknowledged count, and each of
 * them once, however often it was asked for. */
static struct {
    uint64_t expected[WORLD_NODES_MAX + 1][ACCOUNTS];
    unsigned from[TELLERS + 1][2], to[TELLERS + 1][2], amount[TELLERS + 1];
    uint64_t begun, left, done, repeated, refused;
} bank;

static const char *account_name(unsigned account)
{
    static const char *const names[ACCOUNTS] = {"alice", "bob", "carol"};
    return names[account];
}

static void next_transfer(struct world *world, unsigned teller)
{
    uint32_t n = world->options.n_nodes;
    if (!bank.left)
        return;
    bank.left--;
    bank.from[teller][0] = bank.to[teller][0] = 1 + (unsigned)world_random(world, n);
    bank.from[teller][1] = bank.to[teller][1] = (unsigned)world_random(world, ACCOUNTS);
    while (bank.to[teller][0] == bank.from[teller][0] &&
           bank.to[teller][1] == bank.from[teller][1]) {
        bank.to[teller][0] = 1 + (unsigned)world_random(world, n);
        bank.to[teller][1] = (unsigned)world_random(world, ACCOUNTS);
    }
    bank.amount[teller] = 1 + (unsigned)world_random(world, 400);
    char key[32];
    text_format(key, sizeof key, "transfer-%u", (unsigned)++bank.begun);
    world_ask(world, teller, bank.from[teller][0],
              transfer(key, account_name(bank.from[teller][1]), bank.amount[teller],
                       account_name(bank.to[teller][1]), bank.to[teller][0]));
}

static void transfer_is_answered(struct world *world, unsigned teller)
{
    const struct message *answer = world->askers[teller].answer;
    if (answer->type == MESSAGE_BANK_ACCOUNT) {
        bank.expected[bank.from[teller][0]][bank.from[teller][1]] -= bank.amount[teller];
        bank.expected[bank.to[teller][0]][bank.to[teller][1]] += bank.amount[teller];
        bank.done++;
        bank.repeated += answer->as.bank_account.repeated;
    } else {
        assert_true(slice_equals(answer->as.error.code, "insufficient"));
        bank.refused++;
    }
    next_transfer(world, teller);
}

static bool tellers_are_idle(const struct world *world)
{
    bool idle = !bank.left;
    for (unsigned i = 1; i <= TELLERS; i++)
        idle = idle && !world->askers[i].request;
    return idle;
}

static void open_bank(struct world *world, uint64_t transfers)
{
    memset(&bank, 0, sizeof bank);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        for (unsigned account = 0; account < ACCOUNTS; account++) {
            assert_done(world, id,
                        change(MESSAGE_BANK_DEPOSIT, account_name(account), account_name(account),
                               START),
                        START);
            bank.expected[id][account] = START;
        }
    bank.left = transfers;
    for (unsigned i = 1; i <= TELLERS; i++) {
        world->askers[i].done = transfer_is_answered;
        next_transfer(world, i);
    }
}

/* Runs for so long, and looks at the disks all the time. */
static void watch(struct world *world, uint64_t for_us)
{
    uint64_t until_us = world->now_us + for_us;
    do {
        assert_int_equal(durable_money(world), START * ACCOUNTS * world->options.n_nodes);
        world_run(world, 1 + world_random(world, 3 * MS_US));
    } while (world->now_us < until_us);
}

static void close_bank(struct world *world)
{
    assert_true(world_run_until(world, tellers_are_idle, 10 * PATIENCE_US));
    settle(world);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        for (unsigned account = 0; account < ACCOUNTS; account++)
            assert_int_equal(balance_of(world, id, account_name(account)),
                             bank.expected[id][account]);
    assert_int_equal(durable_money(world), START * ACCOUNTS * world->options.n_nodes);
}

static void busy_ledgers_keep_their_sum(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *world = begin(seed, 4);
        open_bank(world, 1000);
        watch(world, SECOND_US);
        close_bank(world);
        assert_true(bank.done > 500 && bank.done + bank.refused == 1000);
        world_free(&world);
    }
}

static void loss_and_duplication_move_no_money_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed <= 25; seed++) {
        struct world *world = begin(seed, 3);
        world->options.loss = 20000;
        world->options.duplication = 20000;
        open_bank(world, 600);
        watch(world, 2 * SECOND_US);
        close_bank(world);
        assert_true(world->counts.faults[FAULT_LOSS] > 0 &&
                    world->counts.faults[FAULT_DUPLICATE] > 0);
        world_free(&world);
    }
}

static void fail_one(struct world *world)
{
    uint32_t n = world->options.n_nodes;
    node_id_t victim = 1 + (node_id_t)world_random(world, n);
    switch (world_random(world, 4)) {
    case 0:
        world_pause(world, victim, world_random(world, SECOND_US));
        break;
    case 1:
        for (node_id_t id = 1; id <= n; id++)
            if (id != victim)
                world_cut(world, victim, id, true);
        watch(world, world_random(world, SECOND_US));
        for (node_id_t id = 1; id <= n; id++)
            world_cut(world, victim, id, false);
        break;
    default:
        world_crash(world, victim);
        watch(world, world_random(world, 300 * MS_US));
        world_start(world, victim);
        break;
    }
}

static void killed_nodes_lose_no_money_and_make_none(void **state)
{
    (void)state;
    uint64_t repeated = 0;
    for (uint64_t seed = 40; seed <= 51; seed++) {
        struct world *world = begin(seed, 3 + (uint32_t)(seed % 3));
        world->options.loss = seed % 2 ? 0 : 5000;
        world->options.disk_us = seed % 4 ? 500 : 5 * MS_US;
        open_bank(world, 3000);
        for (unsigned faults = 0; faults < 25; faults++) {
            watch(world, world_random(world, 100 * MS_US));
            fail_one(world);
        }
        close_bank(world);
        repeated += bank.repeated;
        assert_true(world->counts.faults[FAULT_CRASH] > 0);
        world_free(&world);
    }
    assert_true(repeated > 0); /* answers were lost, and asked for again */
}

static void all_lose_their_power_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed <= 65; seed++) {
        struct world *world = begin(seed, 4);
        open_bank(world, 2000);
        for (unsigned times = 0; times < 8; times++) {
            watch(world, world_random(world, 200 * MS_US));
            for (node_id_t id = 1; id <= 4; id++)
                world_crash(world, id);
            assert_int_equal(durable_money(world), START * ACCOUNTS * 4);
            for (node_id_t id = 1; id <= 4; id++)
                world_start(world, id);
        }
        close_bank(world);
        world_free(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deposits_and_withdrawals_follow_the_rules),
        cmocka_unit_test(transfers_follow_the_rules),
        cmocka_unit_test(a_node_that_does_not_answer_costs_nothing),
        cmocka_unit_test(what_piled_up_arrives_in_order),
        cmocka_unit_test(a_full_outbox_refuses_and_loses_nothing),
        cmocka_unit_test(a_repeated_key_moves_money_once),
        cmocka_unit_test(only_the_last_keys_are_remembered),
        cmocka_unit_test(a_retry_after_long_moves_no_money_R29),
        cmocka_unit_test(an_evicted_session_is_refused_for_ever_R29),
        cmocka_unit_test(an_older_store_goes_on_remembering_R29),
        cmocka_unit_test(accounts_are_listed_in_pages),
        cmocka_unit_test(values_are_put_here_and_sent_elsewhere),
        cmocka_unit_test(a_request_without_a_node_is_refused),
        cmocka_unit_test(a_transfer_and_its_answer_wait_for_the_disk),
        cmocka_unit_test(what_does_not_fit_comes_back),
        cmocka_unit_test(a_wiped_destination_sends_money_back),
        cmocka_unit_test(a_wiped_source_begins_anew),
        cmocka_unit_test(a_foreign_record_is_refused),
        cmocka_unit_test(busy_ledgers_keep_their_sum),
        cmocka_unit_test(loss_and_duplication_move_no_money_twice),
        cmocka_unit_test(killed_nodes_lose_no_money_and_make_none),
        cmocka_unit_test(all_lose_their_power_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
