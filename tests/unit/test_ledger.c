/* The rules of the ledgers of whole nodes in the deterministic world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/records/record.h"
#include "nodes/core/ledger/ledger.h"
#include "tests/harness/inside.h"
#include "shared/base/text.h"
#include "tests/harness/ledgers.h"

/* --- rules --- */

static void deposits_and_withdrawals_follow_the_rules(void **state)
{
    (void)state;
    struct world *world = worlds_begin(1, 2);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "2", "alice", 50), 150);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "3", "alice", 30), 120);
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "101", "alice", 121),
                           "insufficient", "has 120, less than 121");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "102", "bob", 1),
                           "not_found", "no account bob on node 1");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "103", "alice", 0),
                           "invalid", "from 1 to");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "104", "alice", 0),
                           "invalid", "from 1 to");
    ledgers_assert_refused(world, 1,
                           bank_change(MESSAGE_BANK_DEPOSIT, "105", "alice", MONEY_MAX + 1),
                           "invalid", "from 1 to");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "106", "alice", UINT64_MAX),
                           "invalid", "from 1 to");
    ledgers_assert_refused(world, 1,
                           bank_change(MESSAGE_BANK_DEPOSIT, "107", "alice", MONEY_MAX - 119),
                           "overflow", "no room");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "108", "a b", 1), "invalid",
                           "not a name");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "109", "", 1), "invalid",
                           "not a name");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "a key", "alice", 1),
                           "invalid", "a key is");
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "", "alice", 1), "invalid",
                           "a key is");
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "5", "alice", 120), 0);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "6", "alice", MONEY_MAX),
                        MONEY_MAX);
    assert_int_equal(ledgers_durable_money(world), MONEY_MAX);
    world_free(&world);
}

static void transfers_follow_the_rules(void **state)
{
    (void)state;
    struct world *world = worlds_begin(2, 2);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", 10), 10);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "3", "carol", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("4", "alice", 25, "bob", 1), 75);
    ledgers_assert_done(world, 1, bank_transfer("5", "alice", 70, "carol", 2), 5);
    ledgers_assert_refused(world, 1, bank_transfer("101", "alice", 6, "carol", 2), "insufficient",
                           "has 5");
    ledgers_assert_refused(world, 1, bank_transfer("102", "alice", 6, "bob", 1), "insufficient",
                           "has 5");
    ledgers_assert_refused(world, 1, bank_transfer("103", "alice", 0, "carol", 2), "invalid",
                           "from 1 to");
    ledgers_assert_refused(world, 1, bank_transfer("104", "alice", 1, "alice", 1), "invalid",
                           "to itself");
    ledgers_assert_refused(world, 1, bank_transfer("105", "alice", 1, "dave", 1), "not_found",
                           "no account dave on node 1");
    ledgers_assert_refused(world, 1, bank_transfer("106", "alice", 1, "dave", 2), "not_found",
                           "no account dave on node 2");
    ledgers_assert_refused(world, 1, bank_transfer("107", "dave", 1, "carol", 2), "not_found",
                           "dave on node 1");
    ledgers_assert_refused(world, 1, bank_transfer("108", "alice", 1, "carol", 3), "invalid",
                           "there is no node 3");
    ledgers_assert_refused(world, 1, bank_transfer("109", "alice", 1, "carol", 0), "invalid",
                           "there is no node 0");
    ledgers_assert_refused(world, 1, bank_transfer("110", "alice", 1, "c/d", 2), "invalid",
                           "not a name");
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 1, "alice"), 5);
    assert_int_equal(ledgers_balance(world, 1, "bob"), 35);
    assert_int_equal(ledgers_balance(world, 2, "carol"), 71);
    assert_int_equal(ledgers_durable_money(world), 111);
    /* An account of the same name elsewhere is another one. */
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "7", "alice", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("8", "alice", 5, "alice", 2), 0);
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 2, "alice"), 6);
    world_free(&world);
}

