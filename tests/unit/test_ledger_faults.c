/* Ledgers of whole nodes in the deterministic world under faults: none makes money or loses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/records/record.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/harness/ledgers.h"

/* --- money that cannot be credited, and disks that are wiped --- */

static void what_does_not_fit_comes_back(void **state)
{
    (void)state;
    struct world *world = worlds_begin(9, 2);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", MONEY_MAX),
                        MONEY_MAX);
    ledgers_assert_done(world, 1, bank_transfer("3", "alice", 30, "bob", 2), 70);
    /* As long as it may come back, its place is kept. */
    ledgers_assert_refused(world, 1,
                           bank_change(MESSAGE_BANK_DEPOSIT, "4", "alice", MONEY_MAX - 99),
                           "overflow", "no room");
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 1, "alice"), 100);
    assert_int_equal(ledgers_balance(world, 2, "bob"), MONEY_MAX);
    world_free(&world);
}

static void a_wiped_destination_sends_money_back(void **state)
{
    (void)state;
    struct world *world = worlds_begin(10, 3);
    ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, "1", "alice", 100), 100);
    ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, "2", "bob", 1), 1);
    ledgers_assert_done(world, 1, bank_transfer("3", "alice", 10, "bob", 2), 90);
    ledgers_settle(world);
    world_crash(world, 2);
    world_wipe(world, 2);
    ledgers_assert_done(world, 1, bank_transfer("4", "alice", 20, "bob", 2), 70);
    ledgers_assert_done(world, 1, bank_transfer("5", "alice", 30, "bob", 2), 40);
    world_start(world, 2);
    ledgers_settle(world);
    assert_int_equal(ledgers_balance(world, 1, "alice"), 90);
    assert_int_equal(ledgers_balance(world, 2, "bob"), UINT64_MAX);
    assert_int_equal(ledgers_durable_money(world), 90);
    world_free(&world);
}

static void a_wiped_source_restarts(void **state)
{
    (void)state;
    struct world *world = worlds_begin(11, 3);
    for (uint64_t round = 1; round <= 3; round++) {
        char key[16];
        text_format(key, sizeof key, "deposit-%u", (unsigned)round);
        ledgers_assert_done(world, 1, bank_change(MESSAGE_BANK_DEPOSIT, key, "alice", 100), 100);
        if (round == 1)
            ledgers_assert_done(world, 2, bank_change(MESSAGE_BANK_DEPOSIT, key, "bob", 1), 1);
        for (uint64_t i = 1; i <= 5; i++) {
            text_format(key, sizeof key, "%u-%u", (unsigned)round, (unsigned)i);
            ledgers_assert_done(world, 1, bank_transfer(key, "alice", 10, "bob", 2), 100 - 10 * i);
        }
        ledgers_settle(world);
        assert_int_equal(ledgers_balance(world, 2, "bob"), 1 + 50 * round);
        world_crash(world, 1);
        world_wipe(world, 1);
        world_start(world, 1);
        world_run(world, SECOND_US);
        assert_int_equal(ledgers_balance(world, 1, "alice"), UINT64_MAX);
    }
    world_free(&world);
}

static void a_foreign_record_is_refused(void **state)
{
    (void)state;
    struct world *world = worlds_begin(12, 2);
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
              bank_transfer(key, account_name(bank.from[teller][1]), bank.amount[teller],
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
            ledgers_assert_done(world, id,
                                bank_change(MESSAGE_BANK_DEPOSIT, account_name(account),
                                            account_name(account), START),
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
        assert_int_equal(ledgers_durable_money(world), START * ACCOUNTS * world->options.n_nodes);
        world_run(world, 1 + world_random(world, 3 * MS_US));
    } while (world->now_us < until_us);
}

static void close_bank(struct world *world)
{
    assert_true(world_run_until(world, tellers_are_idle, 10 * LEDGERS_PATIENCE_US));
    ledgers_settle(world);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        for (unsigned account = 0; account < ACCOUNTS; account++)
            assert_int_equal(ledgers_balance(world, id, account_name(account)),
                             bank.expected[id][account]);
    assert_int_equal(ledgers_durable_money(world), START * ACCOUNTS * world->options.n_nodes);
}

static void busy_ledgers_keep_their_sum(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *world = worlds_begin(seed, 4);
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
        struct world *world = worlds_begin(seed, 3);
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
        struct world *world = worlds_begin(seed, 3 + (uint32_t)(seed % 3));
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
        struct world *world = worlds_begin(seed, 4);
        open_bank(world, 2000);
        for (unsigned times = 0; times < 8; times++) {
            watch(world, world_random(world, 200 * MS_US));
            for (node_id_t id = 1; id <= 4; id++)
                world_crash(world, id);
            assert_int_equal(ledgers_durable_money(world), START * ACCOUNTS * 4);
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
        cmocka_unit_test(what_does_not_fit_comes_back),
        cmocka_unit_test(a_wiped_destination_sends_money_back),
        cmocka_unit_test(a_wiped_source_restarts),
        cmocka_unit_test(a_foreign_record_is_refused),
        cmocka_unit_test(busy_ledgers_keep_their_sum),
        cmocka_unit_test(loss_and_duplication_move_no_money_twice),
        cmocka_unit_test(killed_nodes_lose_no_money_and_make_none),
        cmocka_unit_test(all_lose_their_power_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
