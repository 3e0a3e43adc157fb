/* libconclave before a broker that is a thread of the test: accounts, snapshots and the cluster's
 * status, answers that are not believed, and how long is asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clients/ask/cluster.h"
#include "clients/library/library.h"
#include "shared/base/clock.h"
#include "shared/bus/bus.h"
#include "tests/harness/fake_broker.h"

enum { ROWS_MAX = 4 };

/* What the coordinator, or a node, answers. */
struct scene {
    struct wire_account_row accounts[ROWS_MAX];
    struct wire_snapshot_row heads[ROWS_MAX];
    size_t n; /* of these, on every page */
    bool more;
    struct wire_snapshot_chunk chunk;
    const char *bytes;     /* of each chunk */
    const char *refusal;   /* to the first requests for the status */
    unsigned refusals;     /* so many of them; then it is told */
    unsigned silences;     /* before these, so many get no answer */
    unsigned sleeping;     /* the node that is not alive */
    uint64_t told_behind;  /* ms, of node 1 */
    const char *told_host; /* likewise */
};

static struct scene scene;
static struct fake_broker broker;
static void *context;
static struct conclave *cluster;

/* --- answers --- */

static struct message *answer_accounts(void)
{
    struct message *message = message_new(MESSAGE_BANK_PAGE);
    struct wire_bank_page *page = &message->as.bank_page;
    page->more = scene.more;
    page->sent = 5;
    page->accounts.at = message_room(message, ROWS_MAX, sizeof *page->accounts.at);
    memcpy(page->accounts.at, scene.accounts, sizeof scene.accounts);
    page->accounts.n = scene.n;
    return message;
}

static struct message *answer_snapshots(enum message_type type, uint64_t node)
{
    struct message *message = message_new(type);
    struct wire_snapshot_page *page = &message->as.snapshot_page;
    struct wire_snapshot_row *rows = message_room(message, ROWS_MAX, sizeof *rows);
    memcpy(rows, scene.heads, sizeof scene.heads);
    for (size_t i = 0; i < scene.n; i++)
        if (!rows[i].initiator)
            rows[i].initiator = node;
    if (type == MESSAGE_SNAPSHOT) {
        message->as.snapshot.heads.at = rows;
        message->as.snapshot.heads.n = scene.n;
        return message;
    }
    page->heads.at = rows;
    page->heads.n = scene.n;
    page->more = scene.more;
    return message;
}

static struct message *answer_bytes(void)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_CHUNK);
    message->as.snapshot_chunk = scene.chunk;
    if (!scene.bytes)
        return message;
    struct blob *bytes = blob_copy((const uint8_t *)scene.bytes, strlen(scene.bytes));
    message_add_frame(message, bytes);
    blob_drop(&bytes);
    return message;
}

static struct message *answer_status(void)
{
    unsigned asked = broker.asked[MESSAGE_STATUS_GET];
    if (asked <= scene.silences)
        return NULL;
    if (asked <= scene.silences + scene.refusals)
        return fake_broker_refuse(scene.refusal);
    struct message *message = message_new(MESSAGE_STATUS);
    struct wire_status *status = &message->as.status;
    status->coordinator = 1;
    status->term = 3;
    status->nodes.at = message_room(message, 2, sizeof *status->nodes.at);
    status->nodes.n = 2;
    for (uint64_t node = 1; node <= 2; node++)
        status->nodes.at[node - 1] =
            (struct wire_node_row){.node = node,
                                   .alive = node != scene.sleeping,
                                   .slots = 2,
                                   .pid = 40 + node,
                                   .behind_ms = scene.told_behind,
                                   .role = slice_of(node == 1 ? "coordinator" : "worker"),
                                   .host = slice_of(scene.told_host ? scene.told_host : "h"),
                                   .version = slice_of("0.1")};
    return message;
}