static void a_node_that_does_not_answer_costs_nothing(void **state)
{
    (void)state;
    struct world *world = worlds_begin(3, 3);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    world_crash(world, 2);
    world_ask(world, 0, 1, bank_transfer("3", "alice", 40, "bob", 2));
    world_run(world, 4 * SECOND_US); /* refused, asked again, refused again */
    assert_null(world->askers[0].answer);
    assert_int_equal(ledgers_balance(world, 1, "alice"), 100);
    world_start(world, 2);
    assert_true(world_run_until(world, worlds_is_answered, LEDGERS_PATIENCE_US));
    assert_int_equal(world->askers[0].answer->as.bank_account.balance, 60);
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 2, "bob"), 41);
    /* Once it is known to exist, money leaves whether the node is there or not. */
    world_crash(world, 2);
    ledgers_assert_done(world, 1, bank_transfer("4", "alice", 60, "bob", 2), 0);
    assert_int_equal(inside_ledger(world->nodes[1].core)->in_transit, 60);
    world_start(world, 2);
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 2, "bob"), 101);
    world_free(&world);
}

/* An account whose node is down, and known to exist: outbox messages for it pile up. */
static struct world *begin_piling_up(uint64_t seed)
{
    struct world *world = worlds_begin(seed, 3);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100000), 100000);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("3", "alice", 1, "bob", 2), 99999);
    ledgers_settle(world);
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
            ledgers_assert_done(world, 1, bank_transfer(key, "alice", 1, "bob", 2), 99998 - i / 2);
        else
            ledgers_ask(world, 1, ledgers_put(key, "latest", key, 2));
    }
    assert_int_equal(inside_ledger(world->nodes[1].core)->outgoing[2].pending.n, n);
    world_crash(world, 1);
    world_start(world, 1);
    world_start(world, 2);
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 2, "bob"), 2 + n / 2);
    text_format(key, sizeof key, "pile-%u", (unsigned)n - 2);
    assert_true(slice_equals(ledgers_ask(world, 2, ledgers_get("latest"))->as.kv_value.value, key));
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
        event.request.message = bank_transfer(key, "alice", 1, "bob", 2);
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
    assert_int_equal(inside_ledger(node)->in_transit, LEDGER_SENT_MAX);
    assert_int_equal(inside_ledger(node)->total, 99999 - LEDGER_SENT_MAX);
    node_check_invariants(node);
    world_crash(world, 1);
    world_free(&world);
}

static void a_repeated_key_moves_money_once(void **state)
{
    (void)state;
    struct world *world = worlds_begin(4, 2);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "a", "alice", 100), 100);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "b", "bob", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("c", "alice", 10, "bob", 2), 90);
    assert_false(world->askers[0].answer->as.bank_account.repeated);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "d", "alice", 5), 85);
    for (int life = 0; life < 2; life++) { /* and again after a restart */
        ledgers_assert_done(world, 1, bank_transfer("c", "alice", 10, "bob", 2), 90);
        assert_true(world->askers[0].answer->as.bank_account.repeated);
        ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "a", "alice", 100), 100);
        ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "d", "alice", 5), 85);
        ledgers_assert_refused(world, 1, bank_transfer("c", "alice", 11, "bob", 2), "invalid",
                               "another key");
        ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "d", "alice", 5),
                               "invalid", "another key");
        ledgers_settle(world);
        assert_int_equal(ledgers_balance(world, 1, "alice"), 85);
        assert_int_equal(ledgers_balance(world, 2, "bob"), 11);
        world_crash(world, 1);
        world_start(world, 1);
        world_run(world, SECOND_US);
    }
    /* What was refused stays refused: a late try must not do what a client was told is not done. */
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "e", "alice", 86),
                           "insufficient", "85");
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "f", "alice", 1), 86);
    ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "e", "alice", 86),
                           "insufficient", "has 85, less than 86");
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_WITHDRAW, "g", "alice", 86), 0);
    world_free(&world);
}

static void only_the_last_keys_are_remembered(void **state)
{
    (void)state;
    struct world *world = worlds_begin(5, 1);
    struct node *node = world->nodes[1].core;
    char key[32];
    for (uint64_t i = 0; i < LEDGER_KEYS_MAX + 10; i++) {
        struct message *message = bank_change(MESSAGE_BANK_DEPOSIT, "", "alice", 1);
        text_format(key, sizeof key, "key-%u", (unsigned)i);
        message->as.request.node = 1;
        message->as.bank_deposit.key = message_text(message, key);
        struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
        event.request.message = message;
        node_step(node, &event);
        message_drop(&message);
    }
    assert_int_equal(inside_ledger(node)->keys.map.count, LEDGER_KEYS_MAX);
    assert_int_equal(ledgers_balance(world, 1, "alice"), LEDGER_KEYS_MAX + 10);
    world_crash(world, 1);
    world_free(&world);
}

/* --- keys whose outcomes are forgotten --- */

static void deposit_keys(struct world *world, unsigned from, unsigned to)
{
    char key[32];
    for (unsigned i = from; i < to; i++) {
        text_format(key, sizeof key, "key-%u", i);
        assert_int_equal(
            ledgers_ask(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 1))->type,
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
    struct world *world = ledgers_begin(21, 2, (struct key_limits){.requests = 32, .block = 50});
    char key[32];
    deposit_keys(world, 0, 100);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned i = 0; i < 68; i += 11) {
            text_format(key, sizeof key, "key-%u", i);
            ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 1),
                                   "forgotten", "its outcome is forgotten");
        }
        assert_int_equal(ledgers_balance(world, 1, "alice"), 100 + 200 * life);
        restart(world);
        deposit_keys(world, 100 + 200 * life, 300 + 200 * life);
    }
    assert_true(inside_ledger(world->nodes[1].core)->keys.forgotten.window.n >
                10); /* some are sealed */
    world_free(&world);
}

static const char *open_session(struct world *world, uint64_t sequence)
{
    static char key[SESSION_KEY_MAX + 1];
    const struct message *answer = ledgers_ask(world, 1, message_new(MESSAGE_SESSION_OPEN));
    assert_int_equal(answer->type, MESSAGE_SESSION);
    session_key_write(key, (struct session_key){answer->as.session.session,
                                                answer->as.session.token, sequence});
    return key;
}

static void an_evicted_session_is_refused_for_ever_R29(void **state)
{
    (void)state;
    struct world *world = ledgers_begin(22, 2, (struct key_limits){.requests = 16, .sessions = 2});
    char key[SESSION_KEY_MAX + 1], next[SESSION_KEY_MAX + 1];
    text_format(key, sizeof key, "%s", open_session(world, 1));
    text_format(next, sizeof next, "%.*s2", (int)strlen(key) - 1, key);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 10), 10);
    assert_true(ledgers_ask(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 10))
                    ->as.bank_account.repeated);
    deposit_keys(world, 0, 40);
    for (unsigned life = 0; life < 2; life++) {
        ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 10),
                               "forgotten", "key");
        restart(world);
    }
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, next, "alice", 10),
                        60); /* still open */
    open_session(world, 1);
    open_session(world, 1);
    deposit_keys(world, 40, 80);
    for (unsigned life = 0; life < 2; life++) {
        ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, next, "alice", 10),
                               "forgotten", "");
        text_format(key, sizeof key, "%.*s9", (int)strlen(next) - 1, next);
        ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 10),
                               "forgotten", "");
        restart(world);
    }
    assert_int_equal(inside_ledger(world->nodes[1].core)->keys.forgotten.by_id.count, 2);
    world_free(&world);
}

/* A store that was written before there were blocks: whatever it remembers then is never lost. */
static void an_older_store_goes_on_remembering_R29(void **state)
{
    (void)state;
    struct world *world = ledgers_begin(23, 2, (struct key_limits){.requests = 32});
    struct world_node *node = &world->nodes[1];
    char key[32];
    deposit_keys(world, 0, 100);
    world_crash(world, 1);
    for (size_t i = node->records.n; i-- > 0;) {
        const struct kept_record *record = &node->records.at[i];
        if (record->key[0] != RECORD_BLOCK && record->key[0] != RECORD_FLOOR)
            continue;
        struct write write = {.kind = WRITE_RECORD, .key_len = record->key_len};
        memcpy(write.key, record->key, record->key_len);
        records_write(&node->records, &write);
    }
    world_start(world, 1);
    world_run(world, SECOND_US);
    deposit_keys(world, 100, 180);
    for (unsigned i = 68; i < 140; i++) {
        text_format(key, sizeof key, "key-%u", i);
        ledgers_assert_refused(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 1),
                               "forgotten", "key");
    }
    assert_int_equal(ledgers_balance(world, 1, "alice"), 180);
    world_free(&world);
}