static struct message *answer_account(bool repeated)
{
    struct message *message = message_new(MESSAGE_BANK_ACCOUNT);
    message->as.bank_account.account = slice_of("alice");
    message->as.bank_account.balance = 70;
    message->as.bank_account.repeated = repeated;
    return message;
}

static struct message *answer(void *unused, const struct message *request)
{
    (void)unused;
    switch (request->type) {
    case MESSAGE_STATUS_GET:
        return answer_status();
    case MESSAGE_BANK_LIST:
        return answer_accounts();
    case MESSAGE_BANK_BALANCE:
        return answer_account(false);
    case MESSAGE_BANK_TRANSFER:
        return answer_account(slice_equals(request->as.bank_transfer.key, "again"));
    case MESSAGE_SNAPSHOT_TAKE:
        return answer_snapshots(MESSAGE_SNAPSHOT, 1);
    case MESSAGE_SNAPSHOT_LIST:
        return answer_snapshots(MESSAGE_SNAPSHOT_PAGE, request->as.snapshot_list.node);
    case MESSAGE_SNAPSHOT_GET:
        return answer_bytes();
    default:
        return fake_broker_refuse("invalid");
    }
}

/* --- the scene --- */

static int begin(void **unused)
{
    (void)unused;
    scene = (struct scene){0};
    broker = (struct fake_broker){.answer = answer};
    fake_broker_bind(&broker, context);
    const struct conclave_options options = {.size = sizeof options,
                                             .brokers = broker.address,
                                             .insecure = 1,
                                             .timeout_us = 20 * SECOND_US};
    cluster = conclave_open(&options);
    fake_broker_start(&broker);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    conclave_close(&cluster);
    fake_broker_end(&broker);
    return 0;
}

static void assert_reason(int code, int expected, const char *part)
{
    assert_int_equal(code, expected);
    assert_non_null(strstr(conclave_reason(cluster), part));
}

static unsigned asked_in_all(void)
{
    unsigned n = 0;
    for (size_t type = 0; type < MESSAGE_TYPES; type++)
        n += type == MESSAGE_BROKER_GET ? 0 : broker.asked[type];
    return n;
}

/* --- accounts --- */

struct taken {
    unsigned n, most;
    char names[200];
    uint64_t sum;
};

static int take_account(void *at, const char *account, uint64_t balance)
{
    struct taken *taken = at;
    size_t len = strlen(taken->names);
    text_format(taken->names + len, sizeof taken->names - len, "%s ", account);
    taken->sum += balance;
    return ++taken->n == taken->most;
}

static struct wire_account_row account(const char *name, uint64_t balance)
{
    return (struct wire_account_row){slice_of(name), balance};
}

static void accounts_are_listed_and_changed(void **state)
{
    (void)state;
    struct taken taken = {0};
    uint64_t sent = 0, balance = 0;
    int repeated = -1;
    scene.accounts[0] = account("a", 3);
    scene.accounts[1] = account("b", 4);
    scene.n = 2;
    assert_int_equal(conclave_bank_list(cluster, 1, take_account, &taken, &sent), EXIT_OK);
    assert_string_equal(taken.names, "a b ");
    assert_int_equal(taken.sum, 7);
    assert_int_equal(sent, 5);
    taken = (struct taken){.most = 1};
    scene.more = true;
    assert_int_equal(conclave_bank_list(cluster, 1, take_account, &taken, NULL), EXIT_OK);
    assert_string_equal(taken.names, "a ");
    assert_int_equal(conclave_bank_balance(cluster, 1, "alice", &balance), EXIT_OK);
    assert_int_equal(balance, 70);
    assert_int_equal(conclave_bank_transfer(cluster, 1, "alice", 2, "bob", 30, NULL, NULL,
                                            &repeated),
                     EXIT_OK);
    assert_int_equal(repeated, 0);
    assert_int_equal(conclave_bank_transfer(cluster, 1, "alice", 2, "bob", 30, "again", &balance,
                                            &repeated),
                     EXIT_OK);
    assert_int_equal(repeated, 1);
}