static void accounts_are_listed_in_pages(void **state)
{
    (void)state;
    struct world *world = worlds_begin(6, 2);
    char name[32], after[LEDGER_NAME_MAX + 1] = "";
    for (unsigned i = 0; i < 450; i++) {
        text_format(name, sizeof name, "account-%u", i * 7919 % 450);
        ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, name, name, 1 + i), 1 + i);
    }
    uint64_t n = 0, total = 0;
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_BANK_LIST);
        request->as.bank_list.after = message_text(request, after);
        const struct message *answer = ledgers_ask(world, 1, request);
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
    struct world *world = worlds_begin(7, 3);
    assert_int_equal(ledgers_ask(world, 1, ledgers_put("1", "colour", "red", 0))->type,
                     MESSAGE_KV_VALUE);
    assert_int_equal(ledgers_ask(world, 1, ledgers_put("2", "colour", "gr\xc3\xbcn", 2))->type,
                     MESSAGE_KV_VALUE);
    assert_true(
        ledgers_ask(world, 1, ledgers_put("2", "colour", "gr\xc3\xbcn", 2))->as.kv_value.repeated);
    ledgers_settle(world);
    assert_true(
        slice_equals(ledgers_ask(world, 1, ledgers_get("colour"))->as.kv_value.value, "red"));
    assert_true(slice_equals(ledgers_ask(world, 2, ledgers_get("colour"))->as.kv_value.value,
                             "gr\xc3\xbcn"));
    assert_false(ledgers_ask(world, 3, ledgers_get("colour"))->as.kv_value.found);
    ledgers_assert_refused(world, 1, ledgers_put("3", "colour", "\xff", 0), "invalid", "UTF-8");
    ledgers_assert_refused(world, 1, ledgers_put("3", "a colour", "red", 0), "invalid",
                           "not a name");
    ledgers_assert_refused(world, 1, ledgers_put("3", "colour", "red", 4), "invalid",
                           "there is no node 4");
    ledgers_assert_refused(world, 1, ledgers_put("2", "colour", "blue", 2), "invalid",
                           "another key");
    world_crash(world, 2);
    assert_int_equal(ledgers_ask(world, 1, ledgers_put("4", "empty", "", 2))->type,
                     MESSAGE_KV_VALUE);
    assert_int_equal(ledgers_ask(world, 1, ledgers_put("5", "colour", "blue", 2))->type,
                     MESSAGE_KV_VALUE);
    world_crash(world, 1); /* what was acknowledged is on its way for ever */
    world_start(world, 1);
    world_start(world, 2);
    ledgers_settle(world);
    assert_true(
        slice_equals(ledgers_ask(world, 2, ledgers_get("colour"))->as.kv_value.value, "blue"));
    assert_true(ledgers_ask(world, 2, ledgers_get("empty"))->as.kv_value.found);
    world_free(&world);
}

static void a_deleted_value_is_gone_for_good(void **state)
{
    (void)state;
    struct world *world = worlds_begin(9, 3);
    ledgers_ask(world, 1, ledgers_put("1", "colour", "red", 0));
    ledgers_ask(world, 1, ledgers_put("2", "shape", "round", 0));
    ledgers_assert_refused(world, 2, ledgers_delete("3", "colour"), "not_found",
                           "no value colour on node 2");
    assert_int_equal(ledgers_ask(world, 1, ledgers_delete("4", "colour"))->type, MESSAGE_KV_VALUE);
    assert_false(ledgers_ask(world, 1, ledgers_get("colour"))->as.kv_value.found);
    world_crash(world, 1);
    world_start(world, 1);
    assert_false(ledgers_ask(world, 1, ledgers_get("colour"))->as.kv_value.found);
    assert_true(ledgers_ask(world, 1, ledgers_get("shape"))->as.kv_value.found);
    /* The same key deletes once, also when there is a new value. */
    ledgers_ask(world, 1, ledgers_put("5", "colour", "blue", 0));
    assert_true(ledgers_ask(world, 1, ledgers_delete("4", "colour"))->as.kv_value.repeated);
    assert_true(ledgers_ask(world, 1, ledgers_get("colour"))->as.kv_value.found);
    /* A refusal is an outcome, too: a late try deletes nothing. */
    ledgers_assert_refused(world, 1, ledgers_delete("6", "size"), "not_found", "size");
    ledgers_ask(world, 1, ledgers_put("7", "size", "small", 0));
    ledgers_assert_refused(world, 1, ledgers_delete("6", "size"), "not_found", "size");
    assert_true(ledgers_ask(world, 1, ledgers_get("size"))->as.kv_value.found);
    ledgers_assert_refused(world, 1, ledgers_delete("5", "colour"), "invalid", "another key");
    ledgers_assert_refused(world, 1, ledgers_delete("8", "a colour"), "invalid", "not a name");
    world_free(&world);
}

/* Counts the values of a node that begin so, page by page, in the order of their names. */
static size_t count_values(struct world *world, const char *prefix, size_t *pages)
{
    char name[LEDGER_NAME_MAX + 1], after[LEDGER_NAME_MAX + 1] = "";
    size_t n = 0;
    *pages = 0;
    for (bool more = true; more; ++*pages) {
        const struct message *answer = ledgers_ask(world, 1, ledgers_list(prefix, after));
        assert_int_equal(answer->type, MESSAGE_KV_PAGE);
        const struct wire_kv_page *page = &answer->as.kv_page;
        for (size_t i = 0; i < page->values.n; i++, n++) {
            text_escape(name, sizeof name, page->values.at[i].name);
            assert_true(strcmp(after, name) < 0 && !strncmp(name, prefix, strlen(prefix)));
            text_format(after, sizeof after, "%s", name);
        }
        more = page->more;
    }
    return n;
}

static void values_are_listed_in_pages(void **state)
{
    (void)state;
    struct world *world = worlds_begin(10, 1);
    static char large[KV_VALUE_MAX + 1];
    char name[32];
    size_t pages;
    assert_int_equal(count_values(world, "", &pages), 0);
    for (unsigned i = 0; i < 450; i++) {
        text_format(name, sizeof name, "value-%u", i * 7919 % 450);
        ledgers_ask(world, 1, ledgers_put(name, name, "x", 0));
    }
    memset(large, 'x', KV_VALUE_MAX);
    for (unsigned i = 0; i < 30; i++) {
        text_format(name, sizeof name, "a-large-%u", i);
        ledgers_ask(world, 1, ledgers_put(name, name, large, 0));
    }
    assert_int_equal(count_values(world, "", &pages), 480);
    assert_int_equal(count_values(world, "a-", &pages), 30);
    assert_int_equal(pages, 3); /* a page is one frame */
    assert_int_equal(count_values(world, "value-", &pages), 450);
    assert_int_equal(pages, 3);
    assert_int_equal(count_values(world, "value-44", &pages), 11);
    assert_int_equal(count_values(world, "w", &pages), 0);
    world_free(&world);
}

static void a_request_without_a_node_is_refused(void **state)
{
    (void)state;
    struct world *world = worlds_begin(8, 1);
    struct message *message = bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 1);
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
    struct world *world = worlds_begin(13, 2);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("3", "alice", 1, "bob", 2), 99);
    ledgers_settle(world);
    struct node *node = world->nodes[1].core;
    struct event event = {.kind = EVENT_REQUEST, .now_us = world->now_us};
    event.request.message = bank_transfer("4", "alice", 10, "bob", 2);
    event.request.message->as.request.node = 1;
    struct waits first = step(node, &event);
    /* Account, outbox message and key are one transaction; the money is in the channel in the same
     * step. */
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
        cmocka_unit_test(a_deleted_value_is_gone_for_good),
        cmocka_unit_test(values_are_listed_in_pages),
        cmocka_unit_test(a_request_without_a_node_is_refused),
        cmocka_unit_test(a_transfer_and_its_answer_wait_for_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