static void pages_of_accounts_that_lead_nowhere_end(void **state)
{
    (void)state;
    static const char *const pages[][2] = {
        {"a", "a"}, {"b", "a"}, {"a", "\x1b[2J"}, {"a", "a/b"}, {"", "a"}};
    struct taken taken = {0};
    scene.n = 2;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        scene.accounts[0] = account(pages[i][0], 1);
        scene.accounts[1] = account(pages[i][1], 1);
        assert_reason(conclave_bank_list(cluster, 1, take_account, &taken, NULL), EXIT_FAILED,
                      "node 1 sent a page of accounts that does not fit");
        assert_int_equal(taken.n, 0);
    }
    /* the same page again and again */
    scene.accounts[0] = account("a", 1);
    scene.accounts[1] = account("b", 1);
    scene.more = true;
    assert_int_equal(conclave_bank_list(cluster, 1, take_account, &taken, NULL), EXIT_FAILED);
    assert_int_equal(taken.n, 2);
    scene.n = 0;
    assert_int_equal(conclave_bank_list(cluster, 1, take_account, &taken, NULL), EXIT_FAILED);
    assert_true(asked_in_all() < 20);
}

static void wrong_arguments_are_not_sent(void **state)
{
    (void)state;
    struct conclave_snapshot snapshot;
    struct conclave_snapshot_sums sums;
    struct taken taken = {0};
    uint64_t balance;
    void *bytes;
    size_t len;
    assert_reason(conclave_bank_deposit(cluster, 0, "a", 1, NULL, NULL, NULL), EXIT_USAGE,
                  "a node is a number from 1 to");
    assert_reason(conclave_bank_deposit(cluster, 1, "a b", 1, NULL, NULL, NULL), EXIT_USAGE,
                  "'a b' is not the name of an account");
    assert_reason(conclave_bank_deposit(cluster, 1, "a", 0, NULL, NULL, NULL), EXIT_USAGE,
                  "an amount is a whole number of minor units from 1 to 1000000000000000, not 0");
    assert_int_equal(conclave_bank_withdraw(cluster, 1, "a", MONEY_MAX + 1, NULL, NULL, NULL),
                     EXIT_USAGE);
    assert_reason(conclave_bank_withdraw(cluster, 1, "a", 1, "a key", NULL, NULL), EXIT_USAGE,
                  "a key has");
    assert_int_equal(conclave_bank_transfer(cluster, 1, "a", NODES_MAX + 1, "b", 1, NULL, NULL,
                                            NULL),
                     EXIT_USAGE);
    assert_int_equal(conclave_bank_transfer(cluster, 1, "a", 2, "", 1, NULL, NULL, NULL),
                     EXIT_USAGE);
    assert_int_equal(conclave_bank_balance(cluster, 1, "", &balance), EXIT_USAGE);
    assert_int_equal(conclave_bank_list(cluster, 0, take_account, &taken, NULL), EXIT_USAGE);
    assert_int_equal(conclave_snapshot_take(cluster, NODES_MAX + 1, &snapshot), EXIT_USAGE);
    assert_reason(conclave_snapshot_get(cluster, "3", &sums, NULL, NULL), EXIT_USAGE,
                  "'3' is not a snapshot id");
    assert_int_equal(conclave_snapshot_read(cluster, "x\x1b", &bytes, &len), EXIT_USAGE);
    assert_int_equal(asked_in_all(), 0);
}

/* --- snapshots --- */

static int take_snapshot(void *at, const struct conclave_snapshot *row)
{
    return take_account(at, row->id, row->bytes);
}

static struct wire_snapshot_row head(uint64_t counter)
{
    return (struct wire_snapshot_row){
        .incarnation = 1, .counter = counter, .complete = true, .bytes = 10, .nodes = 2};
}

static void snapshots_of_those_that_are_alive_are_listed(void **state)
{
    (void)state;
    struct taken taken = {0}, few = {.most = 3};
    scene.heads[0] = head(1);
    scene.heads[1] = head(4);
    scene.n = 2;
    assert_int_equal(conclave_snapshots_each(cluster, 0, take_snapshot, &taken), EXIT_OK);
    assert_string_equal(taken.names, "1-0000000000000001-1 1-0000000000000001-4 "
                                     "2-0000000000000001-1 2-0000000000000001-4 ");
    assert_int_equal(conclave_snapshots_each(cluster, 0, take_snapshot, &few), EXIT_OK);
    assert_int_equal(few.n, 3);
    scene.sleeping = 2;
    taken = (struct taken){0};
    assert_int_equal(conclave_snapshots_each(cluster, 0, take_snapshot, &taken), EXIT_OK);
    assert_string_equal(taken.names, "1-0000000000000001-1 1-0000000000000001-4 ");
}

static void pages_of_snapshots_that_lead_nowhere_end(void **state)
{
    (void)state;
    struct taken taken = {0};
    scene.n = 2;
    scene.heads[0] = head(4);
    scene.heads[1] = head(4);
    assert_reason(conclave_snapshots_each(cluster, 2, take_snapshot, &taken), EXIT_FAILED,
                  "node 2 sent a page of snapshots that does not fit");
    scene.heads[1] = head(5);
    scene.heads[1].initiator = 1; /* another node's */
    assert_int_equal(conclave_snapshots_each(cluster, 2, take_snapshot, &taken), EXIT_FAILED);
    assert_int_equal(taken.n, 0);
    scene.heads[1].initiator = 0;
    scene.more = true; /* and the same again */
    assert_int_equal(conclave_snapshots_each(cluster, 2, take_snapshot, &taken), EXIT_FAILED);
    assert_int_equal(taken.n, 2);
    scene.n = 0;
    assert_int_equal(conclave_snapshots_each(cluster, 2, take_snapshot, &taken), EXIT_FAILED);
    assert_true(asked_in_all() < 10);
}

static void a_partial_snapshot_fails_and_has_an_id(void **state)
{
    (void)state;
    struct conclave_snapshot snapshot;
    scene.heads[0] = head(7);
    scene.n = 1;
    assert_int_equal(conclave_snapshot_take(cluster, 0, &snapshot), EXIT_OK);
    assert_int_equal(snapshot.complete, 1);
    scene.heads[0].complete = false;
    scene.heads[0].missing = slice_of("node 2: \x1b[2J");
    assert_reason(conclave_snapshot_take(cluster, 0, &snapshot), EXIT_FAILED,
                  "the snapshot is partial: node 2: \\x1b[2J");
    assert_string_equal(snapshot.id, "1-0000000000000001-7");
    scene.n = 0;
    assert_reason(conclave_snapshot_take(cluster, 0, &snapshot), EXIT_FAILED,
                  "the answer names no snapshot");
    assert_string_equal(snapshot.id, "");
}

static void bytes_of_a_snapshot_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        struct wire_snapshot_chunk chunk;
        const char *bytes, *why;
    } cases[] = {
        {{.total = 3}, "abc", "is malformed"},
        {{.total = 6}, "abc", "does not fit"}, /* the second one begins at 0, too */
        {{.total = 2}, "abc", "does not fit"},
        {{.total = 0}, "abc", "does not fit"},
        {{.total = 3}, "", "does not fit"},
        {{.total = 3}, NULL, "does not fit"},
        {{.total = 3, .offset = 1}, "abc", "does not fit"},
        {{.total = UINT64_MAX}, "abc", "does not fit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conclave_snapshot_sums sums;
        void *bytes = &bytes;
        size_t len = 1;
        scene.chunk = cases[i].chunk;
        scene.bytes = cases[i].bytes;
        assert_reason(conclave_snapshot_get(cluster, "2-0000000000000001-7", &sums, NULL, NULL),
                      EXIT_FAILED, cases[i].why);
        assert_reason(conclave_snapshot_read(cluster, "2-0000000000000001-7", &bytes, &len),
                      EXIT_FAILED, cases[i].why);
        assert_true(!bytes && !len);
    }
}

/* --- the cluster --- */

static int take_node(void *at, const struct conclave_node *node)
{
    assert_int_equal(node->behind_us, 1500000);
    assert_int_equal(node->pid, 40 + node->node);
    return take_account(at, node->host, node->node);
}

static void nodes_are_told_in_their_order(void **state)
{
    (void)state;
    struct taken taken = {0}, one = {.most = 1};
    scene.told_behind = 1500;
    scene.told_host = "\x1b[1m";
    assert_int_equal(conclave_nodes_each(cluster, take_node, &taken), EXIT_OK);
    assert_string_equal(taken.names, "\\x1b[1m \\x1b[1m ");
    assert_int_equal(conclave_nodes_each(cluster, take_node, &one), EXIT_OK);
    assert_int_equal(one.n, 1);
}

static void a_key_is_told_without_asking(void **state)
{
    (void)state;
    struct conclave_key key;
    const struct conclave_options options = {.size = sizeof options, .access = "/nonexistent.json"};
    struct conclave *lost = conclave_open(&options);
    assert_int_equal(conclave_key(cluster, &key), EXIT_OK);
    assert_string_equal(key.name, "");
    assert_int_equal(conclave_key(lost, &key), EXIT_USAGE);
    assert_non_null(strstr(conclave_reason(lost), "/nonexistent.json"));
    conclave_close(&lost);
    assert_int_equal(asked_in_all(), 0);
}

static int look(bool waits)
{
    struct cluster_view view;
    int code = cluster_look_or_wait(cluster, waits, &view);
    assert_true(!view.status == (code != EXIT_OK));
    cluster_view_clear(&view);
    return code;
}

static void who_looks_asks_again_who_is_busy_or_silent(void **state)
{
    (void)state;
    scene.refusals = 3;
    scene.refusal = "busy";
    assert_int_equal(look(false), EXIT_OK);
    broker.asked[MESSAGE_STATUS_GET] = 0;
    scene.refusal = "not_coordinator";
    assert_int_equal(look(false), EXIT_OK);
    broker.asked[MESSAGE_STATUS_GET] = 0;
    scene.refusals = 0;
    scene.silences = 2 * CLIENT_UNREACHABLE_MS / CLIENT_RETRY_MS; /* longer than no broker at all */
    assert_int_equal(look(false), EXIT_OK);
}

static void who_looks_takes_no_for_an_answer_unless_it_waits(void **state)
{
    (void)state;
    scene.refusals = 3;
    scene.refusal = "unavailable";
    assert_int_equal(look(false), EXIT_UNREACHABLE);
    assert_int_equal(broker.asked[MESSAGE_STATUS_GET], 1);
    assert_int_equal(look(true), EXIT_OK);
    scene.refusals = UINT32_MAX / 2; /* the connection's timeout ends it */
    cluster->timeout_us = 300 * MS_US;
    uint64_t began_us = clock_now_us();
    assert_int_equal(look(true), EXIT_UNREACHABLE);
    assert_true(clock_now_us() - began_us >= 300 * MS_US);
}

static int open_context(void **state)
{
    (void)state;
    context = bus_open();
    return 0;
}

static int close_context(void **state)
{
    (void)state;
    bus_close(context);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accounts_are_listed_and_changed),
        TEST(pages_of_accounts_that_lead_nowhere_end),
        TEST(wrong_arguments_are_not_sent),
        TEST(snapshots_of_those_that_are_alive_are_listed),
        TEST(pages_of_snapshots_that_lead_nowhere_end),
        TEST(a_partial_snapshot_fails_and_has_an_id),
        TEST(bytes_of_a_snapshot_are_not_believed),
        TEST(nodes_are_told_in_their_order),
        TEST(a_key_is_told_without_asking),
        TEST(who_looks_asks_again_who_is_busy_or_silent),
        TEST(who_looks_takes_no_for_an_answer_unless_it_waits),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
